"""A stack of real processes, as production has them: web, two workers, two schedulers, and the stand-in for Light."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from celery import Celery
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from core.clock import now
from core.queue import TaskName
from enrollments.actions import case_opening
from enrollments.models import AcceptAttempt, Enrollment
from enrollments.states import EnrollmentStatus
from installations.models import Installation
from poa_documents import actions as poa_actions
from poa_documents.models import PlanPromise, PoaDocument
from simulator.control_client import SimulatorControl
from simulator.server import DEFAULT_APP_TOKEN
from tests.factories import installations as made
from tests.factories.poa_documents import drafted_poa, signed_poa
from tests.integration.enrollments.flow import roomy_promise
from tests.invariants import CHECKS, Seen, differences_from_light
from tools.service_harness.servers import ROOT, Servers
from tools.service_harness.short_intervals import LEASE_SECONDS
from tools.service_harness.wire import Wire, WireState

MAX_WAIT_SECONDS = 180.0
LOOK_SECONDS = 0.1
CHECK_SECONDS = 2.0
READ_FILES = frozenset({"I7", "I11"})
LINK = re.compile(r"/portal/([\w-]{20,})/")
SAYS_NOTHING = re.compile(r"INFO celery.app.trace: Task \w+\.sweep|/readyz")
WORKERS = ("worker-1", "worker-2")
SCHEDULERS = ("scheduler-1", "scheduler-2")
SECONDS_TO_TAKE_OVER = LEASE_SECONDS + 120.0
"""Longer than a dead worker's lease and the sweep that finds it, on the busiest machine; it only limits the waiting."""


class NeverHappened(AssertionError):
    """What a test waited for did not happen. The text has the processes' last output."""


@dataclass
class Stack:
    """
    Starts, kills and watches the processes, and does what people do.

    People's actions are done with the queue out of reach, so that sweeps find them; a test may send messages itself.
    """

    servers: Servers
    wire: Wire
    database_url: str
    folder: Path
    environment: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.site_port, light_port = _free_ports(2)
        self.site_url = f"http://127.0.0.1:{self.site_port}"
        self.light_url = f"http://127.0.0.1:{light_port}"
        self.environment |= {
            "SITE_URL": self.site_url,
            "LIGHT_API_URL": self.light_url,
            "LIGHT_APP_TOKEN": DEFAULT_APP_TOKEN,
        }
        self.light = SimulatorControl(self.light_url)
        self._commands = self._name_commands(light_port)
        self._queue = Celery("tests", broker=self.servers.redis_url, set_as_current=False)
        self._queue.conf.update(
            task_default_queue="switchyard", broker_transport_options={"global_keyprefix": "switchyard:"}
        )

    # Processes

    def make_whole(self) -> None:
        """Start whatever does not run, end every fault, and wait until the stack works."""
        self.servers.start("postgres", "redis")
        self.wire.state = WireState.WHOLE
        for name in self._commands:
            if name not in self.running or self.running[name].poll() is not None:
                self.start(name)
        self.until(lambda: _answers(f"{self.light_url}/__sim__/clock"), "the stand-in answers", is_checked=False)
        self.light.clear_faults()
        self.light.switch_webhooks(off=False)
        self.until(lambda: _answers(f"{self.site_url}/readyz"), "the stack is ready", is_checked=False)

    def start(self, *names: str) -> None:
        for name in names:
            with self._log(name).open("ab") as log:
                self.running[name] = subprocess.Popen(  # noqa: S603 - our own commands
                    [sys.executable, *self._commands[name]],
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

    @contextmanager
    def wrong_clock(self, name: str, *, hours: float) -> Iterator[None]:
        """Let a worker run with a clock that is hours off, and at the end the one with the right clock again."""
        right = self._commands[name]
        self.kill(name)
        self._commands[name] = ["-m", "tools.service_harness.wrong_clock", str(hours), *right[2:]]
        self.start(name)
        try:
            yield
        finally:
            self.kill(name)
            self._commands[name] = right

    def kill(self, *names: str) -> None:
        """End processes and their children with signal 9."""
        for name in names:
            os.killpg(self.running[name].pid, signal.SIGKILL)
        for name in names:
            self.running.pop(name).wait()

    def children_of(self, name: str) -> list[int]:
        """The pool children of a worker."""
        pid = self.running[name].pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def close(self) -> None:
        for process in self.running.values():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.light.close()

    @contextmanager
    def frozen_redis(self) -> Iterator[None]:
        """Let Redis accept connections and answer nothing."""
        pid = int((self.servers.folder / "redis" / "pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def send(self, task: TaskName, **ids: int) -> None:
        self._queue.send_task(task.value, kwargs=ids, retry=False)

    # People

    def sell(self, prefix: str = "case", *, tags: str = "") -> Enrollment:
        """A customer with a sold solar job, whose case is open before anything is signed."""
        customer = made.customer(now(), email=f"{prefix}{tags}.{made.esi_id()}@example.com")
        job = made.installation(now(), customer=customer, site=made.site(now()))
        enrollment = case_opening.reconsider_site(site_id=job.site_id, at=now())
        assert enrollment is not None
        return enrollment

    def open_case(self, *, promise: PlanPromise | None = None, tags: str = "") -> Enrollment:
        """The same with a signed, sealed POA."""
        enrollment = self.sell(tags=tags)
        poa = {"customer": enrollment.customer, "site": enrollment.site, "promise": promise or self.promise()}
        signed_poa(at=now(), **poa)
        return enrollment

    def invite(self) -> tuple[Enrollment, PoaDocument]:
        """A customer who was sent the invitation to sign; the mail lies in the stack's mail folder."""
        enrollment = self.sell("invited")
        customer, site = enrollment.customer, enrollment.site
        poa = drafted_poa(at=now(), customer=customer, site=site, promise=self.promise())
        poa_actions.send_poa(poa_id=poa.pk, by=made.OFFICE, at=now())
        return enrollment, poa

    def ready_case(self, **details: Any) -> Enrollment:
        """A case that waits only for the permission to operate."""
        [case] = self.ready_cases(1, **details)
        return case

    def ready_cases(self, count: int, *, is_checked: bool = True, **details: Any) -> list[Enrollment]:
        """The same, watched with one query for any number of them."""
        cases = [self.open_case(**details) for _ in range(count)]
        ours = Enrollment.objects.filter(pk__in=[case.pk for case in cases])
        patience = MAX_WAIT_SECONDS + 2 * count
        self.until(
            lambda: not busy(ours).exists() and not ours.filter(attested_at__isnull=True).exists(),
            "Light knows the customers",
            seconds=patience,
            is_checked=is_checked,
        )
        for case in ours.select_related("site"):
            self.light.complete(str(case.light_account_uuid), esi_id=case.site.esi_id)
        self.until(
            lambda: not busy(ours).exists() and not ours.exclude(next_step="GO_LIVE").exists(),
            "the cases wait for the permission to operate",
            seconds=patience,
            is_checked=is_checked,
        )
        for case in cases:
            case.refresh_from_db()
        return cases

    def report_pto(self, case: Enrollment) -> None:
        job: Installation = case.installations.get()
        made.go_live_report(job, at=now())

    # Watching

    def until(
        self,
        holds: Callable[[], object],
        wish: str,
        *,
        seconds: float = MAX_WAIT_SECONDS,
        is_checked: bool = True,
    ) -> float:
        """
        Wait until something is true, checking the invariants repeatedly; return the seconds it took.

        :raises NeverHappened: it did not become true in time
        """
        began = last_check = time.monotonic()
        while not holds():
            waited = time.monotonic() - began
            if waited > seconds:
                raise NeverHappened(f"Waited {waited:.0f} s until {wish}.\n{self.last_words()}")
            if is_checked and time.monotonic() - last_check > CHECK_SECONDS:
                self.check()
                last_check = time.monotonic()
            time.sleep(LOOK_SECONDS)
        if is_checked:
            self.check()
        return time.monotonic() - began

    def check(self, *, reads_files: bool = False) -> None:
        """Check that every invariant holds in one snapshot of the records, while others may be at work."""
        written = self.everything_written()
        seen = Seen(self.light.acceptances(), captured=written)  # before the snapshot: recorded first, then sent
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            broken = [
                f"{name}: {finding}"
                for name, check in CHECKS.items()
                if name not in READ_FILES or reads_files
                for finding in check(seen)
            ]
        broken += [f"I12: {name} stands in the logs" for name, link in self._links() if link in written]
        assert not broken, "\n".join([*broken, self.last_words()])

    def until_finalized(self, *cases: Enrollment, seconds: float = MAX_WAIT_SECONDS) -> float:
        """Wait until each case was accepted and finalized exactly once, and nothing is in doubt."""
        took = self.until(
            lambda: all(_fresh(case).status == EnrollmentStatus.FINALIZED and _is_at_rest(case) for case in cases),
            "every case is finalized",
            seconds=seconds,
        )
        self.check(reads_files=True)
        assert differences_from_light(self.light.acceptances()) == []
        for case in cases:
            assert len(self.acceptances_of(case)) == 1
            assert AcceptAttempt.objects.filter(enrollment=case, succeeded=True).count() == 1
        return took

    def acceptances_of(self, case: Enrollment) -> list[dict[str, Any]]:
        uuid = str(_fresh(case).light_account_uuid)
        return [one for one in self.light.acceptances() if one["account_uuid"] == uuid]

    def calls(self, case: Enrollment, operation: str) -> int:
        """How many calls of one kind the stand-in got for a case's account."""
        uuid = str(_fresh(case).light_account_uuid)
        return sum(1 for call in self.light.requests(operation) if call.get("account_uuid") == uuid)

    def everything_written(self) -> str:
        return "\n".join(
            self._log(name).read_text(errors="replace") for name in self._commands if self._log(name).exists()
        )

    def listen(self) -> Callable[[str], bool]:
        """Return a function that tells whether a process logged some text from now on."""
        heard_before = {name: self._log(name).stat().st_size for name in self._commands if self._log(name).exists()}

        def is_logged(text: str) -> bool:
            return any(
                text.encode() in self._log(name).read_bytes()[heard_before.get(name, 0) :]
                for name in self._commands
                if self._log(name).exists()
            )

        return is_logged

    def _links(self) -> list[tuple[str, str]]:
        mails = "\n".join(file.read_text(errors="replace") for file in self.mail_folder.glob("*.eml"))
        return [(f"signing link {number}", link) for number, link in enumerate(LINK.findall(mails))]

    def last_words(self) -> str:
        words = []
        for name in self._commands:
            if self._log(name).exists():
                lines = self._log(name).read_text(errors="replace").splitlines()
                words += [f"--- {name}", *[line for line in lines if not SAYS_NOTHING.search(line)][-25:]]
        for case in Enrollment.objects.exclude(status=EnrollmentStatus.FINALIZED).order_by("-pk")[:3]:
            writes = [str(write) for write in case.writes.all()]
            words.append(
                f"--- {case} {case.status} {case.next_step} due {case.due_at} lease {case.lease_until} {writes}"
            )
        return "\n".join(words)

    @property
    def mail_folder(self) -> Path:
        return Path(self.environment["DATA_DIR"]) / "mail"

    def promise(self) -> PlanPromise:
        """The one product that the stack sells; the stand-in's plans always fit it."""
        return PlanPromise.objects.first() or roomy_promise()

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _name_commands(self, light_port: int) -> dict[str, list[str]]:
        celery = ["-m", "celery", "--app", "config"]
        worker = [*celery, "worker", "--concurrency", "2", "--hostname"]
        beat = [*celery, "beat", "--scheduler", "celery.beat:Scheduler", "--pidfile="]
        web = [
            "--bind",
            f"127.0.0.1:{self.site_port}",
            "--worker-class",
            "gthread",
            "--threads",
            "8",
            "--no-control-socket",
        ]
        return {
            "light": [
                *("-m", "simulator", "--port", str(light_port), "--webhook-url", f"{self.site_url}/webhooks/light/"),
                f"--webhook-secret={self.environment['LIGHT_WEBHOOK_SECRET']}",
            ],
            "web": ["-m", "gunicorn", *web, "config.wsgi"],
            **{name: [*worker, f"{name}@stack"] for name in WORKERS},
            **dict.fromkeys(SCHEDULERS, beat),
        }


def busy(cases: QuerySet[Enrollment]) -> QuerySet[Enrollment]:
    """Those that are being processed, or due."""
    return cases.filter(Q(lease_until__isnull=False) | Q(due_at__lte=now()))


@contextmanager
def held_row(case: Enrollment) -> Iterator[None]:
    """
    Keep an enrollment's row locked from a connection of its own, so that anyone who wants to write it must wait.

    Rows that only point to it, such as the record of a call, can still be written.
    """
    locked, enough = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Enrollment.objects.select_for_update(no_key=True).get(pk=case.pk)
                locked.set()
                enough.wait(MAX_WAIT_SECONDS)
        finally:
            connection.close()

    thread = threading.Thread(target=hold, name="held-row")
    thread.start()
    assert locked.wait(20)
    try:
        yield
    finally:
        enough.set()
        thread.join()


def writers_waiting() -> int:
    """How many sessions wait for a lock that another one has."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def _fresh(case: Enrollment) -> Enrollment:
    return Enrollment.objects.get(pk=case.pk)


def _is_at_rest(case: Enrollment) -> bool:
    fresh = _fresh(case)
    at: datetime = now()
    return fresh.lease_until is None and (fresh.due_at is None or fresh.due_at > at)


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=10).ok
    except requests.RequestException:
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
