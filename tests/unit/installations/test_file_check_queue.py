"""One file is read at a time; a few people wait, and nobody waits long."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from installations.file_check_queue import MAX_QUEUED, FileCheckQueue, FileChecksBusy

WEB_THREADS = 8


def test_half_of_the_web_threads_stay_free() -> None:
    """Eight slow files arrive together: one is read, a few wait, the others are refused immediately."""
    queue, is_reading, may_end = FileCheckQueue(max_wait_seconds=60), threading.Event(), threading.Event()
    refused = threading.Semaphore(0)

    def read() -> str:
        try:
            with queue.slot():
                is_reading.set()
                assert may_end.wait(60)
                return "read"
        except FileChecksBusy:
            refused.release()
            return "busy"

    with ThreadPoolExecutor(WEB_THREADS) as pool:
        sent = [pool.submit(read) for _ in range(WEB_THREADS)]
        assert is_reading.wait(60)
        for _ in range(WEB_THREADS - 1 - MAX_QUEUED):
            assert refused.acquire(timeout=60)  # while nothing has ended yet
        may_end.set()
        outcomes = sorted(each.result() for each in sent)

    assert MAX_QUEUED + 1 <= WEB_THREADS // 2
    assert outcomes == ["busy"] * 4 + ["read"] * 4


def test_waiting_too_long_is_refused() -> None:
    queue = FileCheckQueue(max_wait_seconds=0.01)

    with queue.slot(), pytest.raises(FileChecksBusy, match="in a minute"), queue.slot():
        pass

    with queue.slot():
        pass  # no slot stays taken


def test_failed_check_frees_its_slot() -> None:
    queue = FileCheckQueue(max_queued=0)

    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), queue.slot():
            raise ValueError("broken")
