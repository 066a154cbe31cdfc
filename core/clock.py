"""
The one place that reads the time.

Rules and actions take the time as an argument; surfaces and workers ask here. `settings.CLOCK` names the class in use,
so that a demonstration can let weeks pass in seconds.

All processes share the clock of PostgreSQL: each compares its own with it (`core.wrong_clocks`) and goes by that one.
So a lease or a due time means the same to all of them, also where the clock of a machine is wrong.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string


class Clock(Protocol):
    def now(self) -> datetime:
        """Give the present instant, aware, in UTC."""


def own_now() -> datetime:
    """Read this machine's own clock, which may be wrong."""
    return datetime.now(tz=UTC)  # noqa: TID251 - this is that one place


@dataclass(frozen=True)
class _Anchor:
    """What the shared clock showed at a moment of this machine's counter, which nobody sets."""

    at: datetime
    counted_seconds: float


class SystemClock:
    """The shared clock; this machine's own until it has been compared, and where the database is on this machine."""

    def now(self) -> datetime:
        anchor = _shared.anchor
        if anchor is None:
            return own_now()
        return anchor.at + timedelta(seconds=_counted_seconds() - anchor.counted_seconds)


class _Shared:
    anchor: _Anchor | None = None


_shared = _Shared()


def go_by(shared_now: datetime) -> None:
    """Let this process go by a clock that shows `shared_now` at this moment."""
    _shared.anchor = _Anchor(shared_now, _counted_seconds())


def go_by_own() -> None:
    _shared.anchor = None


def _counted_seconds() -> float:
    """Count seconds, also those for which the machine slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@cache
def configured_clock() -> Clock:
    clock: Clock = import_string(settings.CLOCK)()
    return clock


def now() -> datetime:
    return configured_clock().now()
