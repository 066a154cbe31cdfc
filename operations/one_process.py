"""
Web, worker and scheduler as threads of one process, for small installations.

Killing the process loses nothing: due work is in the database, and the sweeps find it after the next start.
"""

import errno
import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import celery.beat
import celery.worker.state
from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import worker_ready
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

logger = logging.getLogger(__name__)

WORKER_THREADS = 4
SECONDS_TO_GET_READY = 20.0
SECONDS_TO_STOP = 1.5
CHECK_SECONDS = 0.25
STOP_CHECK_SECONDS = 0.05


class PortInUse(Exception):
    """Another process already listens on the port."""


class AddressNotAvailable(Exception):
    """The host name does not belong to this machine, or the port is reserved."""


class PartStopped(Exception):
    """A thread ended unexpectedly, so the process would only appear to be alive."""


class _QuietRequestHandler(WSGIRequestHandler):
    """Writes no access log, because URLs of the portal are secrets. Django logs errors."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the parent's
        pass


class OneProcess:
    """The three parts, started in order and stopped in reverse order."""

    def __init__(self, *, app: Celery, application: WSGIApplication, host: str, port: int) -> None:
        """
        Bind the port; `port` 0 picks any free one.

        :raises PortInUse: another process listens on it
        :raises AddressNotAvailable: this machine cannot listen on it
        """
        self._server = _listen(host, port)
        self._requests = _CountedRequests(application)
        self._server.set_app(self._requests)
        self.port = int(self._server.server_address[1])
        self._app = app
        self._stop_wanted = threading.Event()
        self._worker: Any = None
        self._scheduler: Any = None
        self._threads: list[threading.Thread] = []

    def run(self, *, on_ready: Callable[[], None]) -> bool:
        """
        Serve until SIGTERM or SIGINT. Return whether all active work finished in time.

        :raises PartStopped: a part failed to start or ended unexpectedly
        """
        self._configure_queue()
        with _signals_set(self._stop_wanted):
            try:
                self._start_parts()
                on_ready()
                self._wait()
            finally:
                finished = self._stop_parts()
        return finished

    def stop(self) -> None:
        self._stop_wanted.set()

    def _configure_queue(self) -> None:
        if self._queue_is_in_memory:
            self._app.conf.update(broker_transport_options={"polling_interval": 0.05})
        # Threads cannot be aborted. They finish their work when the connection to the queue is lost.
        self._app.conf.update(worker_cancel_long_running_tasks_on_connection_loss=False)

    @property
    def _queue_is_in_memory(self) -> bool:
        return str(self._app.conf.broker_url).startswith("memory:")

    def _start_parts(self) -> None:
        # Celery warns about running as root because of pickled messages; ours are JSON.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        ready = threading.Event()

        def notify_ready(**_sender: object) -> None:
            ready.set()

        worker_ready.connect(notify_ready, weak=False)
        try:
            self._worker = self._app.Worker(
                pool="threads",
                concurrency=WORKER_THREADS,
                # With a limit, a queue in memory pauses for two seconds when that many tasks end at the same time.
                prefetch_multiplier=0 if self._queue_is_in_memory else None,
                quiet=True,
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
            )
            self._scheduler = celery.beat.Service(self._app, max_interval=1, scheduler_cls=celery.beat.Scheduler)
            self._start_thread("worker", self._worker.start)
            deadline = time.monotonic() + SECONDS_TO_GET_READY
            while not ready.wait(CHECK_SECONDS) and not self._stop_wanted.is_set():
                self._check_parts()
                if time.monotonic() > deadline:
                    self._continue_without_worker()
                    break
        finally:
            worker_ready.disconnect(notify_ready)
        self._start_thread("scheduler", self._scheduler.start)
        self._start_thread("web", self._server.serve_forever)

    def _continue_without_worker(self) -> None:
        """
        Start without the worker while the queue is unavailable. The worker keeps trying to connect.

        :raises PartStopped: the queue is in memory, so something else is wrong
        """
        if self._queue_is_in_memory:
            raise PartStopped("The worker was not ready in time. The log above may say why.")
        logger.warning("The queue at CELERY_BROKER_URL is unavailable. Due work is done without it.")

    def _start_thread(self, name: str, run: Callable[[], object]) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _wait(self) -> None:
        while not self._stop_wanted.wait(CHECK_SECONDS):
            self._check_parts()

    def _check_parts(self) -> None:
        for thread in self._threads:
            if not thread.is_alive():
                raise PartStopped(f"The {thread.name} ended unexpectedly. The log above says why.")

    def _stop_parts(self) -> bool:
        """Stop accepting work and wait for active work, but not for an idle worker."""
        stops: list[Callable[[], None]] = []
        if any(thread.name == "web" for thread in self._threads):
            stops.append(self._server.shutdown)
        if self._scheduler is not None:
            stops.append(self._scheduler.stop)
        if self._worker is not None:
            stops.append(self._worker.stop)
        for stop in stops:
            threading.Thread(target=stop, daemon=True).start()
        deadline = time.monotonic() + SECONDS_TO_STOP
        while self._is_busy() and time.monotonic() < deadline:
            time.sleep(STOP_CHECK_SECONDS)
        self._server.server_close()
        return not self._is_busy()

    def _is_busy(self) -> bool:
        return bool(self._requests.active or celery.worker.state.active_requests)


class _CountedRequests:
    """Counts the requests that are being processed."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._lock = threading.Lock()
        self.active = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        self._count(1)
        try:
            answer = self._application(environ, start_response)
            try:
                yield from answer
            finally:
                if hasattr(answer, "close"):
                    answer.close()
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            self.active += change


def exit_with_unfinished_work() -> None:
    """Exit although a task is running. Its lease expires and a sweep finds the work again."""
    logging.shutdown()
    os._exit(0)


def _listen(host: str, port: int) -> ThreadedWSGIServer:
    try:
        return ThreadedWSGIServer((host, port), _QuietRequestHandler, ipv6=":" in host)
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            raise PortInUse(f"Port {port} on {host} is used by another process.") from problem
        raise AddressNotAvailable(f"Cannot listen on port {port} of {host}: {problem.strerror}.") from problem


@contextmanager
def _signals_set(event: threading.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT set `event`. Do nothing outside the main thread, which cannot handle signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in kept:
        signal.signal(number, lambda _number, _frame: event.set())
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
