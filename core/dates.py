"""
Calendar days in Chicago and business days: pure functions, the day passed in.

Texas retail electricity counts days in America/Chicago whatever the host's zone. Source: domain notes, section 3.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo

import holidays

CHICAGO = ZoneInfo("America/Chicago")
SATURDAY = 5


class Calendar(StrEnum):
    """The day counts that the trade uses side by side. Source: domain notes, section 3."""

    PLAIN = "PLAIN"
    FEDERAL = "FEDERAL"
    ERCOT = "ERCOT"


def chicago_day(at: datetime) -> date:
    """Give the Chicago calendar day of an aware instant."""
    if at.tzinfo is None:
        raise ValueError("An instant without a zone has no Chicago day; pass an aware datetime.")
    return at.astimezone(CHICAGO).date()


def chicago_midnight(day: date) -> datetime:
    """Give the instant, in UTC, at which a Chicago day begins."""
    return datetime.combine(day, time.min, tzinfo=CHICAGO).astimezone(UTC)


def chicago_time(at: datetime) -> str:
    """Write an instant as staff read it: the Chicago day and the time of day."""
    local = at.astimezone(CHICAGO)
    return f"{local.date()}, {local:%I:%M %p}".replace(", 0", ", ")


def is_business_day(day: date, calendar: Calendar) -> bool:
    return day.weekday() < SATURDAY and day not in _CLOSED_DAYS[calendar](day.year)


def add_business_days(day: date, count: int, calendar: Calendar) -> date:
    """Count `count` business days on from `day`, which is itself day 0 whatever weekday it is."""
    counted = 0
    while counted < count:
        day += timedelta(days=1)
        counted += is_business_day(day, calendar)
    return day


def earliest_after_business_days(day: date, count: int, calendars: Iterable[Calendar] = Calendar) -> date:
    """The cautious end where lateness hurts us, as with the life of a priced plan."""
    return min(add_business_days(day, count, calendar) for calendar in calendars)


def latest_after_business_days(day: date, count: int, calendars: Iterable[Calendar] = Calendar) -> date:
    """The cautious end where the deadline protects the customer, as with canceling a solar sale."""
    return max(add_business_days(day, count, calendar) for calendar in calendars)


@cache
def federal_closed_days(year: int) -> frozenset[date]:
    """
    List the federal days off that fall in `year`, as observed.

    The year after is asked too: when New Year's Day is a Saturday, its day off is 31 December of this year.
    """
    observed = holidays.country_holidays("US", years=(year, year + 1))
    return frozenset(day for day in observed if day.year == year)


@cache
def ercot_closed_days(year: int) -> frozenset[date]:
    """
    List the days on which retail transactions rest, in the reading we use.

    The two days at Christmas are named anew each year; 24 and 25 December stand in until they are known.
    """
    thanksgiving = _nth_weekday(year, month=11, weekday=3, nth=4)
    return frozenset(
        {
            date(year, 1, 1),
            _last_monday_of_may(year),
            date(year, 7, 4),
            _nth_weekday(year, month=9, weekday=0, nth=1),
            thanksgiving,
            thanksgiving + timedelta(days=1),
            date(year, 12, 24),
            date(year, 12, 25),
        }
    )


def _no_closed_days(_year: int) -> frozenset[date]:
    return frozenset()


def _nth_weekday(year: int, *, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _last_monday_of_may(year: int) -> date:
    end = date(year, 5, 31)
    return end - timedelta(days=end.weekday())


_CLOSED_DAYS: dict[Calendar, Callable[[int], frozenset[date]]] = {
    Calendar.PLAIN: _no_closed_days,
    Calendar.FEDERAL: federal_closed_days,
    Calendar.ERCOT: ercot_closed_days,
}


def long_date(day: date) -> str:
    """Format a day for technicians, such as 'Thu, Nov 19, 2026'."""
    return f"{day:%a, %b} {day.day}, {day.year}"


def short_date(day: date) -> str:
    """Format a day for the office, such as 'Nov 19, 2026'."""
    return f"{day:%b} {day.day}, {day.year}"
