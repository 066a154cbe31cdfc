"""
Files are read one after the other, and few people wait for it.

A large photo takes most of a gigabyte while it is drawn, and a hostile PDF all the time that its reader gets. Several
at once would take the machine's memory, and the web server's threads with it. So one is read, a few wait for a short
while, and everyone else is asked to send the file again in a moment.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

MAX_WAITING = 3
"""Of the eight threads of a web process, four stay free for everything else."""
MAX_WAIT_SECONDS = 10.0


class ReadersBusy(Exception):
    """Other files are being read; nothing is wrong with this one."""

    seconds = 60
    minutes = 1

    def __init__(self) -> None:
        super().__init__("Other files are being checked right now. Send this one again in a minute.")


class Turns:
    """Lets one thread of this process read, and a few wait for it."""

    def __init__(self, *, max_waiting: int = MAX_WAITING, max_wait_seconds: float = MAX_WAIT_SECONDS) -> None:
        self._max_waiting = max_waiting
        self._max_wait_seconds = max_wait_seconds
        self._reading = threading.Lock()
        self._places = threading.BoundedSemaphore(max_waiting + 1)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """
        Wait until no other thread reads.

        :raises ReadersBusy: too many wait already, or the wait took too long
        """
        if not self._places.acquire(blocking=False):
            raise ReadersBusy
        try:
            if not self._reading.acquire(timeout=self._max_wait_seconds):
                raise ReadersBusy
            try:
                yield
            finally:
                self._reading.release()
        finally:
            self._places.release()


TURNS = Turns()
