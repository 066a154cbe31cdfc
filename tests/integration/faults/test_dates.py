"""Cells D1 to D7: midnight, both clock changes, the ends of the window, and clocks that disagree."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.dates import chicago_day
from enrollments.actions import acceptance
from enrollments.decision import start_dates
from enrollments.models import AcceptAttempt, Enrollment, LightWrite
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteStatus
from poa_documents.actions import verify_or_suspend
from tests.contract.dialects import REFERENCE
from tests.integration.enrollments.road import Road
from tests.integration.faults.journey import assert_accepted_once, calls, open_hold, ready_to_accept, release, walk

A_YEAR = timedelta(days=365)
CHICAGO = ZoneInfo("America/Chicago")
TUESDAY_NIGHT = datetime(2026, 3, 10, 22, 50, tzinfo=CHICAGO)

in_one_dialect = pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)


def start_at(road: Road, moment: datetime) -> None:
    road.pass_time(moment - road.clock.at)


def best_start_on(day: date) -> date:
    found = start_dates.plan(
        today=day, go_live_date=day, signed_earliest=day, signed_latest=day + A_YEAR, sunset=day + A_YEAR
    )
    assert isinstance(found, start_dates.StartPlan)
    return found.best


@in_one_dialect
def test_D1_midnight_between_decision_and_call_moves_the_start(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(road)
    pause = road.pause()
    start_at(road, datetime(2026, 3, 10, 23, 59, 30, tzinfo=CHICAGO))
    walk(road, case, span=timedelta(seconds=1))
    road.resume(pause)
    verify = verify_or_suspend

    def slow(**kwargs: Any) -> None:
        verify(**kwargs)
        monkeypatch.setattr(acceptance, "verify_or_suspend", verify)
        road.pass_time(timedelta(minutes=1))

    monkeypatch.setattr(acceptance, "verify_or_suspend", slow)

    road.run(case)
    walk(road, case)

    assert_accepted_once(road, case)
    attempt = AcceptAttempt.objects.get()
    assert str(attempt.chicago_date) == "2026-03-11"
    assert attempt.service_start_date == best_start_on(attempt.chicago_date)


@in_one_dialect
@pytest.mark.parametrize(
    ("moment", "hour"),
    [
        pytest.param(datetime(2026, 11, 1, 6, 25, tzinfo=UTC), 1, marks=pytest.mark.cell("D2")),
        pytest.param(datetime(2027, 3, 14, 7, 25, tzinfo=UTC), 1, marks=pytest.mark.cell("D3")),
    ],
    ids=["back", "forward"],
)
def test_D2_D3_clock_changes_move_no_day_and_repeat_nothing(road: Road, moment: datetime, hour: int) -> None:
    start_at(road, moment)
    case = road.case()

    walk(road, case, span=timedelta(hours=4))

    assert moment.astimezone(CHICAGO).hour == hour
    assert_accepted_once(road, case)
    attempt = AcceptAttempt.objects.get()
    assert attempt.service_start_date == best_start_on(chicago_day(attempt.write.opened_at))
    assert calls(road, "accept") == 1


@in_one_dialect
@pytest.mark.cell("D5")
def test_a_repeat_that_leaves_the_signed_range_is_never_sent(road: Road) -> None:
    start_at(road, TUESDAY_NIGHT)
    case = road.case(signed=False)
    today = chicago_day(road.clock.at)
    road.sign(case.installations.get(), earliest_start_date=today, latest_start_date=best_start_on(today))
    road.simulator.control.inject_fault("accept", "drop_before")

    walk(road, case)
    start_at(road, TUESDAY_NIGHT + timedelta(hours=2))
    release(road, case, "Light has no acceptance.")
    walk(road, case)

    assert calls(road, "accept") == 1
    assert road.acceptances_of(case) == []
    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.NO_LEGAL_START, HoldOwner.OFFICE)


@in_one_dialect
def test_D5_a_repeat_after_midnight_gets_a_new_date(road: Road) -> None:
    start_at(road, TUESDAY_NIGHT)
    case = road.case()
    road.simulator.control.inject_fault("accept", "drop_before")

    walk(road, case)
    start_at(road, TUESDAY_NIGHT + timedelta(hours=2))
    release(road, case, "Light has no acceptance.")
    walk(road, case)

    assert_accepted_once(road, case)
    first, second = AcceptAttempt.objects.order_by("pk")
    assert second.service_start_date == best_start_on(chicago_day(second.write.opened_at))
    assert second.service_start_date > first.service_start_date


@in_one_dialect
@pytest.mark.parametrize("minutes", [-5, 5], ids=["ours is slow", "ours is fast"])
@pytest.mark.parametrize("operation", ["none", "create", "record", "accept", "finalize"])
def test_D7_clocks_five_minutes_apart_settle_only_real_doubts(
    road: Road, monkeypatch: pytest.MonkeyPatch, minutes: int, operation: str
) -> None:
    set_theirs = road.simulator.control.set_now
    apart = timedelta(minutes=minutes)
    monkeypatch.setattr(road.simulator.control, "set_now", lambda now: set_theirs(now - apart))
    road.pass_time(timedelta())
    if operation != "none":
        road.simulator.control.inject_fault(operation, "drop_after")
    case = road.case()

    walk(road, case)

    assert_accepted_once(road, case)
    if operation == "none":
        assert not LightWrite.objects.exclude(doubt_since=None).exists()
    assert _refused(case) == []


def _refused(case: Enrollment) -> list[str]:
    assert case.status == EnrollmentStatus.FINALIZED
    return list(case.writes.filter(status=WriteStatus.REFUSED).values_list("outcome", flat=True))
