"""
Sending no more calls than Light allows, over all processes together: one row says when the next may be sent.

Whoever wants to call moves that instant on by one call's time and sleeps until his own. Few wait at once, because no
new case is begun while others wait (`has_room`): so a call that settles a doubt, or for which a person waits in front
of a page, never stands behind a thousand others.
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
Share of the limit that is not used: calls sent evenly do not arrive evenly, and a 429 costs more than this.

Where Light counts the calls of one second, any of them may come 60 ms later than it should.
"""
FIRST_SLOWDOWN = 1.15
"""A single 429 tells of a call that arrived too early by chance."""
REPEATED_SLOWDOWN = 1.5
"""Another one soon after tells of a limit that is lower than we believe."""
MAX_SLOWDOWN = 20.0
SLOWED_THRESHOLD = 1.05
RECOVERY = 0.9
"""What is left, after each call, of the slowness that a 429 brought."""
PAUSE_AFTER_REFUSAL_SECONDS = 1.0
MAX_CALLS_WAITING = 3.0
MIN_LINE_SECONDS = 0.1
MAX_LINE_SECONDS = 1.5
"""Whoever waits in front of a page for a link to Light stands in the same line."""


@dataclass(frozen=True)
class SharedPace:
    """
    The pace of one app token; every process that shares the database keeps to it.

    Its clock is the world's own, because Light's limit is, also where ours is a demonstration's.
    """

    calls_per_second: float
    max_wait_seconds: float = 5.0
    clock: Clock = field(default_factory=SystemClock)
    pause: Callable[[float], None] = time.sleep

    def take_turn(self, *, seconds_before: float = 0.0) -> None:
        """
        Wait until a call may be sent, or so long before that.

        :raises PaceExceeded: Light asked for a longer pause than is worth waiting for
        """
        wait_seconds = self._book(seconds_before) - seconds_before
        if wait_seconds > 0:
            self.pause(wait_seconds)

    def slow_down(self, seconds: float | None) -> None:
        """Send nothing for as long as Light asked, and then more slowly for some calls."""
        with transaction.atomic():
            row, at = self._locked()
            pause = timedelta(seconds=PAUSE_AFTER_REFUSAL_SECONDS if seconds is None else seconds)
            row.free_at = max(row.free_at, at + pause)
            is_slowed = row.seconds_per_call > self._usual_seconds * SLOWED_THRESHOLD
            factor = REPEATED_SLOWDOWN if is_slowed else FIRST_SLOWDOWN
            row.seconds_per_call = min(row.seconds_per_call * factor, self._usual_seconds * MAX_SLOWDOWN)
            row.save()

    def has_room(self) -> bool:
        """Whether a further case may be begun: hardly anybody waits for his turn."""
        row = LightPace.objects.filter(pk=ONLY_ROW).first()
        if row is None:
            return True
        line = MAX_CALLS_WAITING * row.seconds_per_call
        line = min(max(line, MIN_LINE_SECONDS), MAX_LINE_SECONDS)
        return row.free_at - self.clock.now() <= timedelta(seconds=line)

    @property
    def messages_at_once(self) -> int:
        """How many cases a sweep wakes: each that ends its turn wakes the next."""
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
                    f"Light wants no call for another {wait_seconds:.0f} seconds; nothing was sent.",
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
