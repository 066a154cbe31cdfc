"""The demo's clock: real time plus an offset shared by all processes. Production does not use it."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings

FILE_NAME = "time-machine"


class SharedClock:
    """
    A clock that can be moved forward.

    The offset is in a file, so that all processes of the demo have the same time, also after a restart. While the clock
    is not moved, reading it costs one `stat` call.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or Path(settings.DATA_DIR) / FILE_NAME
        self._known: tuple[int, int] | None = None
        self._offset = timedelta()

    def now(self) -> datetime:
        return _real_now() + self._current_offset()

    def start_at(self, at: datetime) -> None:
        """Set the clock to `at`, regardless of the previous time."""
        self._keep(at - _real_now())

    def move_to(self, at: datetime) -> None:
        """:raises ValueError: `at` is in the past, where records would have later dates"""
        if at < self.now():
            raise ValueError(f"The clock only moves forward; {at} has passed.")
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
