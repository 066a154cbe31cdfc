"""Chicago days, US federal holidays and the expiry of priced plans."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

__all__ = ["CHICAGO", "chicago_day", "day_in_zone", "federal_holidays", "plan_expiry", "start_of_chicago_day"]

CHICAGO = ZoneInfo("America/Chicago")
PLAN_LIFETIME_BUSINESS_DAYS = 5

_MONDAY, _THURSDAY = 0, 3
_SATURDAY, _SUNDAY = 5, 6


def chicago_day(at: datetime) -> date:
    return at.astimezone(CHICAGO).date()


def day_in_zone(at: datetime, zone_name: str) -> date:
    return at.astimezone(UTC if zone_name == "UTC" else ZoneInfo(zone_name)).date()


def start_of_chicago_day(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=CHICAGO).astimezone(UTC)


def plan_expiry(requested_at: datetime, *, calendar: str) -> datetime:
    """
    Return when a plan expires: 23:59:59 Chicago time on the fifth business day after the day of the request.

    `calendar` is "federal" or "weekdays".
    """
    is_business_day = _is_federal_business_day if calendar == "federal" else _is_weekday
    last_day = _add_business_days(chicago_day(requested_at), PLAN_LIFETIME_BUSINESS_DAYS, is_business_day)
    return datetime.combine(last_day, time(23, 59, 59), tzinfo=CHICAGO).astimezone(UTC)


@cache
def federal_holidays(year: int) -> frozenset[date]:
    """Return the observed holidays of a year, including next New Year's Day if it is observed on December 31."""
    fixed = [date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)]
    moving = [
        _nth_weekday(year, 1, _MONDAY, 3),
        _nth_weekday(year, 2, _MONDAY, 3),
        _last_monday_of_may(year),
        _nth_weekday(year, 9, _MONDAY, 1),
        _nth_weekday(year, 10, _MONDAY, 2),
        _nth_weekday(year, 11, _THURSDAY, 4),
    ]
    observed = {_observed(day) for day in [*fixed, date(year + 1, 1, 1)]}
    return frozenset(day for day in [*observed, *moving] if day.year == year)


def _add_business_days(day: date, count: int, is_business_day: Callable[[date], bool]) -> date:
    while count:
        day += timedelta(days=1)
        if is_business_day(day):
            count -= 1
    return day


def _is_weekday(day: date) -> bool:
    return day.weekday() < _SATURDAY


def _is_federal_business_day(day: date) -> bool:
    return _is_weekday(day) and day not in federal_holidays(day.year)


def _observed(day: date) -> date:
    if day.weekday() == _SATURDAY:
        return day - timedelta(days=1)
    if day.weekday() == _SUNDAY:
        return day + timedelta(days=1)
    return day


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _last_monday_of_may(year: int) -> date:
    last = date(year, 5, 31)
    return last - timedelta(days=last.weekday())
