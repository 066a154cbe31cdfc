"""What sweeps and wakeups queue: one message for each due row, the most urgent case first."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import TestCase

from core import clock
from core.dates import chicago_day
from core.queue import OWN_QUEUES, TaskName, messages_waiting
from enrollments import tasks
from enrollments.actions import wakeups
from enrollments.actions.account_reading import request_reading
from enrollments.actions.webhooks import store_delivery
from enrollments.models import Enrollment, WebhookDelivery
from enrollments.states import EnrollmentStatus
from tests.factories import installations as made

pytestmark = pytest.mark.django_db

A_MINUTE = timedelta(minutes=1)


def due_case(**fields: Any) -> Enrollment:
    job, at = made.installation(), clock.now()
    values = {"light_account_uuid": uuid4(), "due_at": at - A_MINUTE, **fields}
    case: Enrollment = Enrollment.objects.create(customer=job.customer, site=job.site, opened_at=at, **values)
    return case


def received_webhook() -> None:
    store_delivery(body=f'{{"uuid": "{uuid4()}"}}'.encode(), headers={}, at=clock.now() - A_MINUTE)


def committed(work: Callable[..., object], **arguments: Any) -> None:
    """Do `work` and deliver the messages that its commit sends."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        work(**arguments)


def waiting() -> dict[TaskName, int | None]:
    return {task: messages_waiting(task) for task in OWN_QUEUES}


@pytest.mark.cell("R10")
def test_R10_sweeps_queue_no_second_message_for_a_row() -> None:
    for _ in range(7):
        due_case()
    for _ in range(5):
        received_webhook()

    for _ in range(50):
        committed(tasks.sweep_enrollments_task)

    assert waiting()[TaskName.ADVANCE_ENROLLMENT] == 7
    assert waiting()[TaskName.SETTLE_DELIVERY] == 5


def test_sweep_queues_what_became_due_since_the_last() -> None:
    due_case()
    committed(tasks.sweep_enrollments_task)
    for _ in range(2):
        due_case()

    committed(tasks.sweep_enrollments_task)

    assert waiting()[TaskName.ADVANCE_ENROLLMENT] == 3


@pytest.mark.parametrize("nudge", [wakeups.make_due, request_reading])
def test_due_case_gets_no_second_message(nudge: Callable[..., None]) -> None:
    case = due_case(due_at=None)

    for _ in range(5):
        committed(nudge, enrollment_id=case.pk, at=clock.now())

    assert waiting()[TaskName.ADVANCE_ENROLLMENT] == 1


def test_wakeup_keeps_the_place_of_a_waiting_case() -> None:
    case = due_case()

    wakeups.make_due(enrollment_id=case.pk, at=clock.now())

    assert Enrollment.objects.get(pk=case.pk).due_at == case.due_at


def test_wakeup_brings_forward_later_work() -> None:
    case, now = due_case(due_at=clock.now() + A_MINUTE), clock.now()

    committed(wakeups.make_due, enrollment_id=case.pk, at=now)

    assert Enrollment.objects.get(pk=case.pk).due_at == now
    assert waiting()[TaskName.ADVANCE_ENROLLMENT] == 1


def test_leftover_message_serves_a_row_without_its_own() -> None:
    received_webhook()
    lost, done = WebhookDelivery.objects.get(), 0

    tasks.settle_delivery_task(delivery_id=done)

    lost.refresh_from_db()
    assert lost.attempts == 1


def test_most_urgent_case_goes_first_without_a_call_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = due_case(due_at=clock.now() - timedelta(hours=9))
    last_day = due_case(act_by_date=chicago_day(clock.now()))
    in_doubt = due_case(status=EnrollmentStatus.IN_DOUBT)
    advanced = list[int]()

    def advance(enrollment_id: int) -> str:
        Enrollment.objects.filter(pk=enrollment_id).update(due_at=None)
        advanced.append(enrollment_id)
        return "WAITS"

    monkeypatch.setattr(tasks, "advance", advance)

    for _ in range(3):
        tasks.advance_enrollment_task(enrollment_id=ordinary.pk)

    assert advanced == [in_doubt.pk, last_day.pk, ordinary.pk]
