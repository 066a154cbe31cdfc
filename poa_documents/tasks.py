"""Celery tasks. Each takes IDs, calls one action and returns a message for the log."""

from celery import shared_task

from core import clock
from core.queue import TaskName, enqueue_on_commit
from core.sweep_times import note_sweep
from poa_documents import actions


@shared_task(name=TaskName.SEAL_POA.value, acks_late=True)
def seal_poa_task(*, poa_id: int, **_later: object) -> str:
    return actions.seal_poa(poa_id=poa_id, at=clock.now()).value


@shared_task(name=TaskName.SEND_MAIL.value, acks_late=True)
def send_mail_task(*, mail_id: int, **_later: object) -> str:
    return actions.send_mail(mail_id=mail_id, at=clock.now()).value


@shared_task(name=TaskName.CHECK_SEALED_FILES.value, acks_late=True)
def check_sealed_files_task(**_later: object) -> str:
    """Check one batch and queue the next one, so that no task runs for hours."""
    outcome = actions.check_sealed_files(at=clock.now())
    if outcome == actions.CheckOutcome.MORE_TO_CHECK:
        enqueue_on_commit(TaskName.CHECK_SEALED_FILES)
    return outcome.value


@shared_task(name=TaskName.ANCHOR_JOURNAL.value, acks_late=True)
def anchor_journal_task(**_later: object) -> str:
    return actions.anchor_journal(at=clock.now()).value


@shared_task(name=TaskName.ASK_ISSUERS.value, acks_late=True)
def ask_issuers_task(**_later: object) -> str:
    return actions.ask_issuers(at=clock.now()).value


@shared_task(name=TaskName.SETTLE_CONTACT_CHANGE.value, acks_late=True)
def settle_contact_change_task(*, change_id: int, **_later: object) -> str:
    return f"{actions.settle_contact_change(change_id=change_id, at=clock.now())} links ended"


@shared_task(name=TaskName.FORGET_MAIL_REPORTS.value)
def forget_mail_reports_task(**_later: object) -> str:
    return f"{actions.forget_reports(at=clock.now())} mail reports deleted"


@shared_task(name=TaskName.SWEEP_POAS.value, acks_late=True)
def sweep_poas_task(**_later: object) -> str:
    count = actions.sweep_poas(at=clock.now())
    note_sweep(TaskName.SWEEP_POAS, at=clock.now())
    return f"{count} checked"
