"""The clock of the demo: real time plus an offset that all processes share. Production never names it."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings

FILE_NAME = "time-machine"


class TimeMachine:
    """
    A clock that can be moved forward.

    The offset lies in a file of its own, so that every process of the demo shows the same time and a killed one comes
    back to it. Reading costs one look at the file's entry while nobody moves the clock.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or Path(settings.DATA_DIR) / FILE_NAME
        self._known: tuple[int, int] | None = None
        self._offset = timedelta()

    def now(self) -> datetime:
        return _real_now() + self._current_offset()

    def begin_at(self, at: datetime) -> None:
        """Start a story: show `at` now, whatever was shown before."""
        self._keep(at - _real_now())

    def move_to(self, at: datetime) -> None:
        """:raises ValueError: that would be back in time, where records already have later dates"""
        if at < self.now():
            raise ValueError(f"The time machine goes forward only; {at} has passed.")
        self._keep(at - _real_now())

    def _current_offset(self) -> timedelta:
        try:
            entry = self._file.stat()
        except FileNotFoundError:
            return timedelta()
        state = (entry.st_ino, entry.st_mtime_ns)
        if state != self._known:
            self._offset = timedelta(seconds=float(self._file.read_text()))
            self._known = state
        return self._offset

    def _keep(self, offset: timedelta) -> None:
        draft = self._file.with_suffix(f".{os.getpid()}")
        draft.write_text(repr(offset.total_seconds()))
        draft.replace(self._file)


def _real_now() -> datetime:
    return datetime.now(tz=UTC)
