"""Celery tasks. Each calls one action and returns a message for the log."""

from celery import shared_task
from django.utils import timezone

from accounts.api_client_actions import delete_ended_personal_keys
from core import cleanup, clock
from core.queue import TaskName
from core.sweep_times import note_sweep
from installations import proofs


@shared_task(name=TaskName.SWEEP_PROOFS.value, acks_late=True)
def sweep_proofs_task(**_later: object) -> str:
    stored = proofs.store_pending()
    note_sweep(TaskName.SWEEP_PROOFS, at=clock.now())
    return f"{stored} stored"


@shared_task(name=TaskName.TIDY_UP.value)
def tidy_up_task(**_later: object) -> str:
    now = clock.now()
    answers, sessions = cleanup.delete_old_idempotent_requests(at=now), cleanup.delete_ended_sessions()
    cleanup.delete_old_office_addresses(at=now)
    cleanup.delete_old_kept_forms()
    delete_ended_personal_keys(at=timezone.now())  # they expire by the machine's clock
    abandoned = proofs.delete_abandoned(at=now)
    return f"deleted {answers} stored answers, {sessions} sessions, {abandoned} abandoned proofs"
