"""
The only module that reads the time.

Rules and actions take the time as an argument; surfaces and workers ask here. `settings.CLOCK` names the class in use,
so that the demo can let weeks pass in seconds.

All processes use the clock of PostgreSQL: each compares its own with it (`core.clock_drift`). So leases and due times
mean the same everywhere, even if the clock of one machine is wrong.
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
        """Return the current instant, aware, in UTC."""


def machine_now() -> datetime:
    """Return the time of this machine's own clock, which may be wrong."""
    return datetime.now(tz=UTC)  # noqa: TID251 - the only place that may


@dataclass(frozen=True)
class _Anchor:
    """The shared time at one reading of this machine's monotonic counter."""

    at: datetime
    counted_seconds: float


class SystemClock:
    """The shared clock; this machine's own until it has been compared, and always with SQLite."""

    def now(self) -> datetime:
        anchor = _shared.anchor
        if anchor is None:
            return machine_now()
        return anchor.at + timedelta(seconds=_counted_seconds() - anchor.counted_seconds)


class _Shared:
    anchor: _Anchor | None = None


_shared = _Shared()


def use_shared_time(shared_now: datetime) -> None:
    """From now on, use a clock that shows `shared_now` at this moment."""
    _shared.anchor = _Anchor(shared_now, _counted_seconds())


def use_machine_clock() -> None:
    _shared.anchor = None


def _counted_seconds() -> float:
    """Return monotonic seconds, including time the machine was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@cache
def configured_clock() -> Clock:
    clock: Clock = import_string(settings.CLOCK)()
    return clock


def now() -> datetime:
    return configured_clock().now()
