"""A process whose clock is wrong takes no case, writes nothing to Light, and says so."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from django.test import Client

from core import clock, clock_drift
from core.models import WrongClock
from enrollments import tasks
from enrollments.engine import wiring
from enrollments.light.client import LightClient
from enrollments.light.errors import LightError
from enrollments.light.pace_interface import UnlimitedPace
from enrollments.models import Enrollment, LightWrite, RemoteCall
from enrollments.monitoring.alarms import AlarmCode, alarms
from enrollments.monitoring.measures import measure
from enrollments.states import WriteStatus
from tests.contract.scripted_light import answer, scripted_light
from tests.integration.enrollments.flow import Flow

pytestmark = [pytest.mark.sqlite, pytest.mark.one_dialect]

A_DAY_AND_TWO_HOURS = timedelta(hours=26)


def see_light_differ(by: timedelta = A_DAY_AND_TWO_HOURS) -> None:
    now = clock.machine_now()
    clock_drift.note_light_date(now - by, sent_at=now, received_at=now)


@pytest.mark.cell("D8")
def test_D8_nothing_is_written_and_others_take_the_case(flow: Flow) -> None:
    case = flow.case()
    see_light_differ()

    flow.run(case)

    assert not LightWrite.objects.exists()
    left = Enrollment.objects.get(pk=case.pk)
    assert (left.due_at, left.leased_by) == (flow.clock.at, "")


class WrongWhileWaiting(UnlimitedPace):
    """The clock turns out to be wrong while a write waits for its turn to be sent."""

    def take_turn(self, *, seconds_before: float = 0.0) -> None:
        if LightWrite.objects.filter(status=WriteStatus.OPEN).exists():
            see_light_differ()


def test_recorded_write_is_not_sent_under_a_wrong_clock(flow: Flow) -> None:
    case = flow.case()
    flow.light._pace = WrongWhileWaiting()

    flow.run(case)

    write = LightWrite.objects.get()
    assert write.status == WriteStatus.NOT_DONE
    assert "is 26 h 0 min ahead of that of Light" in write.outcome
    assert flow.simulator.control.state()["accounts"] == []


def test_work_continues_once_the_clock_is_right(flow: Flow) -> None:
    case = flow.case()
    see_light_differ()
    flow.run(case)

    see_light_differ(by=timedelta())
    flow.run(case)

    assert Enrollment.objects.get(pk=case.pk).light_account_uuid is not None


@pytest.mark.django_db
def test_task_with_a_wrong_clock_takes_no_case(monkeypatch: pytest.MonkeyPatch) -> None:
    see_light_differ()
    monkeypatch.setattr(tasks, "most_urgent", lambda **_options: pytest.fail("it looked for a case"))

    assert tasks.advance_most_urgent() == ""


@pytest.mark.django_db
def test_operators_see_which_machine_has_the_wrong_clock(client: Client) -> None:
    see_light_differ()

    told = client.get("/readyz").json()

    assert AlarmCode.CLOCK_WRONG in told["alarms"]
    now = clock.now()
    [alarm] = [alarm for alarm in alarms(measure(now=now), now=now) if alarm.code == AlarmCode.CLOCK_WRONG]
    assert WrongClock.objects.get().machine in alarm.text
    assert told["ready"] is True


@pytest.mark.django_db
def test_alarm_ends_when_not_seen_for_a_while(client: Client) -> None:
    see_light_differ()
    client.get("/readyz")
    clock_drift.forget()

    later = clock.now() + timedelta(minutes=6)

    assert AlarmCode.CLOCK_WRONG not in {alarm.code for alarm in alarms(measure(now=later), now=later)}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("ahead", "is_wrong"), [(timedelta(0), False), (timedelta(minutes=5), True), (timedelta(hours=-26), True)]
)
def test_every_light_answer_is_checked_for_its_time(ahead: timedelta, *, is_wrong: bool) -> None:
    date = format_datetime(datetime.now(tz=UTC) - ahead, usegmt=True)
    with (
        scripted_light() as light,
        LightClient(
            base_url=light.base_url, app_token="app", observe=wiring._record_call, pause=lambda _seconds: None
        ) as asking,
    ):
        light.will(answer(401, {}, Date=date))

        with pytest.raises(LightError):
            asking.ping()

    assert bool(clock_drift.clock_problem()) is is_wrong
    assert RemoteCall.objects.count() == 1
