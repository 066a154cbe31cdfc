"""
Processing stored webhooks: each is matched to its enrollment, whose account is then read.

The content of a webhook is never trusted, so its order, repeats and age do not matter.
"""

import logging
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from uuid import UUID

from core.actors import Actor
from core.due_rows import Backoff, due_ids, spread
from core.queue import TaskName, enqueue_on_commit
from core.transactions import repeatable
from enrollments.actions.account_reading import request_reading
from enrollments.actions.moves import note
from enrollments.engine.locked_case import lock_case
from enrollments.light.client import READING
from enrollments.light.webhook_events import KnownEvent, MalformedEvent, ReceivedEvent, parse_event
from enrollments.models import Enrollment, LightWrite, RemoteCall, WebhookDelivery
from enrollments.states import FINAL_STATUSES, WriteKind, WriteStatus

logger = logging.getLogger(__name__)

BACKOFF = Backoff(first=timedelta(seconds=10), longest=timedelta(days=1), max_failures=12)
MAX_ORPHAN_AGE = timedelta(days=30)
ECHOES = {
    KnownEvent.PLAN_REQUESTED: WriteKind.REQUEST_PLANS,
    KnownEvent.PLAN_ACCEPTED: WriteKind.ACCEPT_PLAN,
    KnownEvent.FINALIZED: WriteKind.FINALIZE,
}
"""Events that Light sends after our own calls."""
READ_ANYWAY = frozenset({KnownEvent.PLAN_REQUESTED, KnownEvent.PLAN_ACCEPTED})
"""After these calls the case reads the account anyway before it continues."""
MAX_ECHO_DELAY = timedelta(hours=1)
FLOOD_WINDOW = timedelta(minutes=10)
MAX_READINGS_IN_WINDOW = 20
FLOOD_PAUSE = timedelta(minutes=1)


class SettleOutcome(StrEnum):
    MATCHED = "matched"
    ORPHAN = "orphan"
    FAILED = "failed"
    NOTHING_TO_DO = "nothing to do"


def settle_delivery(*, delivery_id: int, at: datetime) -> SettleOutcome:
    """
    Match a stored webhook to its enrollment and have the account read.

    A repeat changes nothing. A webhook for an unknown account is retried with growing pauses, and one that cannot be
    parsed stays listed as failed. Any other error is recorded on it and retried.
    """
    try:
        return _settle_due(delivery_id, at=at)
    except Exception as problem:
        logger.exception("Webhook delivery %s could not be settled.", delivery_id)
        _note_failure(delivery_id, problem, at=at)
        return SettleOutcome.FAILED


@repeatable
def settle_again(*, delivery_id: int, by: Actor, at: datetime) -> None:
    """Process a delivery again from its stored body, whatever its outcome was, because a person asked for it."""
    delivery = WebhookDelivery.objects.select_for_update().get(pk=delivery_id)
    delivery.settled_at = None
    delivery.attempts = 0
    delivery.due_at = at
    delivery.save(update_fields=["settled_at", "attempts", "due_at"])
    if delivery.enrollment is not None:
        note(lock_case(delivery.enrollment.pk), "settle_delivery_again", by=by, at=at, reason=str(delivery))
    logger.info("Webhook delivery %s will be processed again, requested by %s.", delivery_id, by)
    enqueue_on_commit(TaskName.SETTLE_DELIVERY, delivery_id=delivery_id)


def due_deliveries(*, at: datetime, limit: int) -> list[int]:
    """Return the deliveries to process now, longest waiting first."""
    return due_ids(WebhookDelivery.objects.all(), at=at, limit=limit)


def _lock_due(delivery_id: int, *, at: datetime) -> WebhookDelivery | None:
    return WebhookDelivery.objects.select_for_update().filter(pk=delivery_id, due_at__lte=at).first()


@repeatable
def _settle_due(delivery_id: int, *, at: datetime) -> SettleOutcome:
    delivery = _lock_due(delivery_id, at=at)
    return SettleOutcome.NOTHING_TO_DO if delivery is None else _settle(delivery, at=at)


def _settle(delivery: WebhookDelivery, *, at: datetime) -> SettleOutcome:
    delivery.attempts += 1
    delivery.last_error = ""
    try:
        event = parse_event(delivery.body.encode())
    except MalformedEvent as problem:
        return _fail_permanently(delivery, str(problem))
    delivery.event_name = (event.name or "")[:100]
    delivery.light_account_uuid = event.account_uuid or ""
    if event.account_uuid is None:
        return _fail_permanently(delivery, "The event has no account ID in the expected field.")
    enrollment = _enrollment_of(event)
    if enrollment is None:
        return _keep_as_orphan(delivery, at=at)
    why_no_reading = None if delivery.enrollment else _why_no_reading_needed(delivery, event, enrollment)
    if why_no_reading is None:
        _nudge(enrollment, at=at)
    delivery.enrollment = enrollment
    delivery.settled_at = at
    delivery.due_at = None
    delivery.outcome = why_no_reading or _describe_outcome(event, enrollment)
    delivery.save()
    return SettleOutcome.MATCHED


def _enrollment_of(event: ReceivedEvent) -> Enrollment | None:
    try:
        account_uuid = UUID(event.account_uuid or "")
    except ValueError:  # all stored identifiers are UUIDs, so it is not one of ours
        return None
    return Enrollment.objects.filter(light_account_uuid=account_uuid).first()


def _why_no_reading_needed(delivery: WebhookDelivery, event: ReceivedEvent, enrollment: Enrollment) -> str | None:
    """
    Return why the echo of our own call needs no reading, or None for everything else.

    Other events lead to a reading even after a recent one, which may lag behind the event.
    """
    if event.known not in ECHOES:
        return None
    if _was_read_since(delivery, enrollment):
        return "The account has been read since."
    if event.known in READ_ANYWAY and _is_first_echo(delivery, ECHOES[event.known], enrollment):
        return "This is the echo of our own call. The account is read in its turn."
    return None


def _was_read_since(delivery: WebhookDelivery, enrollment: Enrollment) -> bool:
    readings = RemoteCall.objects.filter(
        enrollment=enrollment, purpose=READING, http_status=HTTPStatus.OK, at__gt=delivery.received_at
    )
    return any(call.at - timedelta(seconds=call.seconds) > delivery.received_at for call in readings)


def _is_first_echo(delivery: WebhookDelivery, kind: WriteKind, enrollment: Enrollment) -> bool:
    """
    Whether our call did not fail and this is the first such event since. A second one comes from someone else's call.

    In either order, one of the two leads to a reading.
    """
    calls = LightWrite.objects.filter(
        enrollment=enrollment,
        kind=kind,
        status__in=[WriteStatus.OPEN, WriteStatus.DONE],
        opened_at__range=(delivery.received_at - MAX_ECHO_DELAY, delivery.received_at),
    )
    latest = calls.order_by("opened_at").last()
    if latest is None:
        return False
    lock_case(enrollment.pk)  # two at the same moment must not both be the first
    others = WebhookDelivery.objects.filter(
        enrollment=enrollment, event_name=delivery.event_name, received_at__gte=latest.opened_at
    )
    return not others.exclude(pk=delivery.pk).exists()


def _nudge(enrollment: Enrollment, *, at: datetime) -> None:
    if enrollment.status not in FINAL_STATUSES:
        request_reading(enrollment_id=enrollment.pk, at=at, due_at=at + _pause_in_flood(enrollment, at=at))


def _pause_in_flood(enrollment: Enrollment, *, at: datetime) -> timedelta:
    """Return how long a reading waits after many recent ones, so that it answers all webhooks of that time."""
    readings = RemoteCall.objects.filter(enrollment=enrollment, purpose=READING, at__gt=at - FLOOD_WINDOW)
    return FLOOD_PAUSE if readings.count() >= MAX_READINGS_IN_WINDOW else timedelta(0)


def _describe_outcome(event: ReceivedEvent, enrollment: Enrollment) -> str:
    known = "" if event.known else "Unknown event. "
    if enrollment.status in FINAL_STATUSES:
        return f"{known}The enrollment has ended. Kept for the record."
    return f"{known}The account is read."


def _keep_as_orphan(delivery: WebhookDelivery, *, at: datetime) -> SettleOutcome:
    is_too_old = at - delivery.received_at > MAX_ORPHAN_AGE
    delivery.due_at = None if is_too_old else at + spread(BACKOFF.pause_after(delivery.attempts))
    delivery.outcome = "No enrollment has this Light account" + (
        ". It is not retried any more." if is_too_old else " yet. It is retried."
    )
    delivery.save()
    return SettleOutcome.ORPHAN


def _fail_permanently(delivery: WebhookDelivery, problem: str) -> SettleOutcome:
    """Stop retrying: the result would be the same. A person can process it again after we change something."""
    delivery.due_at = None
    delivery.outcome = ""
    delivery.last_error = problem
    delivery.save()
    return SettleOutcome.FAILED


@repeatable
def _note_failure(delivery_id: int, problem: Exception, *, at: datetime) -> None:
    delivery = WebhookDelivery.objects.select_for_update().get(pk=delivery_id)
    delivery.attempts += 1
    delivery.last_error = f"{type(problem).__name__}: {problem}"[:2000]
    delivery.due_at = BACKOFF.next_time(delivery.attempts, at=at)
    delivery.save(update_fields=["attempts", "last_error", "due_at"])
