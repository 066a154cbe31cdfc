"""Windows, zones and plan life, to the second."""

from datetime import UTC, date, datetime, timedelta

import pytest

from simulator.calendar_days import CHICAGO, federal_holidays, plan_expiry
from simulator.server import RunningSimulator
from tests.contract.stand_in.light_calls import LightCalls

NOON = datetime(2026, 3, 5, 18, 0, tzinfo=UTC)
LATE_EVENING_IN_CHICAGO = datetime(2026, 3, 6, 3, 0, tzinfo=UTC)


def _accepts(light: LightCalls, start: date) -> int:
    account_uuid = light.ready(f"p{start}@example.com")
    plan = light.request_plans(account_uuid)[0]
    return light.accept(account_uuid, plan["uuid"], service_start_date=start.isoformat()).status_code


@pytest.mark.parametrize(
    ("days", "inclusive", "exclusive"),
    [(6, 422, 422), (7, 200, 422), (8, 200, 200), (29, 200, 200), (30, 200, 422), (31, 422, 422)],
)
def test_start_must_be_seven_to_thirty_days_ahead(
    days: int, inclusive: int, exclusive: int, simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.set_now(NOON)

    start = date(2026, 3, 5) + timedelta(days=days)
    seen_inclusive = _accepts(light, start)
    simulator.control.set_dialect(window_ends_inclusive=False)
    seen_exclusive = _accepts(light, start)

    assert (seen_inclusive, seen_exclusive) == (inclusive, exclusive)


def test_today_is_chicago_day_unless_dialect_uses_utc(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.set_now(LATE_EVENING_IN_CHICAGO)
    first, last = date(2026, 3, 12), date(2026, 4, 4)

    in_chicago = (_accepts(light, first), _accepts(light, last), _accepts(light, last + timedelta(days=1)))
    simulator.control.set_dialect(window_zone="UTC")
    in_utc = (_accepts(light, first), _accepts(light, last), _accepts(light, last + timedelta(days=1)))

    assert in_chicago == (200, 200, 422)
    assert in_utc == (422, 200, 200)


@pytest.mark.parametrize(("calendar", "last_day"), [("federal", date(2026, 12, 3)), ("weekdays", date(2026, 12, 2))])
def test_plan_requested_before_thanksgiving_lives_five_business_days(
    calendar: str, last_day: date, simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.freeze_clock()
    simulator.control.set_dialect(business_days=calendar)
    simulator.control.set_now(datetime(2026, 11, 25, 16, 0, tzinfo=UTC))
    account_uuid = light.ready()
    plan = light.request_plans(account_uuid)[0]
    end = datetime.combine(last_day, datetime.min.time(), tzinfo=CHICAGO).replace(hour=23, minute=59, second=59)

    assert datetime.fromisoformat(plan["expires_at"]) == end
    simulator.control.set_now(end.astimezone(UTC) + timedelta(seconds=1))
    late = light.accept(account_uuid, plan["uuid"])
    assert (late.status_code, late.json()["detail"]) == (409, "plan expired")
    simulator.control.set_now(end.astimezone(UTC))
    assert light.accept(account_uuid, plan["uuid"]).status_code == 200


def test_plan_expiry_may_be_omitted(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.set_dialect(plan_expiry_field=False)

    assert all("expires_at" not in plan for plan in light.request_plans(light.create()))


def test_plan_requested_late_counts_from_its_chicago_day() -> None:
    requested_at = datetime(2026, 3, 6, 5, 30, tzinfo=UTC)

    assert plan_expiry(requested_at, calendar="federal") == datetime(2026, 3, 13, 4, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("year", "day"),
    [
        (2027, date(2027, 12, 31)),
        (2026, date(2026, 7, 3)),
        (2026, date(2026, 11, 26)),
        (2026, date(2026, 5, 25)),
        (2027, date(2027, 7, 5)),
        (2026, date(2026, 1, 19)),
    ],
)
def test_federal_holidays_are_observed_on_working_days(year: int, day: date) -> None:
    assert day in federal_holidays(year)
    assert day.weekday() < 5


def test_new_years_day_on_saturday_is_observed_in_prior_year() -> None:
    assert not [day for day in federal_holidays(2028) if day.month == 1 and day.day == 1]


def test_service_starts_at_midnight_in_chicago(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.freeze_clock()
    simulator.control.set_now(NOON)
    account_uuid = light.finalized(service_start_date="2026-03-13")

    simulator.control.set_now(datetime(2026, 3, 13, 4, 59, 59, tzinfo=UTC))
    before = light.status(account_uuid)
    simulator.control.set_now(datetime(2026, 3, 13, 5, 0, tzinfo=UTC))
    after = light.status(account_uuid)

    assert (before, after) == ("enrollment_finalized", "service_active")


def test_service_does_not_start_without_finalize(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.accepted()

    simulator.control.advance(timedelta(days=9))

    assert light.status(account_uuid) == "plan_accepted"


def test_frozen_clock_stops_and_resumes_without_a_jump(simulator: RunningSimulator) -> None:
    control = simulator.control
    control.set_now(NOON)
    control.freeze_clock()

    stopped = control.now()
    assert control.now() == stopped
    control.run_clock()
    assert timedelta(0) <= control.now() - stopped < timedelta(seconds=5)
