"""Last run of each sweep, used to detect a stalled queue, scheduler or worker; and of the last backup."""

from datetime import datetime

from core.models import LastSweep
from core.queue import TaskName

BACKUP = "backup"
WITHOUT_QUEUE = "without queue"
"""Represents the scheduler's process, which does due work while the queue is away."""


def note_sweep(task: TaskName, *, at: datetime) -> None:
    _note(task.value, at=at)


def note_backup(*, at: datetime) -> None:
    """Record that a backup was taken. A restored database knows only the earlier ones."""
    _note(BACKUP, at=at)


def note_work_without_queue(*, at: datetime) -> None:
    _note(WITHOUT_QUEUE, at=at)


def last_backup_at() -> datetime | None:
    return LastSweep.objects.filter(task=BACKUP).values_list("at", flat=True).first()


def _note(name: str, *, at: datetime) -> None:
    LastSweep.objects.bulk_create(
        [LastSweep(task=name, at=at)], update_conflicts=True, unique_fields=["task"], update_fields=["at"]
    )
