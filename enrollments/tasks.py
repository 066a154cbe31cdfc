"""Celery entry points. Ids in, one action called, a word out for the log."""

from collections.abc import Iterable

from celery import shared_task

from core import case_log, clock
from core.actors import SYSTEM
from core.queue import TaskName, enqueue_on_commit, room_for_more
from core.sweeps import note_sweep
from enrollments.actions import comparing, fetching, opening, settling, telling
from enrollments.engine import NOT_DUE
from enrollments.leases import due_enrollments, most_urgent
from enrollments.pace import SharedPace
from enrollments.wiring import current_enrollment_id, document_fetcher, engine, shared_pace, tools

MOST_IN_A_SWEEP = 500
MOST_RIVALS = 20
"""Other workers may take the most urgent cases in the same moment; then the next one is tried."""
ACCOUNTS_COMPARED_IN_A_TASK = 20
"""Few, because a Light that is slow for each of them must not use up the time that a task may take."""


@shared_task(name=TaskName.CASE_CHANGED.value)
def case_changed_task(*, site_id: int, **_later: object) -> str:
    enrollment = opening.look_again(site_id=site_id, at=clock.now())
    return "nothing to enroll" if enrollment is None else f"enrollment {enrollment.pk} is due"


@shared_task(name=TaskName.ADVANCE_ENROLLMENT.value)
def advance_enrollment_task(*, enrollment_id: int, **_later: object) -> str:
    pace = shared_pace()
    return _advance(enrollment_id) if pace is None else _advance_most_urgent(pace)


def _advance_most_urgent(pace: SharedPace) -> str:
    """
    Where calls are few, a message only says that something is due: the most urgent case goes first.

    It wakes the next one when its turn ends, so that as many are under way as Light allows, and no more.
    """
    if not pace.has_room():
        return "no call to spare; whatever is due stays due"
    for enrollment_id in most_urgent(at=clock.now(), limit=MOST_RIVALS):
        word = _advance(enrollment_id)
        if word != NOT_DUE:
            _wake(most_urgent(at=clock.now(), limit=1))
            return f"enrollment {enrollment_id}: {word}"
    return NOT_DUE


def _wake(enrollment_ids: Iterable[int]) -> None:
    for enrollment_id in enrollment_ids:
        enqueue_on_commit(TaskName.ADVANCE_ENROLLMENT, enrollment_id=enrollment_id)


def _advance(enrollment_id: int) -> str:
    token = current_enrollment_id.set(enrollment_id)
    case_log.name_cases([enrollment_id])  # where calls are few, another case than the message named
    try:
        return engine().advance(enrollment_id)
    finally:
        current_enrollment_id.reset(token)


@shared_task(name=TaskName.SETTLE_DELIVERY.value)
def settle_delivery_task(*, delivery_id: int, **_later: object) -> str:
    return settling.settle_delivery(delivery_id=delivery_id, at=clock.now()).value


@shared_task(name=TaskName.FETCH_PLAN_DOCUMENT.value)
def fetch_plan_document_task(*, document_id: int, **_later: object) -> str:
    token = current_enrollment_id.set(fetching.case_of(document_id))
    try:
        return fetching.fetch_document(document_id=document_id, fetcher=document_fetcher(), at=clock.now()).value
    finally:
        current_enrollment_id.reset(token)


@shared_task(name=TaskName.SEND_CASE_MAIL.value, acks_late=True)
def send_case_mail_task(*, mail_id: int, **_later: object) -> str:
    return telling.send_news(mail_id=mail_id, at=clock.now()).value


@shared_task(name=TaskName.RECONCILE.value)
def reconcile_task(**_later: object) -> str:
    run = comparing.start_run(by=SYSTEM, at=clock.now())
    enqueue_on_commit(TaskName.CONTINUE_RECONCILIATION, run_id=run.pk)
    return f"run {run.pk} began"


@shared_task(name=TaskName.CONTINUE_RECONCILIATION.value)
def continue_reconciliation_task(*, run_id: int, **_later: object) -> str:
    try:
        is_finished = comparing.continue_run(run_id, tools(), limit=ACCOUNTS_COMPARED_IN_A_TASK)
    except comparing.RunFinished as news:
        return str(news)
    if not is_finished:
        enqueue_on_commit(TaskName.CONTINUE_RECONCILIATION, run_id=run_id)
    return f"run {run_id} {'is finished' if is_finished else 'goes on'}"


@shared_task(name=TaskName.SWEEP_ENROLLMENTS.value)
def sweep_enrollments_task(**_later: object) -> str:
    """Find the work whose message was lost, late or never sent."""
    changed = opening.look_at_changed_cases(at=clock.now(), limit=MOST_IN_A_SWEEP)
    most = room_for_more(MOST_IN_A_SWEEP)
    deliveries = settling.due_deliveries(at=clock.now(), limit=most)
    for delivery_id in deliveries:
        enqueue_on_commit(TaskName.SETTLE_DELIVERY, delivery_id=delivery_id)
    documents = fetching.due_documents(at=clock.now(), limit=most)
    for document_id in documents:
        enqueue_on_commit(TaskName.FETCH_PLAN_DOCUMENT, document_id=document_id)
    mails = telling.due_news(at=clock.now(), limit=most)
    for mail_id in mails:
        enqueue_on_commit(TaskName.SEND_CASE_MAIL, mail_id=mail_id)
    pace = shared_pace()
    if pace is None:
        due = due_enrollments(at=clock.now(), limit=most)
    else:
        due = most_urgent(at=clock.now(), limit=min(most, pace.messages_at_once))
    _wake(due)
    note_sweep(TaskName.SWEEP_ENROLLMENTS, at=clock.now())
    return (
        f"{changed} cases changed, {len(deliveries)} webhooks to settle, {len(documents)} plan documents to fetch, "
        f"{len(mails)} mails to send, {len(due)} enrollments due"
    )
