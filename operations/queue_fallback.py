"""
Due work is done without the queue while the queue takes no messages: by the scheduler's process, which sees that first.

What is due is in the database, so no message is needed to find it. It is less than the workers would do at the same
time, but nothing that has a last day waits for somebody to repair Redis.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from celery import Celery
from django.conf import settings
from django.db import connections

from core import clock
from core.queue import QUEUE_UNAVAILABLE, check_takes_messages
from core.sweeps import note_work_without_queue
from enrollments.tasks import advance_most_urgent, process_due_rows, sweep_enrollments_task
from installations.tasks import sweep_proofs_task
from poa_documents.tasks import sweep_poas_task

logger = logging.getLogger(__name__)

CASES_AT_ONCE = 4
ROUND_SECONDS = 15.0
"""After this long no further case is begun before the queue is asked again."""
FAILED_LOOKS = 2
"""A queue that restarts is back at the next look."""


class Standby:
    """Looks at the queue as often as the sweeps run, and does their work while it is away."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._failed_looks = 0

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="standby", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        self._stopped.set()

    def look(self) -> bool:
        """Do what is due if the queue has been away for a while; return whether it was done here."""
        try:
            check_takes_messages()
        except QUEUE_UNAVAILABLE as problem:
            self._failed_looks += 1
            if self._failed_looks == FAILED_LOOKS:
                logger.warning("The queue takes no messages (%s); due work is done without it.", problem)
        else:
            if self._failed_looks >= FAILED_LOOKS:
                logger.warning("The queue takes messages again.")
            self._failed_looks = 0
        if self._failed_looks < FAILED_LOOKS:
            return False
        self._work()
        return True

    def _run(self) -> None:
        while not self._stopped.wait(settings.SWEEP_SECONDS):
            try:
                self.look()
            except Exception:
                logger.exception("Due work could not be done without the queue; it is tried again.")
            finally:
                connections.close_all()

    def _work(self) -> None:
        note_work_without_queue(at=clock.now())
        until = time.monotonic() + ROUND_SECONDS
        with ThreadPoolExecutor(CASES_AT_ONCE, thread_name_prefix="standby") as pool:
            cases = [pool.submit(self._advance_cases, until) for _ in range(CASES_AT_ONCE)]
            for sweep in (sweep_proofs_task, sweep_poas_task, sweep_enrollments_task, process_due_rows):
                _attempt(sweep)
        for each in cases:
            each.result()

    def _advance_cases(self, until: float) -> None:
        try:
            while time.monotonic() < until and not self._stopped.is_set():
                if not _attempt(advance_most_urgent):
                    break
        finally:
            connections.close_all()


def _attempt(work: Callable[[], object]) -> object:
    """Do one kind of work; when it fails, the others go on."""
    try:
        return work()
    except Exception:
        logger.exception("Some due work could not be done without the queue; it is tried again.")
        return None


def begin(sender: object, **_signal: object) -> None:
    """Begin with the scheduler. A queue in memory is never away."""
    app: Celery = sender.app  # type: ignore[attr-defined]
    if not str(app.conf.broker_url).startswith("memory:"):
        Standby().start()
