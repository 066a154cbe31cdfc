"""Celery tasks. Each takes IDs, calls one action and returns a short text for the log."""

import logging
from collections.abc import Callable, Sequence
from enum import StrEnum

from celery import shared_task

from core import clock, clock_drift, log_context
from core.actors import SYSTEM
from core.queue import TaskName, enqueue_on_commit, messages_waiting
from core.sweep_times import note_sweep
from enrollments.actions import case_opening, mails, plan_documents, reconciliation, webhook_processing
from enrollments.actions.plan_documents import FetchOutcome
from enrollments.actions.webhook_processing import SettleOutcome
from enrollments.engine.engine import NOT_DUE
from enrollments.engine.leases import most_urgent
from enrollments.engine.wiring import current_enrollment_id, document_fetcher, engine, light_client, shared_pace, tools
from enrollments.light.errors import LightError
from poa_documents.actions import MailOutcome

logger = logging.getLogger(__name__)

MAX_PER_SWEEP = 500
ID_OF = {
    TaskName.ADVANCE_ENROLLMENT: "enrollment_id",
    TaskName.SETTLE_DELIVERY: "delivery_id",
    TaskName.SEND_CASE_MAIL: "mail_id",
    TaskName.FETCH_PLAN_DOCUMENT: "document_id",
}
MAX_WITHOUT_QUEUE = 20
MAX_CANDIDATES = 20
"""If other workers take the most urgent cases at the same moment, the next one is tried."""
ACCOUNTS_PER_TASK = 20
"""Few, so that slow answers from Light do not exceed the time limit of a task."""


@shared_task(name=TaskName.CASE_CHANGED.value)
def case_changed_task(*, site_id: int, **_later: object) -> str:
    enrollment = case_opening.reconsider_site(site_id=site_id, at=clock.now())
    return "nothing to enroll" if enrollment is None else f"enrollment {enrollment.pk} is due"


@shared_task(name=TaskName.ADVANCE_ENROLLMENT.value)
def advance_enrollment_task(*, enrollment_id: int, **_later: object) -> str:
    """
    Advance the most urgent case that is due. A message only says that a case is due and names it for the log.

    If calls to Light are limited, each case queues the next one when it is done, so that as many run at once as Light
    allows, and no more.
    """
    pace = shared_pace()
    if pace is not None and not pace.has_room():
        return "call limit reached; due cases stay due"
    outcome = advance_most_urgent()
    if outcome and pace is not None:
        _queue(TaskName.ADVANCE_ENROLLMENT, most_urgent(at=clock.now(), limit=1))
    return outcome or f"enrollment {enrollment_id}: {NOT_DUE}"


def advance_most_urgent() -> str:
    """Advance the most urgent case and return the outcome; empty if none is due or the call limit is reached."""
    _compare_clocks()
    pace = shared_pace()
    if clock_drift.report() or (pace is not None and not pace.has_room()):
        return ""
    for enrollment_id in most_urgent(at=clock.now(), limit=MAX_CANDIDATES):
        outcome = advance(enrollment_id)
        if outcome != NOT_DUE:
            return f"enrollment {enrollment_id}: {outcome}"
    return ""


def _compare_clocks() -> None:
    """Compare this process's clock with the database's, and with Light's if a difference was seen before."""
    clock_drift.compare_with_database()
    if clock_drift.needs_new_light_date():
        try:
            light_client().ping()
        except LightError as problem:
            logger.warning("Light's clock could not be checked again: %s", problem)


def advance(enrollment_id: int) -> str:
    """Advance one enrollment as far as possible now, and record its calls to Light under it."""
    token = current_enrollment_id.set(enrollment_id)
    log_context.set_logged_cases([enrollment_id])  # with limited calls, this may not be the case that the message named
    try:
        return engine().advance(enrollment_id)
    finally:
        current_enrollment_id.reset(token)


@shared_task(name=TaskName.SETTLE_DELIVERY.value)
def settle_delivery_task(*, delivery_id: int, **_later: object) -> str:
    return _this_or_oldest(delivery_id, _settle, webhook_processing.due_deliveries, nothing=SettleOutcome.NOTHING_TO_DO)


def _settle(delivery_id: int) -> SettleOutcome:
    return webhook_processing.settle_delivery(delivery_id=delivery_id, at=clock.now())


@shared_task(name=TaskName.FETCH_PLAN_DOCUMENT.value)
def fetch_plan_document_task(*, document_id: int, **_later: object) -> str:
    return _this_or_oldest(document_id, _fetch, plan_documents.due_documents, nothing=FetchOutcome.NOTHING_TO_FETCH)


def _fetch(document_id: int) -> FetchOutcome:
    token = current_enrollment_id.set(plan_documents.case_of(document_id))
    try:
        return plan_documents.fetch_document(document_id=document_id, fetcher=document_fetcher(), at=clock.now())
    finally:
        current_enrollment_id.reset(token)


@shared_task(name=TaskName.SEND_CASE_MAIL.value, acks_late=True)
def send_case_mail_task(*, mail_id: int, **_later: object) -> str:
    return _this_or_oldest(mail_id, _send_mail, mails.due_case_mails, nothing=MailOutcome.NOT_DUE)


def _send_mail(mail_id: int) -> MailOutcome:
    return mails.send_case_mail(mail_id=mail_id, at=clock.now())


def _this_or_oldest(
    named_id: int, work: Callable[[int], StrEnum], due: Callable[..., list[int]], *, nothing: StrEnum
) -> str:
    """
    Work on the row that the message names, or on the oldest due row if that one needs nothing.

    Sweeps count messages, not rows, so a leftover message serves a row whose own message was lost.
    """
    outcome = work(named_id)
    if outcome != nothing:
        return outcome.value
    oldest = due(at=clock.now(), limit=1)
    return f"{oldest[0]} instead: {work(oldest[0])}" if oldest else outcome.value


def process_due_rows() -> str:
    """Process some due webhooks, mails and plan documents without queue messages."""
    deliveries, sent, documents = (
        [work(pk) for pk in due(at=clock.now(), limit=MAX_WITHOUT_QUEUE)]
        for work, due in (
            (_settle, webhook_processing.due_deliveries),
            (_send_mail, mails.due_case_mails),
            (_fetch, plan_documents.due_documents),
        )
    )
    return f"{len(deliveries)} webhooks, {len(sent)} mails, {len(documents)} plan documents"


@shared_task(name=TaskName.RECONCILE.value)
def reconcile_task(**_later: object) -> str:
    run = reconciliation.start_run(by=SYSTEM, at=clock.now())
    enqueue_on_commit(TaskName.CONTINUE_RECONCILIATION, run_id=run.pk)
    return f"run {run.pk} began"


@shared_task(name=TaskName.CONTINUE_RECONCILIATION.value)
def continue_reconciliation_task(*, run_id: int, **_later: object) -> str:
    try:
        is_finished = reconciliation.continue_run(run_id, tools(), limit=ACCOUNTS_PER_TASK)
    except reconciliation.RunFinished as news:
        return str(news)
    if not is_finished:
        enqueue_on_commit(TaskName.CONTINUE_RECONCILIATION, run_id=run_id)
    return f"run {run_id} {'is finished' if is_finished else 'continues'}"


@shared_task(name=TaskName.SWEEP_ENROLLMENTS.value)
def sweep_enrollments_task(**_later: object) -> str:
    """Queue due work whose message was lost, late or never sent."""
    clock_drift.compare_with_database()
    clock_drift.report()
    changed = case_opening.reconsider_changed_sites(at=clock.now(), limit=MAX_PER_SWEEP)
    deliveries = webhook_processing.due_deliveries(at=clock.now(), limit=MAX_PER_SWEEP)
    documents = plan_documents.due_documents(at=clock.now(), limit=MAX_PER_SWEEP)
    owed_mails = mails.due_case_mails(at=clock.now(), limit=MAX_PER_SWEEP)
    pace = shared_pace()
    limit = MAX_PER_SWEEP if pace is None else pace.messages_at_once
    due = most_urgent(at=clock.now(), limit=limit)
    _queue_missing(TaskName.ADVANCE_ENROLLMENT, due)
    _queue_missing(TaskName.SETTLE_DELIVERY, deliveries)
    _queue_missing(TaskName.SEND_CASE_MAIL, owed_mails)
    _queue_missing(TaskName.FETCH_PLAN_DOCUMENT, documents)
    note_sweep(TaskName.SWEEP_ENROLLMENTS, at=clock.now())
    return (
        f"{changed} cases changed, {len(deliveries)} webhooks to settle, {len(documents)} plan documents to fetch, "
        f"{len(owed_mails)} mails to send, {len(due)} enrollments due"
    )


def _queue_missing(task: TaskName, due: Sequence[int]) -> None:
    """
    Queue a message for each due row that has none.

    Rows are queued in the order in which they become due, so the messages already waiting belong to the first rows.
    """
    if not due:
        return
    waiting = messages_waiting(task)
    if waiting is not None:
        _queue(task, due[waiting:])


def _queue(task: TaskName, ids: Sequence[int]) -> None:
    for pk in ids:
        enqueue_on_commit(task, **{ID_OF[task]: pk})
