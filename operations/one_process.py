"""
Web, worker and scheduler as threads of one process, for a machine on which nothing else runs.

Nothing is kept that a kill could spoil: what is due stands in the database, and the sweeps of the next start find it.
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
SECONDS_BETWEEN_LOOKS = 0.25
SECONDS_BETWEEN_LAST_LOOKS = 0.05


class PortTaken(Exception):
    """Another process listens there already."""


class AddressNotOurs(Exception):
    """The host name does not belong to this machine, or the port is reserved."""


class PartStopped(Exception):
    """One of the threads ended by itself, so that the process would only look alive."""


class _QuietRequestHandler(WSGIRequestHandler):
    """Writes no access log: addresses of the portal are secrets, and errors are logged by Django itself."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the parent's
        pass


class OneProcess:
    """The three parts, started in order and stopped in reverse order."""

    def __init__(self, *, app: Celery, application: WSGIApplication, host: str, port: int) -> None:
        """
        Take the port; `port` 0 takes any free one.

        :raises PortTaken: another process listens there
        :raises AddressNotOurs: this machine cannot listen there
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
        Serve until SIGTERM or SIGINT arrives; tell whether all work in hand could be finished first.

        :raises PartStopped: a part failed to start, or ended by itself
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
        # Threads cannot be broken off. What they work on when the queue goes away they finish.
        self._app.conf.update(worker_cancel_long_running_tasks_on_connection_loss=False)

    @property
    def _queue_is_in_memory(self) -> bool:
        return str(self._app.conf.broker_url).startswith("memory:")

    def _start_parts(self) -> None:
        # Celery warns of root because of pickled messages; ours are JSON.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        ready = threading.Event()

        def tell_ready(**_sender: object) -> None:
            ready.set()

        worker_ready.connect(tell_ready, weak=False)
        try:
            self._worker = self._app.Worker(
                pool="threads",
                concurrency=WORKER_THREADS,
                # With a limit, a queue in memory stands still for two seconds whenever so many tasks end at once.
                prefetch_multiplier=0 if self._queue_is_in_memory else None,
                quiet=True,
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
            )
            self._scheduler = celery.beat.Service(self._app, max_interval=1, scheduler_cls=celery.beat.Scheduler)
            self._start_thread("worker", self._worker.start)
            deadline = time.monotonic() + SECONDS_TO_GET_READY
            while not ready.wait(SECONDS_BETWEEN_LOOKS) and not self._stop_wanted.is_set():
                self._check_parts()
                if time.monotonic() > deadline:
                    self._do_without_worker_for_now()
                    break
        finally:
            worker_ready.disconnect(tell_ready)
        self._start_thread("scheduler", self._scheduler.start)
        self._start_thread("web", self._server.serve_forever)

    def _do_without_worker_for_now(self) -> None:
        """
        Let pages work and due work be done while the queue is away; the worker goes on trying to connect.

        :raises PartStopped: the queue is in memory, so that something else is wrong
        """
        if self._queue_is_in_memory:
            raise PartStopped("The worker was not ready in time; the log above may say why.")
        logger.warning("The queue of CELERY_BROKER_URL takes no messages yet; due work is done without it.")

    def _start_thread(self, name: str, run: Callable[[], object]) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _wait(self) -> None:
        while not self._stop_wanted.wait(SECONDS_BETWEEN_LOOKS):
            self._check_parts()

    def _check_parts(self) -> None:
        for thread in self._threads:
            if not thread.is_alive():
                raise PartStopped(f"The {thread.name} ended by itself; the log above says why.")

    def _stop_parts(self) -> bool:
        """Take on nothing new and wait for what is in hand, not for a worker that only listens for news."""
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
            time.sleep(SECONDS_BETWEEN_LAST_LOOKS)
        self._server.server_close()
        return not self._is_busy()

    def _is_busy(self) -> bool:
        return bool(self._requests.in_hand or celery.worker.state.active_requests)


class _CountedRequests:
    """Passes requests on and knows how many are not answered yet."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._lock = threading.Lock()
        self.in_hand = 0

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
            self.in_hand += change


def leave_unfinished_work() -> None:
    """End the process although a task still runs; its row's lease runs out, and a sweep finds it again."""
    logging.shutdown()
    os._exit(0)


def _listen(host: str, port: int) -> ThreadedWSGIServer:
    try:
        return ThreadedWSGIServer((host, port), _QuietRequestHandler, ipv6=":" in host)
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            raise PortTaken(f"Port {port} of {host} is taken by another process.") from problem
        raise AddressNotOurs(f"Cannot listen on port {port} of {host}: {problem.strerror}.") from problem


@contextmanager
def _signals_set(event: threading.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT set `event`; outside the main thread, where that is not possible, leave them alone."""
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
