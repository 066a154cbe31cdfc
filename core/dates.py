"""
Calendar days in Chicago, and business days. Pure functions.

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
    """Business-day calendars used in the trade. Source: domain notes, section 3."""

    PLAIN = "PLAIN"
    FEDERAL = "FEDERAL"
    ERCOT = "ERCOT"


def chicago_day(at: datetime) -> date:
    """Return the Chicago calendar day of an aware instant."""
    if at.tzinfo is None:
        raise ValueError("A datetime without a time zone has no Chicago day. Pass an aware datetime.")
    return at.astimezone(CHICAGO).date()


def chicago_midnight(day: date) -> datetime:
    """Return the instant, in UTC, at which a Chicago day begins."""
    return datetime.combine(day, time.min, tzinfo=CHICAGO).astimezone(UTC)


def chicago_time(at: datetime) -> str:
    """Format an instant for the office, such as 'Nov 19, 2026, 3:05 PM'."""
    local = at.astimezone(CHICAGO)
    return f"{short_date(local)}, {local:%I:%M %p}".replace(", 0", ", ")


def is_business_day(day: date, calendar: Calendar) -> bool:
    return day.weekday() < SATURDAY and day not in _CLOSED_DAYS[calendar](day.year)


def add_business_days(day: date, count: int, calendar: Calendar) -> date:
    """Return the day `count` business days after `day`, which is day 0 whatever weekday it is."""
    counted = 0
    while counted < count:
        day += timedelta(days=1)
        counted += is_business_day(day, calendar)
    return day


def earliest_after_business_days(day: date, count: int, calendars: Iterable[Calendar] = Calendar) -> date:
    """Return the earliest result over the calendars: the safe choice where being late hurts us, as with plan prices."""
    return min(add_business_days(day, count, calendar) for calendar in calendars)


def latest_after_business_days(day: date, count: int, calendars: Iterable[Calendar] = Calendar) -> date:
    """Return the latest result: the safe choice where the deadline protects the customer, as with canceling a sale."""
    return max(add_business_days(day, count, calendar) for calendar in calendars)


@cache
def federal_closed_days(year: int) -> frozenset[date]:
    """
    Return the federal holidays observed in `year`.

    The next year is included because New Year's Day is observed on December 31 when it falls on a Saturday.
    """
    observed = holidays.country_holidays("US", years=(year, year + 1))
    return frozenset(day for day in observed if day.year == year)


@cache
def ercot_closed_days(year: int) -> frozenset[date]:
    """
    Return the days without retail transactions, as we read the rules.

    ERCOT announces the two days at Christmas each year; December 24 and 25 are used until then.
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


def short_date(day: date | datetime) -> str:
    """Format a day, or the Chicago day of an instant, for the office, such as 'Nov 19, 2026'."""
    day = chicago_day(day) if isinstance(day, datetime) else day
    return f"{day:%b} {day.day}, {day.year}"
