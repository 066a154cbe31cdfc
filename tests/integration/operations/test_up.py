"""The one-process runner as a user starts it: a separate process, stopped by signals."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SECONDS_TO_START = 180


class Up:
    """One `manage.py up` and what it wrote so far."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.log = folder / f"{uuid.uuid4().hex}.log"
        environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
        environment |= {"DATA_DIR": str(folder / "data"), "DJANGO_SETTINGS_MODULE": "tools.service_harness.settings"}
        with self.log.open("xb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "manage.py", "up", "--port", "0", *arguments],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.started = time.monotonic()
        self.seconds_to_start = 0.0

    @property
    def written(self) -> str:
        return self.log.read_text()

    def address(self) -> str:
        wait_until(lambda: "is ready" in self.written or self.process.poll() is not None, lambda: self.written)
        found = re.findall(r"ready: (http://127\.0\.0\.1:[0-9]+)/", self.written)
        assert found, self.written
        self.seconds_to_start = time.monotonic() - self.started
        return str(found[-1])

    def stop(self, number: signal.Signals) -> tuple[int, float]:
        started = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(timeout=SECONDS_TO_START), time.monotonic() - started


def wait_until(holds: Callable[[], bool], describe: Callable[[], str]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not holds():
        assert time.monotonic() < deadline, describe()
        time.sleep(0.05)


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Up]:
    up = Up(folder, *arguments)
    try:
        yield up
    finally:
        up.process.kill()
        up.process.wait()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose database is up to date."""
    folder = tmp_path_factory.mktemp("up")
    with running(folder, "--setup") as up:
        up.address()
        up.stop(signal.SIGTERM)
    return folder


def answer(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=SECONDS_TO_START) as response:  # noqa: S310 - on this machine
            return response.status, response.read()
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, problem.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_stops_promptly_when_told(prepared: Path, number: signal.Signals) -> None:
    with running(prepared) as up:
        address = up.address()

        assert answer(f"{address}/readyz")[0] == 200
        assert answer(f"{address}/static/admin/css/base.css")[0] == 200
        exit_code, seconds = up.stop(number)

        assert exit_code == 0
        assert seconds < up.seconds_to_start, "a busy machine slows down both"
        assert "Switchyard stopped" in up.written


def sweeps_of(folder: Path) -> set[str]:
    """The database's answer: a sweep that finds nothing logs no line."""
    with closing(sqlite3.connect(folder / "data" / "switchyard.sqlite3")) as database:
        return {task for (task,) in database.execute("SELECT task FROM core_lastsweep")}


def test_sweeps_run_inside_it(prepared: Path) -> None:
    with running(prepared) as up:
        up.address()

        wait_until(lambda: {"poa_documents.sweep", "enrollments.sweep"} <= sweeps_of(prepared), lambda: up.written)

        assert "Traceback" not in up.written


def test_it_starts_again_after_a_kill(prepared: Path) -> None:
    with running(prepared) as up:
        up.address()
        up.stop(signal.SIGKILL)

    with running(prepared) as up:
        assert answer(f"{up.address()}/readyz")[0] == 200


def test_taken_port_is_named_with_a_remedy(prepared: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(prepared, "--port", str(port)) as up:
            exit_code = up.process.wait(timeout=SECONDS_TO_START)

            assert exit_code == 1
            assert f"Port {port} on 127.0.0.1 is used by another process." in up.written
            assert "--port" in up.written


def test_empty_database_is_not_served(tmp_path: Path) -> None:
    with running(tmp_path) as up:
        exit_code = up.process.wait(timeout=SECONDS_TO_START)

        assert exit_code == 1
        assert "Start with --setup, or run manage.py migrate first." in up.written


@pytest.mark.parametrize(("name", "value"), [("SESSION_HOURS", "often"), ("LIGHT_APP_TOKNE", "abc")])
def test_wrong_setting_stops_it_and_is_named(tmp_path: Path, name: str, value: str) -> None:
    completed = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), name: value},
        capture_output=True,
        text=True,
        timeout=SECONDS_TO_START,
        check=False,
    )

    assert completed.returncode == 1
    assert completed.stderr.startswith(f"Switchyard cannot start:\n{name} ")
    assert "Traceback" not in completed.stderr


def test_empty_system_says_how_to_create_the_first_account(tmp_path: Path) -> None:
    with running(tmp_path, "--setup") as up:
        up.address()
        wait_until(lambda: "createsuperuser" in up.written, lambda: up.written)

    assert re.search(
        r"Create the first account.* python\S* manage\.py createsuperuser|/python\S* manage\.py", up.written
    )
