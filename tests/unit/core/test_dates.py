"""Days as counted in Texas. The worked examples are those of the domain notes, section 3."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dates import (
    Calendar,
    add_business_days,
    chicago_day,
    chicago_midnight,
    earliest_after_business_days,
    federal_closed_days,
    is_business_day,
    latest_after_business_days,
)

DAYS = st.dates(min_value=date(2025, 1, 1), max_value=date(2032, 12, 31))
PLAIN, FEDERAL, ERCOT = Calendar.PLAIN, Calendar.FEDERAL, Calendar.ERCOT


@pytest.mark.parametrize(
    ("calendar", "end"), [(PLAIN, date(2026, 12, 2)), (FEDERAL, date(2026, 12, 3)), (ERCOT, date(2026, 12, 4))]
)
def test_plans_requested_before_thanksgiving_live_five_business_days(calendar: Calendar, end: date) -> None:
    assert add_business_days(date(2026, 11, 25), 5, calendar) == end


def test_plan_life_ends_at_the_earliest_reading() -> None:
    assert earliest_after_business_days(date(2026, 11, 25), 5) == date(2026, 12, 2)


def test_rescission_skips_the_observed_fourth_of_july() -> None:
    assert date(2026, 7, 3) in federal_closed_days(2026)
    assert add_business_days(date(2026, 7, 2), 3, FEDERAL) == date(2026, 7, 8)


def test_terms_posted_before_christmas_are_rescindable_into_january() -> None:
    received = add_business_days(date(2026, 12, 23), 3, FEDERAL)

    assert received == date(2026, 12, 29)
    assert add_business_days(received, 3, FEDERAL) == date(2027, 1, 4)


@pytest.mark.parametrize(
    ("calendar", "end"), [(PLAIN, date(2026, 11, 26)), (FEDERAL, date(2026, 11, 27)), (ERCOT, date(2026, 11, 30))]
)
def test_solar_sale_may_be_canceled_for_five_business_days(calendar: Calendar, end: date) -> None:
    assert add_business_days(date(2026, 11, 19), 5, calendar) == end


def test_solar_cancellation_ends_at_the_latest_reading() -> None:
    assert latest_after_business_days(date(2026, 11, 19), 5) == date(2026, 11, 30)


def test_D6_saturday_new_year_is_observed_the_day_before() -> None:
    assert not is_business_day(date(2027, 12, 31), FEDERAL)
    assert is_business_day(date(2028, 1, 3), FEDERAL)


def test_day_after_thanksgiving_is_no_federal_holiday() -> None:
    assert is_business_day(date(2026, 11, 27), FEDERAL)
    assert not is_business_day(date(2026, 11, 27), ERCOT)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 3, 5, 3, 0, tzinfo=UTC), date(2026, 3, 4)),
        (datetime(2026, 7, 5, 4, 59, tzinfo=UTC), date(2026, 7, 4)),
        (datetime(2026, 7, 5, 5, 0, tzinfo=UTC), date(2026, 7, 5)),
        (datetime(2026, 11, 1, 4, 59, tzinfo=UTC), date(2026, 10, 31)),
        (datetime(2026, 11, 1, 6, 30, tzinfo=UTC), date(2026, 11, 1)),
        (datetime(2026, 11, 1, 7, 30, tzinfo=UTC), date(2026, 11, 1)),
        (datetime(2026, 11, 2, 5, 59, tzinfo=UTC), date(2026, 11, 1)),
        (datetime(2027, 3, 15, 4, 59, tzinfo=UTC), date(2027, 3, 14)),
        (datetime(2027, 3, 15, 5, 0, tzinfo=UTC), date(2027, 3, 15)),
    ],
)
def test_instant_has_its_chicago_day(instant: datetime, day: date) -> None:
    assert chicago_day(instant) == day


@pytest.mark.cell("D2", "D3")
@pytest.mark.parametrize(("day", "hours"), [(date(2026, 11, 1), 25), (date(2027, 3, 14), 23), (date(2026, 6, 1), 24)])
def test_clock_change_days_have_their_own_length(day: date, hours: int) -> None:
    length = chicago_midnight(day + timedelta(days=1)) - chicago_midnight(day)

    assert length == timedelta(hours=hours)


def test_instant_without_a_zone_has_no_chicago_day() -> None:
    with pytest.raises(ValueError, match="aware"):
        chicago_day(datetime(2026, 3, 5, 3, 0))  # noqa: DTZ001 - that it has no zone is the point


@given(DAYS)
def test_midnight_is_the_first_instant_of_its_day(day: date) -> None:
    midnight = chicago_midnight(day)

    assert chicago_day(midnight) == day
    assert chicago_day(midnight - timedelta(microseconds=1)) == day - timedelta(days=1)


@given(DAYS, st.integers(min_value=1, max_value=30), st.sampled_from(Calendar))
def test_counting_business_days_ends_on_a_business_day(day: date, count: int, calendar: Calendar) -> None:
    end = add_business_days(day, count, calendar)

    counted = [day + timedelta(days=n) for n in range(1, (end - day).days + 1)]
    assert is_business_day(end, calendar)
    assert sum(is_business_day(each, calendar) for each in counted) == count


@given(DAYS, st.integers(min_value=1, max_value=10))
def test_earliest_and_latest_cover_every_calendar(day: date, count: int) -> None:
    ends = [add_business_days(day, count, calendar) for calendar in Calendar]

    assert earliest_after_business_days(day, count) == min(ends)
    assert latest_after_business_days(day, count) == max(ends)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_host_time_zone_changes_nothing(zone: str) -> None:
    script = (
        "from datetime import UTC, date, datetime; from core.dates import chicago_day, latest_after_business_days;"
        "assert chicago_day(datetime(2026, 3, 5, 3, 0, tzinfo=UTC)) == date(2026, 3, 4);"
        "assert latest_after_business_days(date(2026, 11, 19), 5) == date(2026, 11, 30)"
    )

    finished = subprocess.run([sys.executable, "-c", script], env={**os.environ, "TZ": zone}, check=False)  # noqa: S603

    assert finished.returncode == 0
