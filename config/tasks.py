"""Celery tasks that concern all apps."""

from celery import shared_task

from core import clock
from core.queue import TaskName
from operations.orphaned_files import sweep_orphans


@shared_task(name=TaskName.SWEEP_FILES.value)
def sweep_files_task(**_later: object) -> str:
    return f"{len(sweep_orphans(at=clock.now()))} orphaned files deleted"
