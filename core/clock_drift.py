"""
Detects a machine clock that differs from the database's, or from Light's, by more than a minute.

Such a process reports it and writes nothing to Light, because it may be wrong about the last legal day. It also takes
no cases, so that another process can.
"""

import logging
import platform
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from core import clock
from core.models import WrongClock

logger = logging.getLogger(__name__)

TOLERANCE = timedelta(minutes=1)
RECHECK_SECONDS = 60.0
MAX_QUERY_TIME = timedelta(seconds=5)
"""A slower answer from the database is too imprecise to compare with."""


@dataclass
class _Comparison:
    """How far this machine's clock was last seen ahead of another one; negative when it is behind."""

    whose: str
    ahead: timedelta = timedelta()
    seen_at_seconds: float = 0.0

    def note(self, ahead: timedelta) -> None:
        was_wrong, self.ahead, self.seen_at_seconds = self.is_wrong, ahead, time.monotonic()
        if self.is_wrong and not was_wrong:
            logger.error("%s This process writes nothing to Light until they agree.", self.words)
        elif was_wrong and not self.is_wrong:
            logger.warning("The clock of “%s” agrees with that of %s again.", platform.node(), self.whose)

    @property
    def is_wrong(self) -> bool:
        return abs(self.ahead) > TOLERANCE

    @property
    def words(self) -> str:
        side = "ahead of" if self.ahead > timedelta() else "behind"
        return f"The clock of “{platform.node()}” is {_span(abs(self.ahead))} {side} that of {self.whose}."


_database = _Comparison("the database")
_light = _Comparison("Light")


def clock_problem() -> str:
    """Return what is wrong with the clock of this process, or an empty string."""
    return next((each.words for each in (_database, _light) if each.is_wrong), "")


def compare_with_database() -> None:
    """Compare clocks and use the database's from now on. Does nothing with SQLite."""
    _compare(connection)


def compare_with_new_connection(connection: BaseDatabaseWrapper, **_signal: object) -> None:
    """Compare on each new connection. A receiver of Django's signal."""
    if connection.alias == "default":
        _compare(connection)


def note_light_date(date: datetime, *, sent_at: datetime, received_at: datetime) -> None:
    """
    Compare with the Date header of Light's answer, which was made between the two readings of our own clock.

    Its time has whole seconds.
    """
    if date < sent_at - timedelta(seconds=1):
        _light.note(sent_at - date)
    else:
        _light.note(min(received_at - date, timedelta()))


def needs_new_light_date() -> bool:
    """Whether Light's time differed when last seen, long enough ago to check again."""
    return _light.is_wrong and time.monotonic() - _light.seen_at_seconds > RECHECK_SECONDS


def report() -> str:
    """Store what is wrong with this machine's clock, for the alarms, and return it."""
    problem = clock_problem()
    if problem:
        WrongClock.objects.update_or_create(machine=platform.node(), defaults={"problem": problem, "at": clock.now()})
    return problem


def forget() -> None:
    """Reset the comparisons and use this machine's own clock until the next one."""
    for each in (_database, _light):
        each.ahead = timedelta()
    clock.use_machine_clock()


def _compare(connection: BaseDatabaseWrapper) -> None:
    if connection.vendor != "postgresql":
        return
    asked_at = clock.machine_now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        shared_now: datetime = cursor.fetchone()[0]
    answered_at = clock.machine_now()
    took = answered_at - asked_at
    if not timedelta() <= took <= MAX_QUERY_TIME:
        return
    clock.use_shared_time(shared_now)
    _database.note(asked_at + took / 2 - shared_now)


def _span(length: timedelta) -> str:
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s"
