"""
Machines whose clock differs from the database's, or from Light's, by more than a minute.

Such a process says so and writes nothing to Light: what it takes for the last legal day may be another day. It takes no
case either, so that another process can.
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
ASKED_AGAIN_AFTER_SECONDS = 60.0
LONGEST_QUESTION = timedelta(seconds=5)
"""An answer that took longer says too little about the moment in which the database gave it."""


@dataclass
class _Comparison:
    """By how much this machine's clock is ahead of another one, as last seen; negative when it is behind."""

    whose: str
    ahead: timedelta = timedelta()
    seen_at_seconds: float = 0.0

    def note(self, ahead: timedelta) -> None:
        was_wrong, self.ahead, self.seen_at_seconds = self.is_wrong, ahead, time.monotonic()
        if self.is_wrong and not was_wrong:
            logger.error("%s Nothing is written to Light from here.", self.words)
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


def why_clock_is_wrong() -> str:
    """Say what is wrong with the clock of this process; empty when nothing is."""
    return next((each.words for each in (_database, _light) if each.is_wrong), "")


def compare_with_database() -> None:
    """Compare clocks, and go by the database's from now on. One on this machine has no clock of its own."""
    _compare(connection)


def compare_with_new_connection(connection: BaseDatabaseWrapper, **_signal: object) -> None:
    """Do so whenever this process connects: a receiver of Django's signal."""
    if connection.alias == "default":
        _compare(connection)


def note_light_date(date: datetime, *, sent_at: datetime, received_at: datetime) -> None:
    """
    Compare with the time that Light's answer carries, between two readings of our own clock.

    The answer was made at some moment between the two, and its time has whole seconds.
    """
    if date < sent_at - timedelta(seconds=1):
        _light.note(sent_at - date)
    else:
        _light.note(min(received_at - date, timedelta()))


def must_ask_light_again() -> bool:
    """Whether Light's time was seen to differ, and so long ago that it should be looked at again."""
    return _light.is_wrong and time.monotonic() - _light.seen_at_seconds > ASKED_AGAIN_AFTER_SECONDS


def report() -> str:
    """Put on record what is wrong with this machine's clock, so that an alarm tells it; return it in words."""
    problem = why_clock_is_wrong()
    if problem:
        WrongClock.objects.update_or_create(machine=platform.node(), defaults={"problem": problem, "at": clock.now()})
    return problem


def forget() -> None:
    """Forget what was seen, and go by this machine's own clock until it is compared again."""
    for each in (_database, _light):
        each.ahead = timedelta()
    clock.go_by_own()


def _compare(connection: BaseDatabaseWrapper) -> None:
    if connection.vendor != "postgresql":
        return
    asked_at = clock.own_now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        shared_now: datetime = cursor.fetchone()[0]
    answered_at = clock.own_now()
    took = answered_at - asked_at
    if not timedelta() <= took <= LONGEST_QUESTION:
        return
    clock.go_by(shared_now)
    _database.note(asked_at + took / 2 - shared_now)


def _span(length: timedelta) -> str:
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s"
