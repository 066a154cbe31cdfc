"""Web, worker and scheduler as separate processes on PostgreSQL and Redis, started as docker-compose.yml does."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from tests.conftest import REDIS_URL
from tests.unit.config.production_environment import production_environment

pytestmark = pytest.mark.services

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
SECONDS_TO_WAIT = 180
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass
class Processes:
    """The running processes by name, with the environment they share."""

    environment: dict[str, str]
    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        with self._log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(  # noqa: S603 - our own commands
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )

    def written_by(self, name: str) -> str:
        return self._log(name).read_text()

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        process = self.running.pop(name)
        process.send_signal(number)
        return process.wait(timeout=SECONDS_TO_WAIT)

    def everything_written(self) -> str:
        return "\n".join(f"--- {name}\n{self.written_by(name)}" for name in self.running)

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


@contextmanager
def processes(environment: dict[str, str], folder: Path) -> Iterator[Processes]:
    started = Processes(environment, folder)
    try:
        yield started
    finally:
        for process in started.running.values():
            process.kill()
            process.wait()


@pytest.fixture
def stack(postgres_url: str, redis_key_prefix: str, tmp_path: Path) -> Iterator[Processes]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment |= {
        **{name: value for name, value in production_environment().items() if name in SECRETS},
        "DJANGO_SETTINGS_MODULE": "tools.service_harness.settings",
        "DATA_DIR": str(tmp_path / "data"),
        "DATABASE_URL": postgres_url,
        "CELERY_BROKER_URL": REDIS_URL,
        "CELERY_KEY_PREFIX": redis_key_prefix,
    }
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--noinput", "--verbosity", "0"],
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=SECONDS_TO_WAIT,
    )
    with processes(environment, tmp_path) as started:
        yield started


SECRETS = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "LIGHT_WEBHOOK_SECRET")


def start_worker(stack: Processes) -> None:
    stack.start("worker", str(PROGRAMS / "celery"), "--app", "config", "worker", "--concurrency", "2")


def start_scheduler(stack: Processes) -> None:
    celery = str(PROGRAMS / "celery")
    stack.start("scheduler", celery, "--app", "config", "beat", "--scheduler", "celery.beat:Scheduler", "--pidfile=")


def start_web(stack: Processes) -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    gunicorn = str(PROGRAMS / "gunicorn")
    stack.start("web", gunicorn, "config.wsgi", "--bind", address, "--worker-class", "gthread", "--threads", "4")
    return f"http://{address}"


def wait_until(holds: Callable[[], bool], stack: Processes) -> None:
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while not holds():
        assert time.monotonic() < deadline, stack.everything_written()
        time.sleep(0.1)


def answers(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS_TO_WAIT) as response:  # noqa: S310 - on this machine
            return response.status, response.read().decode()
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, problem.read().decode()
    except urllib.error.URLError as problem:
        return 0, str(problem)


def last_sweep(stack: Processes, task: str = "enrollments.sweep") -> datetime:
    """The database's answer: a sweep that finds nothing logs no line."""
    with psycopg.connect(stack.environment["DATABASE_URL"]) as database:
        found = database.execute("SELECT at FROM core_lastsweep WHERE task = %s", [task]).fetchone()
    return found[0] if found else NEVER


def sweeps_since(stack: Processes, at: datetime) -> Callable[[], bool]:
    return lambda: last_sweep(stack) > at


def test_three_processes_cooperate_and_stop_when_asked(stack: Processes) -> None:
    web = start_web(stack)
    start_worker(stack)
    start_scheduler(stack)

    wait_until(lambda: answers(f"{web}/readyz")[0] == 200, stack)
    wait_until(sweeps_since(stack, NEVER), stack)
    wait_until(sweeps_since(stack, last_sweep(stack)), stack)

    assert last_sweep(stack, "poa_documents.sweep") > NEVER
    assert "Traceback" not in stack.everything_written()
    assert [stack.stop(name) for name in ("scheduler", "worker", "web")] == [0, 0, 0]


def test_killed_worker_is_replaced_and_work_continues(stack: Processes) -> None:
    start_worker(stack)
    start_scheduler(stack)
    wait_until(sweeps_since(stack, NEVER), stack)
    stack.stop("worker", signal.SIGKILL)
    before = last_sweep(stack)

    start_worker(stack)

    wait_until(sweeps_since(stack, before), stack)


def test_web_names_the_missing_part(stack: Processes) -> None:
    stack.environment["CELERY_BROKER_URL"] = "redis://127.0.0.1:1/0"
    web = start_web(stack)

    wait_until(lambda: answers(f"{web}/healthz")[0] == 200, stack)
    status, body = answers(f"{web}/readyz")

    assert status == 503
    assert '"broker": "failing"' in body
    assert '"database": "ok"' in body
    assert "redis://" not in body
