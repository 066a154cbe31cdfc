"""
Rate limiting calls to Light across all processes: one row holds the time when the next call may be sent.

Each caller moves that time forward by the duration of one call and sleeps until its own. Few wait at once, because no
new case is started while others wait (`has_room`). So a call that settles a doubt, or that a person is waiting for on a
page, is never queued behind a thousand others.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction

from core.clock import Clock, SystemClock
from enrollments.light.errors import PaceExceeded
from enrollments.models import LightPace

ONLY_ROW = 1
UNUSED_SHARE = 0.06
"""
Share of the limit that is not used: evenly sent calls do not arrive evenly, and a 429 costs more than this.

If Light counts calls per second, any of them may arrive 60 ms late.
"""
FIRST_SLOWDOWN = 1.15
"""A single 429 means that one call happened to arrive too early."""
REPEATED_SLOWDOWN = 1.5
"""Another one soon after means that the limit is lower than configured."""
MAX_SLOWDOWN = 20.0
SLOWED_THRESHOLD = 1.05
RECOVERY = 0.9
"""The share of the slowdown that remains after each further call."""
PAUSE_AFTER_REFUSAL_SECONDS = 1.0
MAX_CALLS_WAITING = 3.0
MIN_LINE_SECONDS = 0.1
MAX_LINE_SECONDS = 1.5
"""People who wait on a page for a link to Light are in the same queue."""


@dataclass(frozen=True)
class SharedPace:
    """
    The rate limit of one app token, shared by every process that uses the database.

    It uses the system clock, like Light's limit, even if the demo runs on a different one.
    """

    calls_per_second: float
    max_wait_seconds: float = 5.0
    clock: Clock = field(default_factory=SystemClock)
    pause: Callable[[float], None] = time.sleep

    def take_turn(self, *, seconds_before: float = 0.0) -> None:
        """
        Wait until a call may be sent, or until `seconds_before` that time.

        :raises PaceExceeded: the wait would be longer than `max_wait_seconds`
        """
        wait_seconds = self._book(seconds_before) - seconds_before
        if wait_seconds > 0:
            self.pause(wait_seconds)

    def slow_down(self, seconds: float | None) -> None:
        """Send nothing for as long as Light asked, and then send some calls more slowly."""
        with transaction.atomic():
            row, at = self._locked()
            pause = timedelta(seconds=PAUSE_AFTER_REFUSAL_SECONDS if seconds is None else seconds)
            row.free_at = max(row.free_at, at + pause)
            is_slowed = row.seconds_per_call > self._usual_seconds * SLOWED_THRESHOLD
            factor = REPEATED_SLOWDOWN if is_slowed else FIRST_SLOWDOWN
            row.seconds_per_call = min(row.seconds_per_call * factor, self._usual_seconds * MAX_SLOWDOWN)
            row.save()

    def has_room(self) -> bool:
        """Whether another case may be started because few calls are waiting."""
        row = LightPace.objects.filter(pk=ONLY_ROW).first()
        if row is None:
            return True
        line = MAX_CALLS_WAITING * row.seconds_per_call
        line = min(max(line, MIN_LINE_SECONDS), MAX_LINE_SECONDS)
        return row.free_at - self.clock.now() <= timedelta(seconds=line)

    @property
    def messages_at_once(self) -> int:
        """How many cases a sweep wakes. Each one wakes the next when its turn ends."""
        return max(2, round(self.calls_per_second))

    @property
    def _usual_seconds(self) -> float:
        return 1 / (self.calls_per_second * (1 - UNUSED_SHARE))

    def _book(self, seconds_before: float) -> float:
        with transaction.atomic():
            row, at = self._locked()
            turn_at = max(row.free_at, at + timedelta(seconds=seconds_before))
            wait_seconds = (turn_at - at).total_seconds()
            if wait_seconds > self.max_wait_seconds:
                raise PaceExceeded(
                    f"Light accepts no calls for another {wait_seconds:.0f} seconds. Nothing was sent.",
                    retry_after_seconds=wait_seconds,
                )
            taken_seconds = max(row.seconds_per_call, self._usual_seconds)
            row.free_at = turn_at + timedelta(seconds=taken_seconds)
            row.seconds_per_call = self._usual_seconds + RECOVERY * (taken_seconds - self._usual_seconds)
            row.save()
        return wait_seconds

    def _locked(self) -> tuple[LightPace, datetime]:
        defaults = {"free_at": self.clock.now(), "seconds_per_call": self._usual_seconds}
        row, _ = LightPace.objects.select_for_update().get_or_create(pk=ONLY_ROW, defaults=defaults)
        return row, self.clock.now()
