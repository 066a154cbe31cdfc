"""The stand-in's clock: real time plus an offset, or frozen."""

import time
from datetime import UTC, datetime, timedelta

__all__ = ["SimulatorClock", "iso_instant"]


class SimulatorClock:
    """Control calls move this clock. All rules about days and tokens use it."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._frozen_at: datetime | None = None

    @property
    def is_frozen(self) -> bool:
        return self._frozen_at is not None

    def now(self) -> datetime:
        return self._frozen_at if self._frozen_at is not None else _wall_now() + self._offset

    def set(self, now: datetime) -> None:
        self._offset = now - _wall_now()
        if self._frozen_at is not None:
            self._frozen_at = now

    def advance(self, span: timedelta) -> None:
        self.set(self.now() + span)

    def freeze(self) -> None:
        self._frozen_at = self.now()

    def run(self) -> None:
        """Continue from the current time, without a jump after a freeze."""
        now = self.now()
        self._frozen_at = None
        self.set(now)

    def reset(self) -> None:
        self._offset = timedelta()
        self._frozen_at = None


def iso_instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _wall_now() -> datetime:
    return datetime.fromtimestamp(time.time(), tz=UTC)
