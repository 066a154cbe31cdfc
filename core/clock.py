"""
The one place that reads the time.

Rules and actions take the time as an argument; faces and workers ask here. `settings.CLOCK` names the class in use, so
that a demonstration can let weeks pass in seconds.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string


class Clock(Protocol):
    def now(self) -> datetime:
        """Give the present instant, aware, in UTC."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(tz=UTC)  # noqa: TID251 - this is that one place


@cache
def configured_clock() -> Clock:
    clock: Clock = import_string(settings.CLOCK)()
    return clock


def now() -> datetime:
    return configured_clock().now()
