"""When the next call to Light may be sent. How the pace is kept is for those who build the client to say."""

from __future__ import annotations

from typing import Protocol


class Pace(Protocol):
    """Whose turn it is to call Light, for all who share one app token."""

    @property
    def max_wait_seconds(self) -> float:
        """How long `take_turn` may wait at most."""

    def take_turn(self, *, seconds_before: float = 0.0) -> None:
        """
        Wait until a call may be sent, or so long before that; one call follows, and nobody waits any more.

        :raises PaceExceeded: the turn is too far away to wait for
        """

    def slow_down(self, seconds: float | None) -> None:
        """Light answered 429 and asked for a pause of so many seconds, or did not say how long."""


class UnlimitedPace:
    """No limit is known: every call may be sent at once."""

    max_wait_seconds = 0.0

    def take_turn(self, *, seconds_before: float = 0.0) -> None:
        """Wait for nothing."""

    def slow_down(self, seconds: float | None) -> None:
        """Do nothing: each case waits by itself for as long as Light asked."""
