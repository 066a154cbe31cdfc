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
from tests.integration.enrollments.flow import Flow
from tests.integration.faults.walks import assert_accepted_once, calls, open_hold, ready_to_accept, release, walk

A_YEAR = timedelta(days=365)
CHICAGO = ZoneInfo("America/Chicago")
TUESDAY_NIGHT = datetime(2026, 3, 10, 22, 50, tzinfo=CHICAGO)

in_one_dialect = pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)


def start_at(flow: Flow, moment: datetime) -> None:
    flow.pass_time(moment - flow.clock.at)


def best_start_on(day: date) -> date:
    found = start_dates.plan(
        today=day, go_live_date=day, signed_earliest=day, signed_latest=day + A_YEAR, sunset=day + A_YEAR
    )
    assert isinstance(found, start_dates.StartPlan)
    return found.best


@in_one_dialect
def test_D1_midnight_between_decision_and_call_moves_the_start(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    pause = flow.pause()
    start_at(flow, datetime(2026, 3, 10, 23, 59, 30, tzinfo=CHICAGO))
    walk(flow, case, span=timedelta(seconds=1))
    flow.resume(pause)
    verify = verify_or_suspend

    def slow(**kwargs: Any) -> None:
        verify(**kwargs)
        monkeypatch.setattr(acceptance, "verify_or_suspend", verify)
        flow.pass_time(timedelta(minutes=1))

    monkeypatch.setattr(acceptance, "verify_or_suspend", slow)

    flow.run(case)
    walk(flow, case)

    assert_accepted_once(flow, case)
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
def test_D2_D3_clock_changes_move_no_day_and_repeat_nothing(flow: Flow, moment: datetime, hour: int) -> None:
    start_at(flow, moment)
    case = flow.case()

    walk(flow, case, span=timedelta(hours=4))

    assert moment.astimezone(CHICAGO).hour == hour
    assert_accepted_once(flow, case)
    attempt = AcceptAttempt.objects.get()
    assert attempt.service_start_date == best_start_on(chicago_day(attempt.write.opened_at))
    assert calls(flow, "accept") == 1


@in_one_dialect
@pytest.mark.cell("D5")
def test_repeat_outside_the_signed_range_is_never_sent(flow: Flow) -> None:
    start_at(flow, TUESDAY_NIGHT)
    case = flow.case(signed=False)
    today = chicago_day(flow.clock.at)
    flow.sign(case.installations.get(), earliest_start_date=today, latest_start_date=best_start_on(today))
    flow.simulator.control.inject_fault("accept", "drop_before")

    walk(flow, case)
    start_at(flow, TUESDAY_NIGHT + timedelta(hours=2))
    release(flow, case, "Light has no acceptance.")
    walk(flow, case)

    assert calls(flow, "accept") == 1
    assert flow.acceptances_of(case) == []
    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.NO_LEGAL_START, HoldOwner.OFFICE)


@in_one_dialect
def test_D5_repeat_after_midnight_gets_a_new_date(flow: Flow) -> None:
    start_at(flow, TUESDAY_NIGHT)
    case = flow.case()
    flow.simulator.control.inject_fault("accept", "drop_before")

    walk(flow, case)
    start_at(flow, TUESDAY_NIGHT + timedelta(hours=2))
    release(flow, case, "Light has no acceptance.")
    walk(flow, case)

    assert_accepted_once(flow, case)
    first, second = AcceptAttempt.objects.order_by("pk")
    assert second.service_start_date == best_start_on(chicago_day(second.write.opened_at))
    assert second.service_start_date > first.service_start_date


@in_one_dialect
@pytest.mark.parametrize("minutes", [-5, 5], ids=["ours is slow", "ours is fast"])
@pytest.mark.parametrize("operation", ["none", "create", "record", "accept", "finalize"])
def test_D7_clocks_five_minutes_apart_settle_only_real_doubts(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, minutes: int, operation: str
) -> None:
    set_theirs = flow.simulator.control.set_now
    apart = timedelta(minutes=minutes)
    monkeypatch.setattr(flow.simulator.control, "set_now", lambda now: set_theirs(now - apart))
    flow.pass_time(timedelta())
    if operation != "none":
        flow.simulator.control.inject_fault(operation, "drop_after")
    case = flow.case()

    walk(flow, case)

    assert_accepted_once(flow, case)
    if operation == "none":
        assert not LightWrite.objects.exclude(doubt_since=None).exists()
    assert _refused(case) == []


def _refused(case: Enrollment) -> list[str]:
    assert case.status == EnrollmentStatus.FINALIZED
    return list(case.writes.filter(status=WriteStatus.REFUSED).values_list("outcome", flat=True))
