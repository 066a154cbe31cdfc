"""Keeping to the calls per second that Light allows: evenly, the most urgent case first, and slower after a 429."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from core import clock
from core.dates import chicago_day
from core.queue import TaskName
from enrollments.actions.writes import back_off
from enrollments.engine.leases import most_urgent
from enrollments.engine.shared_pace import SharedPace
from enrollments.light.client import LightClient
from enrollments.light.errors import NotReached, PaceExceeded
from enrollments.models import Enrollment, LightPace
from enrollments.states import EnrollmentStatus
from enrollments.tasks import advance_enrollment_task, sweep_enrollments_task
from tests.contract.scripted_light import answer, scripted_light
from tests.factories import installations as made

pytestmark = pytest.mark.django_db

A_SECOND = timedelta(seconds=1)


@dataclass
class Pacer:
    """A pace on its own clock, on which waiting takes no time; `sent` is when each call was sent."""

    at: datetime = datetime(2026, 3, 5, 16, 0, tzinfo=UTC)
    sent: list[datetime] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def pace(self, calls_per_second: float = 5.0) -> SharedPace:
        return SharedPace(calls_per_second, clock=self, pause=self.wait)

    def call(self, pace: SharedPace, *, look_seconds: float = 0.0) -> None:
        pace.take_turn(seconds_before=look_seconds)
        self.wait(look_seconds)
        self.sent.append(self.at)


@given(
    idle=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 0.5)), min_size=5, max_size=40),
    rate=st.sampled_from([0.5, 5.0, 50.0]),
)
@how(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_second_exceeds_the_allowed_calls(idle: list[tuple[float, float]], rate: float) -> None:
    LightPace.objects.all().delete()
    pacer = Pacer()
    for seconds, look_seconds in idle:
        pacer.wait(seconds)
        pacer.call(pacer.pace(rate), look_seconds=look_seconds)

    apart = [later - earlier for earlier, later in pairwise(pacer.sent)]

    assert min(apart) >= timedelta(seconds=1 / rate)


def test_calls_run_near_the_full_rate_without_a_pause() -> None:
    pacer = Pacer()

    for _ in range(101):
        pacer.call(pacer.pace())

    assert timedelta(seconds=20) < pacer.sent[-1] - pacer.sent[0] < timedelta(seconds=22)


def test_after_429_calls_stop_as_asked_then_slow_down() -> None:
    pacer = Pacer()
    pacer.call(pacer.pace())

    pacer.pace().slow_down(3)
    for _ in range(60):
        pacer.call(pacer.pace())

    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(pacer.sent)]
    assert pauses[0] >= 3
    assert pauses[1] > 1.1 / 5
    assert pauses[1:] == sorted(pauses[1:], reverse=True)
    assert pauses[-1] < 1.07 / 5


def test_second_429_soon_slows_much_more_than_a_late_one() -> None:
    pacer = Pacer()
    for calls_between in (3, 60):
        LightPace.objects.all().delete()
        pacer.sent.clear()
        pacer.call(pacer.pace())
        pacer.pace().slow_down(1)
        for _ in range(calls_between):
            pacer.call(pacer.pace())
        pacer.pace().slow_down(1)
        for _ in range(3):
            pacer.call(pacer.pace())

        after = (pacer.sent[-1] - pacer.sent[-2]).total_seconds()
        assert (after > 1.4 / 5) is (calls_between == 3)


def test_untimed_429_stops_everything_for_a_second() -> None:
    pacer = Pacer()
    pacer.call(pacer.pace())

    pacer.pace().slow_down(None)
    pacer.call(pacer.pace())

    assert pacer.sent[1] - pacer.sent[0] >= A_SECOND


def test_distant_turn_is_refused_and_takes_no_place() -> None:
    pacer = Pacer()
    pacer.pace().slow_down(60)

    for _ in range(3):
        with pytest.raises(PaceExceeded) as refused:
            pacer.call(pacer.pace())

    assert refused.value.retry_after_seconds == pytest.approx(60)
    assert LightPace.objects.get().free_at == pacer.at + timedelta(seconds=60)


def test_lowered_limit_applies_from_the_next_call() -> None:
    pacer = Pacer()
    for rate in (50, 5, 5):
        pacer.call(pacer.pace(rate))

    pacer.call(pacer.pace(5))

    assert pacer.sent[-1] - pacer.sent[-2] >= A_SECOND / 5


def test_no_case_begins_while_others_wait_for_calls() -> None:
    pacer = Pacer()
    assert pacer.pace().has_room()

    pacer.pace().slow_down(2)

    assert not pacer.pace().has_room()
    pacer.wait(2)
    assert pacer.pace().has_room()


@pytest.mark.parametrize(("rate", "has_room"), [(50.0, True), (5.0, True), (1.0, False), (0.5, False)])
def test_line_stays_short_enough_for_people_on_pages(rate: float, *, has_room: bool) -> None:
    pacer = Pacer()
    pace = SharedPace(rate, clock=pacer, pause=lambda _seconds: None)

    for _ in range(2):
        pace.take_turn()

    assert pace.has_room() is has_room


# The client


class Noted:
    """A pace that records when it was asked."""

    max_wait_seconds = 0.0

    def __init__(self, *, refuses: bool = False) -> None:
        self.events: list[object] = []
        self.seconds_before: list[float] = []
        self._refuses = refuses

    def take_turn(self, *, seconds_before: float = 0.0) -> None:
        self.events.append("turn")
        self.seconds_before.append(seconds_before)
        if self._refuses:
            raise PaceExceeded("Not now.", retry_after_seconds=40)

    def slow_down(self, seconds: float | None) -> None:
        self.events.append(("ease off", seconds))


def client_of(base_url: str, pace: Noted) -> LightClient:
    return LightClient(base_url=base_url, app_token="app", pace=pace, pause=lambda _seconds: None)


def test_pauses_are_checked_after_waiting_right_before_sending() -> None:
    pace = Noted()
    with scripted_light() as light, client_of(light.base_url, pace) as client:
        light.will(answer(200, {"token": "t" * 20}), answer(200, {}))

        client.finalize(str(uuid4()), before_send=lambda: pace.events.append(f"look after {len(light.calls)} calls"))

    assert pace.events == ["turn", "turn", "look after 1 calls"]


def test_wait_is_shortened_by_the_check_to_keep_pace() -> None:
    pace = Noted()
    with scripted_light() as light, client_of(light.base_url, pace) as client:
        light.will(answer(200, {"token": "t" * 20}), *[answer(200, {})] * 30)
        account = str(uuid4())

        for _ in range(30):
            client.finalize(account, before_send=lambda: time.sleep(0.02))

    token, first, *_, last = pace.seconds_before
    assert (token, first) == (0, 0)
    assert 0.015 < last < 0.5


@pytest.mark.parametrize(("headers", "asked"), [({"Retry_After": "7"}, 7), ({}, None)])
def test_every_429_slows_all_processes(headers: dict[str, str], asked: float | None) -> None:
    pace = Noted()
    with scripted_light() as light, client_of(light.base_url, pace) as client:
        light.will(answer(429, {}, **headers))

        with pytest.raises(NotReached):
            client.read_account(str(uuid4()))

    assert pace.events == ["turn", ("ease off", asked)]


def test_refused_call_is_not_retried_within_seconds() -> None:
    pace = Noted(refuses=True)
    with scripted_light() as light, client_of(light.base_url, pace) as client:
        with pytest.raises(PaceExceeded):
            client.read_account(str(uuid4()))

        assert light.calls == []
    assert pace.events == ["turn"]


def test_waiting_for_our_pace_is_no_case_failure() -> None:
    case, at = opened(), clock.now()

    for _ in range(5):
        back_off(case, PaceExceeded("Not now.", retry_after_seconds=10), at=at)

    assert case.calls_failed == 0
    assert case.calls_not_before is not None
    assert timedelta(seconds=10) <= case.calls_not_before - at <= timedelta(seconds=12.5)


# Which case goes first


def opened(**fields: Any) -> Enrollment:
    job = made.installation()
    at = clock.now()
    case = Enrollment(customer=job.customer, site=job.site, opened_at=at, due_at=at - timedelta(minutes=1))
    for name, value in {"light_account_uuid": uuid4(), **fields}.items():
        setattr(case, name, value)
    case.save()
    return case


def cases_by_urgency() -> list[Enrollment]:
    """The most urgent first; those who came first are the least urgent."""
    tomorrow = chicago_day(clock.now()) + timedelta(days=1)
    ways: list[dict[str, Any]] = [
        {"status": EnrollmentStatus.ACTIVE},
        {"due_at": clock.now() - timedelta(seconds=5)},
        {"due_at": clock.now() - timedelta(hours=1), "act_by_date": tomorrow + timedelta(days=9)},
        {"light_account_uuid": None},
        {"act_by_date": tomorrow},
        {"status": EnrollmentStatus.IN_DOUBT},
    ]
    return [opened(**way) for way in ways][::-1]


def test_most_urgent_case_goes_first() -> None:
    cases = cases_by_urgency()
    opened(due_at=clock.now() + timedelta(hours=1))
    opened(due_at=clock.now() - timedelta(hours=1), lease_until=clock.now() + timedelta(minutes=1))

    assert most_urgent(at=clock.now(), limit=10) == [case.pk for case in cases]


@pytest.fixture
def few_calls(settings: Settings) -> None:
    settings.LIGHT_CALLS_PER_SECOND = 5.0


@pytest.mark.usefixtures("few_calls")
def test_message_advances_the_most_urgent_case_and_wakes_the_next() -> None:
    most, next_one, *_rest, least = cases_by_urgency()

    def advance(enrollment_id: int) -> str:
        Enrollment.objects.filter(pk=enrollment_id).update(due_at=None)
        return "WAITS"

    with patch("enrollments.tasks.enqueue_on_commit") as enqueue, patch("enrollments.tasks.engine") as engine:
        engine.return_value.advance.side_effect = advance
        word = advance_enrollment_task(enrollment_id=least.pk)

    assert word == f"enrollment {most.pk}: WAITS"
    enqueue.assert_called_once_with(TaskName.ADVANCE_ENROLLMENT, enrollment_id=next_one.pk)


@pytest.mark.usefixtures("few_calls")
def test_case_claimed_by_another_worker_is_skipped() -> None:
    most, next_one, *_rest = cases_by_urgency()

    with patch("enrollments.tasks.enqueue_on_commit"), patch("enrollments.tasks.engine") as engine:
        engine.return_value.advance.side_effect = lambda pk: "not due" if pk == most.pk else "WAITS"
        word = advance_enrollment_task(enrollment_id=most.pk)

    assert word == f"enrollment {next_one.pk}: WAITS"


@pytest.mark.usefixtures("few_calls")
def test_long_line_makes_a_message_leave_work_due() -> None:
    case = opened()
    SharedPace(5.0).slow_down(30)

    advance_enrollment_task(enrollment_id=case.pk)

    case.refresh_from_db()
    assert (case.due_at is not None, case.leased_by) == (True, "")


@pytest.mark.usefixtures("few_calls")
def test_sweep_wakes_no_more_cases_than_light_can_serve() -> None:
    cases = cases_by_urgency()

    with patch("enrollments.tasks.enqueue_on_commit") as enqueue:
        sweep_enrollments_task()

    woken = [call.kwargs["enrollment_id"] for call in enqueue.call_args_list]
    assert set(woken) == {case.pk for case in cases[:5]}
