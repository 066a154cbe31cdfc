"""
Uploaded files are checked one at a time, with a short queue.

Decoding a large photo takes most of a gigabyte, and a hostile PDF uses all the time its checker gets. Several at once
would exhaust memory and the web server's threads. So one file is checked, a few requests wait briefly, and the others
are asked to send the file again in a minute.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

MAX_QUEUED = 3
"""Leaves four of a web process's eight threads free for everything else."""
MAX_WAIT_SECONDS = 10.0


class FileChecksBusy(Exception):
    """Too many other files are being checked. Nothing is wrong with this one."""

    seconds = 60
    minutes = 1

    def __init__(self) -> None:
        super().__init__("Other files are being checked right now. Send this one again in a minute.")


class FileCheckQueue:
    """Lets one thread of this process check a file while a few others wait."""

    def __init__(self, *, max_queued: int = MAX_QUEUED, max_wait_seconds: float = MAX_WAIT_SECONDS) -> None:
        self._max_wait_seconds = max_wait_seconds
        self._checking = threading.Lock()
        self._slots = threading.BoundedSemaphore(max_queued + 1)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """
        Wait until no other thread checks a file.

        :raises FileChecksBusy: too many are waiting, or the wait took too long
        """
        if not self._slots.acquire(blocking=False):
            raise FileChecksBusy
        try:
            if not self._checking.acquire(timeout=self._max_wait_seconds):
                raise FileChecksBusy
            try:
                yield
            finally:
                self._checking.release()
        finally:
            self._slots.release()


FILE_CHECK_QUEUE = FileCheckQueue()
