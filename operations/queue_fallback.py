"""
While the queue is unavailable, the scheduler's process does due work itself.

Due work is in the database, so it can be found without messages. This is slower than the workers, but no deadline has
to wait until Redis is fixed.
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
from core.sweep_times import note_work_without_queue
from enrollments.tasks import advance_most_urgent, process_due_rows, sweep_enrollments_task
from installations.tasks import sweep_proofs_task
from poa_documents.tasks import sweep_poas_task

logger = logging.getLogger(__name__)

CONCURRENT_CASES = 4
ROUND_SECONDS = 15.0
"""After this long, the queue is checked again before another case is started."""
FAILED_CHECKS_BEFORE_FALLBACK = 2
"""A queue that only restarts is available again at the next check."""


class QueueFallback:
    """Checks the queue as often as the sweeps run, and does their work while it is unavailable."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._failed_checks = 0

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="standby", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        self._stopped.set()

    def check(self) -> bool:
        """Do due work if the queue has been unavailable for a while. Return whether it was done."""
        try:
            check_takes_messages()
        except QUEUE_UNAVAILABLE as problem:
            self._failed_checks += 1
            if self._failed_checks == FAILED_CHECKS_BEFORE_FALLBACK:
                logger.warning("The queue is unavailable (%s). Due work is done without it.", problem)
        else:
            if self._failed_checks >= FAILED_CHECKS_BEFORE_FALLBACK:
                logger.warning("The queue is available again.")
            self._failed_checks = 0
        if self._failed_checks < FAILED_CHECKS_BEFORE_FALLBACK:
            return False
        self._work()
        return True

    def _run(self) -> None:
        while not self._stopped.wait(settings.SWEEP_SECONDS):
            try:
                self.check()
            except Exception:
                logger.exception("Due work without the queue failed and is retried.")
            finally:
                connections.close_all()

    def _work(self) -> None:
        note_work_without_queue(at=clock.now())
        until = time.monotonic() + ROUND_SECONDS
        with ThreadPoolExecutor(CONCURRENT_CASES, thread_name_prefix="standby") as pool:
            cases = [pool.submit(self._advance_cases, until) for _ in range(CONCURRENT_CASES)]
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
    """Do one kind of work. If it fails, log it, so that the others continue."""
    try:
        return work()
    except Exception:
        logger.exception("Some due work without the queue failed and is retried.")
        return None


def start_with_scheduler(sender: object, **_signal: object) -> None:
    """Start together with the scheduler. A queue in memory is always available."""
    app: Celery = sender.app  # type: ignore[attr-defined]
    if not str(app.conf.broker_url).startswith("memory:"):
        QueueFallback().start()
