"""When the next call to Light may be sent. The code that builds the client supplies an implementation."""

from __future__ import annotations

from typing import Protocol


class Pace(Protocol):
    """Limits the rate of calls to Light for all processes that share an app token."""

    @property
    def max_wait_seconds(self) -> float:
        """The longest time that `take_turn` waits."""

    def take_turn(self, *, seconds_before: float = 0.0) -> None:
        """
        Wait until a call may be sent, or until `seconds_before` that moment. Exactly one call follows.

        :raises PaceExceeded: the wait would be too long
        """

    def slow_down(self, seconds: float | None) -> None:
        """Slow down after a 429. `seconds` is the pause Light asked for, or None."""


class UnlimitedPace:
    """No rate limit: every call may be sent at once."""

    max_wait_seconds = 0.0

    def take_turn(self, *, seconds_before: float = 0.0) -> None:
        """Return at once."""

    def slow_down(self, seconds: float | None) -> None:
        """Do nothing: each case already waits for as long as Light asked."""
