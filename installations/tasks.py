"""Celery entry points: one action called, a word out for the log."""

from celery import shared_task

from core.queue import TaskName
from installations import proofs


@shared_task(name=TaskName.SWEEP_PROOFS.value, acks_late=True)
def sweep_proofs_task(**_later: object) -> str:
    return f"{proofs.store_waiting()} stored"
