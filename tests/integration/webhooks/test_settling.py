"""What happens to stored webhooks: matched, kept as orphans, failed and retried; never believed."""

import itertools
from datetime import datetime, timedelta
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest

from core import clock
from core.actors import Actor
from core.queue import TaskName
from enrollments.actions import closing, webhook_processing
from enrollments.engine.gathering import gather, governing_poa
from enrollments.light.client import READING
from enrollments.models import Enrollment, EnrollmentEvent, LightWrite, RemoteCall, WebhookDelivery
from enrollments.states import UNSETTLED_WRITE_STATUSES, EnrollmentStatus, WriteKind, WriteStatus
from enrollments.tasks import settle_delivery_task, sweep_enrollments_task
from tests.integration.webhooks.deliveries import deliver, event, only_delivery, settle_due

pytestmark = pytest.mark.django_db

OFFICE = Actor.staff(UUID(int=1))


def test_webhook_alone_moves_nothing(enrollment: Enrollment, account_uuid: UUID) -> None:
    before = Enrollment.objects.values().get(pk=enrollment.pk)

    for name in ("location.service_active", "enrollment.finalized", "location.service_canceled"):
        deliver(event(name, account_uuid))
    settle_due()

    after = Enrollment.objects.values().get(pk=enrollment.pk)
    changed = {name for (name, new), old in zip(after.items(), before.values(), strict=True) if new != old}
    assert changed == {"due_at", "readings_asked", "changes_noted", "updated_at"}
    assert not EnrollmentEvent.objects.filter(enrollment=enrollment).exclude(name="open").exists()


def test_settling_twice_requests_one_reading(enrollment: Enrollment, account_uuid: UUID) -> None:
    deliver(event("enrollment.finalized", account_uuid))
    delivery = only_delivery()

    words = [settle_delivery_task(delivery_id=delivery.pk) for _ in range(2)]

    assert words == ["matched", "nothing to do"]
    enrollment.refresh_from_db()
    assert enrollment.readings_asked == 1


def test_sweep_finds_what_is_due(account_uuid: UUID) -> None:
    deliver(event("enrollment.finalized", account_uuid))

    with patch("enrollments.tasks.enqueue_on_commit") as enqueue:
        word = sweep_enrollments_task()

    assert "1 webhooks to settle" in word
    enqueue.assert_any_call(TaskName.SETTLE_DELIVERY, delivery_id=only_delivery().pk)


@pytest.mark.cell("W6")
def test_W6_unknown_account_is_kept_and_matched_later(enrollment: Enrollment) -> None:
    outran_us = uuid4()
    deliver(event("enrollment.identity_updated", outran_us))
    assert settle_due() == ["orphan"]
    orphan = only_delivery()
    assert (orphan.settled_at, orphan.last_error, orphan.enrollment) == (None, "", None)
    assert orphan.due_at is not None
    assert "No enrollment has this Light account" in orphan.outcome

    enrollment.light_account_uuid = outran_us
    enrollment.save()

    assert settle_due(orphan.due_at - timedelta(seconds=1)) == []
    assert settle_due(orphan.due_at) == ["matched"]
    assert only_delivery().enrollment == enrollment


def test_orphan_is_retried_less_often_and_not_forever() -> None:
    deliver(event("enrollment.identity_updated", uuid4()))
    first = only_delivery().received_at
    tries = []

    while (due_at := only_delivery().due_at) is not None:
        tries.append(due_at)
        settle_due(due_at)

    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert pauses[0] < timedelta(seconds=20)
    assert max(pauses) <= timedelta(days=1.25)
    assert tries[-1] > first + timedelta(days=29)
    assert len(tries) < 60


@pytest.mark.cell("W7", "L16")
def test_W7_unknown_event_is_kept_and_reads_the_account(enrollment: Enrollment, account_uuid: UUID) -> None:
    response = deliver(event("enrollment.something_new", account_uuid))

    assert response.status_code == 200
    assert settle_due() == ["matched"]
    delivery = only_delivery()
    assert delivery.event_name == "enrollment.something_new"
    assert "Unknown event" in delivery.outcome
    enrollment.refresh_from_db()
    assert enrollment.readings_asked == 1


def test_event_without_an_account_is_shown_as_failed() -> None:
    deliver(event("comparison_invoice.processed"))

    assert settle_due() == ["failed"]
    assert "has no account ID" in only_delivery().last_error


@pytest.mark.cell("W11")
def test_W11_failing_handler_backs_off_and_finally_succeeds(enrollment: Enrollment, account_uuid: UUID) -> None:
    deliver(event("enrollment.finalized", account_uuid))
    received_at = only_delivery().received_at

    with patch("enrollments.actions.webhook_processing.request_reading", side_effect=RuntimeError("a fault of ours")):
        assert settle_due() == ["failed"]
        failed = only_delivery()
        assert failed.due_at is not None
        assert settle_due(failed.due_at) == ["failed"]
    again = only_delivery()

    assert failed.last_error == "RuntimeError: a fault of ours"
    assert failed.due_at >= received_at + timedelta(seconds=10)
    assert again.due_at is not None
    assert again.due_at - failed.due_at >= timedelta(seconds=20)
    assert settle_due(again.due_at) == ["matched"]
    assert (only_delivery().last_error, only_delivery().enrollment) == ("", enrollment)


def test_failing_webhook_does_not_stop_others(enrollment: Enrollment, account_uuid: UUID) -> None:
    deliver(event("first", account_uuid))
    deliver(event("second", account_uuid))

    with patch("enrollments.actions.webhook_processing.request_reading", side_effect=[RuntimeError("once"), None]):
        assert settle_due() == ["failed", "matched"]


@pytest.mark.cell("W11")
def test_W11_after_many_failures_a_button_repeats_it(enrollment: Enrollment, account_uuid: UUID) -> None:
    deliver(event("enrollment.finalized", account_uuid))
    with patch("enrollments.actions.webhook_processing.request_reading", side_effect=RuntimeError("always")):
        while (due_at := only_delivery().due_at) is not None:
            settle_due(due_at)
    resting = only_delivery()
    assert resting.attempts == webhook_processing.BACKOFF.max_failures
    assert (resting.settled_at, resting.last_error) == (None, "RuntimeError: always")

    webhook_processing.settle_again(delivery_id=resting.pk, by=OFFICE, at=clock.now())

    assert settle_due() == ["matched"]
    assert only_delivery().enrollment == enrollment


def test_manual_settling_reads_again_and_names_the_person(enrollment: Enrollment, account_uuid: UUID) -> None:
    deliver(event("account.payment_failed", account_uuid))
    settle_due()

    webhook_processing.settle_again(delivery_id=only_delivery().pk, by=OFFICE, at=clock.now())
    settle_due()

    enrollment.refresh_from_db()
    assert enrollment.readings_asked == 2
    asked = EnrollmentEvent.objects.get(enrollment=enrollment, name="settle_delivery_again")
    assert (asked.actor, asked.reason) == (str(OFFICE), "account.payment_failed")


@pytest.mark.parametrize("key", ["event", "event_type", "type", "name"])
def test_reported_cancellation_is_known_in_every_spelling(key: str, enrollment: Enrollment, account_uuid: UUID) -> None:
    body = event("", account_uuid).replace(b'"event": ""', f'"{key}": "location.service_canceled"'.encode())

    deliver(body)
    settle_due()

    assert gather(enrollment, governing_poa(enrollment)).is_cancel_reported


def test_news_of_a_closed_case_is_kept_without_effect(enrollment: Enrollment, account_uuid: UUID) -> None:
    at = clock.now()
    closing.close_enrollment(enrollment_id=enrollment.pk, reason="Sold the house.", by=OFFICE, at=at)

    deliver(event("account.payment_failed", account_uuid))
    settle_due()

    delivery = WebhookDelivery.objects.get()
    assert "has ended" in delivery.outcome
    enrollment.refresh_from_db()
    assert (enrollment.status, enrollment.due_at) == (EnrollmentStatus.ENDED, None)


def read_call(enrollment: Enrollment, *, began_at: datetime, seconds: float) -> None:
    RemoteCall.objects.create(
        enrollment=enrollment,
        purpose=READING,
        method="GET",
        path="/v1/app/accounts/…",
        http_status=200,
        seconds=seconds,
        at=began_at + timedelta(seconds=seconds),
    )


@pytest.mark.parametrize(
    ("name", "began_after", "is_read_again"),
    [
        ("enrollment.plan_requested", 1, False),
        ("enrollment.plan_accepted", 1, False),
        ("enrollment.plan_accepted", -1, True),
        ("enrollment.identity_updated", 1, True),
        ("location.service_canceled", 1, True),
    ],
)
def test_echo_of_our_call_causes_no_second_reading(
    enrollment: Enrollment, account_uuid: UUID, name: str, began_after: int, *, is_read_again: bool
) -> None:
    deliver(event(name, account_uuid))
    received_at = only_delivery().received_at
    read_call(enrollment, began_at=received_at + timedelta(seconds=began_after), seconds=2)

    assert settle_due() == ["matched"]

    enrollment.refresh_from_db()
    assert enrollment.readings_asked == (1 if is_read_again else 0)
    assert only_delivery().settled_at is not None


def own_call(
    enrollment: Enrollment, kind: WriteKind, *, opened_before: timedelta, status: WriteStatus = WriteStatus.DONE
) -> None:
    opened_at = clock.now() - opened_before
    closed_at = None if status in UNSETTLED_WRITE_STATUSES else opened_at
    LightWrite.objects.create(
        enrollment=enrollment, kind=kind, status=status, opened_at=opened_at, closed_at=closed_at, request={}
    )


@pytest.mark.parametrize(
    ("name", "kind", "seconds", "status", "is_read"),
    [
        ("enrollment.plan_requested", WriteKind.REQUEST_PLANS, 2, WriteStatus.DONE, False),
        ("enrollment.plan_accepted", WriteKind.ACCEPT_PLAN, 2, WriteStatus.DONE, False),
        ("enrollment.plan_accepted", WriteKind.ACCEPT_PLAN, 2, WriteStatus.OPEN, False),
        ("enrollment.plan_accepted", WriteKind.ACCEPT_PLAN, 2, WriteStatus.IN_DOUBT, True),
        ("enrollment.plan_accepted", WriteKind.ACCEPT_PLAN, 2, WriteStatus.NOT_DONE, True),
        ("enrollment.plan_accepted", WriteKind.ACCEPT_PLAN, 4000, WriteStatus.DONE, True),
        ("enrollment.plan_accepted", WriteKind.ACCEPT_PLAN, -2, WriteStatus.DONE, True),
        ("enrollment.plan_accepted", WriteKind.REQUEST_PLANS, 2, WriteStatus.DONE, True),
        ("enrollment.finalized", WriteKind.FINALIZE, 2, WriteStatus.DONE, True),
    ],
)
def test_echo_of_our_call_wakes_nobody_without_news(
    enrollment: Enrollment,
    account_uuid: UUID,
    name: str,
    kind: WriteKind,
    seconds: int,
    status: WriteStatus,
    *,
    is_read: bool,
) -> None:
    own_call(enrollment, kind, opened_before=timedelta(seconds=seconds), status=status)

    deliver(event(name, account_uuid))
    assert settle_due() == ["matched"]

    enrollment.refresh_from_db()
    assert enrollment.readings_asked == (1 if is_read else 0)


def test_second_event_of_the_kind_is_news_and_read(enrollment: Enrollment, account_uuid: UUID) -> None:
    own_call(enrollment, WriteKind.ACCEPT_PLAN, opened_before=timedelta(seconds=2))
    deliver(event("enrollment.plan_accepted", account_uuid))
    settle_due()

    deliver(event("enrollment.plan_accepted", account_uuid))
    settle_due()

    enrollment.refresh_from_db()
    assert enrollment.readings_asked == 1


def test_manually_settled_echo_is_always_read(enrollment: Enrollment, account_uuid: UUID) -> None:
    deliver(event("enrollment.plan_accepted", account_uuid))
    read_call(enrollment, began_at=only_delivery().received_at + timedelta(seconds=1), seconds=1)
    settle_due()

    webhook_processing.settle_again(delivery_id=only_delivery().pk, by=OFFICE, at=clock.now())
    settle_due()

    enrollment.refresh_from_db()
    assert enrollment.readings_asked == 1
