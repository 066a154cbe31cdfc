"""The sweep: finds due rows whose message was lost."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from core.models import LastSweep
from core.queue import TaskName
from core.sweep_times import note_sweep
from installations.models import ContactChange
from poa_documents.actions.anchors import anchor_journal
from poa_documents.actions.lifecycle import expire_poa, lapse_poa
from poa_documents.actions.links import settle_contact_change
from poa_documents.actions.mail_reports import due_reports, settle_report
from poa_documents.actions.mails import send_mail
from poa_documents.actions.reminders import consider_reminder
from poa_documents.actions.seals import seal_poa
from poa_documents.actions.timestamps import add_late_timestamp
from poa_documents.journal.verification import anchor_is_due
from poa_documents.models import CustomerMail, PoaDocument
from poa_documents.queries import due_poas
from poa_documents.states import PoaStatus

logger = logging.getLogger(__name__)

BATCH = 200
MAX_SECONDS_PER_KIND = 15.0
TIMESTAMPS_PER_SWEEP = 20
WAIT_AFTER_FAILURE = timedelta(minutes=5)


def sweep_poas(*, at: datetime) -> int:
    """
    Do what is due: seal, expire, lapse, end links to old addresses, process mail reports, remind, send mails.

    A failing row does not stop the others.
    """
    due = list(due_poas(at).values_list("pk", "status")[:BATCH])
    for poa_id, status in due:
        try:
            _process(poa_id, status, at=at)
        except Exception as problem:
            logger.exception("POA %s could not be processed. It is retried later.", poa_id)
            wait = WAIT_AFTER_FAILURE * random.uniform(1.0, 1.5)  # noqa: S311 - spreads work, keeps no secret
            PoaDocument.objects.filter(pk=poa_id).update(
                due_at=at + wait, last_error=f"{type(problem).__name__}: {problem}"
            )
    changes = ContactChange.objects.filter(settled_at__isnull=True).values_list("pk", flat=True)[:BATCH]
    looked_at = _process_each(list(changes), lambda pk: settle_contact_change(change_id=pk, at=at), "Contact change")
    looked_at += _process_each(
        due_reports(at=at, limit=BATCH), lambda pk: settle_report(report_id=pk, at=at), "Mail report"
    )
    unsigned = PoaDocument.objects.filter(remind_at__lte=at).values_list("pk", flat=True)[:BATCH]
    looked_at += _process_each(list(unsigned), partial(_consider_reminder, at=at), "Reminder of POA")
    mails = CustomerMail.objects.due(at).values_list("pk", flat=True)[:BATCH]
    looked_at += _process_each(list(mails), lambda pk: send_mail(mail_id=pk, at=at), "Mail")
    late = list(
        PoaDocument.objects.filter(timestamp_due_at__lte=at).values_list("pk", flat=True)[:TIMESTAMPS_PER_SWEEP]
    )
    for poa_id in late:
        if not add_late_timestamp(poa_id=poa_id, at=at):
            break  # the authority is down, so the others would fail too
    _anchor_if_missed(at=at)
    return len(due) + looked_at


def _process_each(ids: Sequence[int], work: Callable[[int], object], name: str) -> int:
    """Process rows for a limited time, so that a slow mail server cannot block a worker. Return how many."""
    looked_at, enough = 0, time.monotonic() + MAX_SECONDS_PER_KIND
    for pk in ids:
        if time.monotonic() > enough:
            break
        looked_at += 1
        try:
            work(pk)
        except Exception:
            logger.exception("%s %s could not be processed. It is retried later.", name, pk)
    return looked_at


def _consider_reminder(poa_id: int, *, at: datetime) -> None:
    PoaDocument.objects.filter(pk=poa_id).update(remind_at=at + WAIT_AFTER_FAILURE)
    consider_reminder(poa_id=poa_id, at=at)


def _anchor_if_missed(*, at: datetime) -> None:
    """Create the daily anchor if its message was lost. If the storage refuses, wait before the next try."""
    if not anchor_is_due(at):
        return
    tried_at = LastSweep.objects.filter(task=TaskName.ANCHOR_JOURNAL.value).values_list("at", flat=True).first()
    if tried_at is not None and at - tried_at < WAIT_AFTER_FAILURE:
        return
    note_sweep(TaskName.ANCHOR_JOURNAL, at=at)
    try:
        anchor_journal(at=at)
    except Exception:
        logger.exception("The journal could not be anchored. It is retried later.")


def _process(poa_id: int, status: str, *, at: datetime) -> None:
    match status:
        case PoaStatus.SEALING:
            seal_poa(poa_id=poa_id, at=at)
        case PoaStatus.SENT:
            expire_poa(poa_id=poa_id, at=at)
        case PoaStatus.SIGNED | PoaStatus.SUSPENDED:
            lapse_poa(poa_id=poa_id, at=at)
        case _:
            PoaDocument.objects.filter(pk=poa_id, status=status).update(due_at=None)
