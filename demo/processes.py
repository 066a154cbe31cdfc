"""
The demo's other processes: the stand-in for Light, and `manage.py up` or, with PostgreSQL and Redis, separate processes
for web, two workers and a scheduler.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from config.environment import VARIABLES
from enrollments.light.dialect_settings import OVERRIDE_PREFIX
from operations.management.commands.up import SETUP_COMMANDS
from simulator.server import DEFAULT_APP_TOKEN

HOST = "127.0.0.1"
DEFAULT_SITE_PORT = 8000
DEFAULT_LIGHT_PORT = 8001
SECONDS_TO_START = 60.0
"""On an idle machine; see `seconds_to_start`."""
MAX_SLOWNESS = 10.0
PROGRESS_SECONDS = 20.0
SECONDS_TO_STOP = 10.0


class ServerNotStarted(Exception):
    """A process ended or did not answer in time. The text includes the end of its log."""


class CommandFailed(Exception):
    """A `manage.py` command failed. The text is its output."""


@dataclass(frozen=True)
class Ports:
    """Ports of the demo's two servers; 0 means the default port if it is free, otherwise any."""

    site: int = 0
    light: int = 0
    use_default_ports: bool = True


class ServerProcess:
    """One process of the demo. Its output goes to a log in the data folder."""

    def __init__(
        self, name: str, arguments: list[str], *, environment: Mapping[str, str], answers_at: str = "", log: Path
    ) -> None:
        self.name = name
        self._arguments = arguments
        self._environment = dict(environment)
        self._answers_at = answers_at
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - no external input
                [sys.executable, *self._arguments],
                cwd=settings.BASE_DIR,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches only the demo, which then stops its processes in order
            )

    def wait_until_ready(self) -> None:
        """:raises ServerNotStarted: it ended or does not answer in time"""
        began = time.monotonic()
        next_word = PROGRESS_SECONDS
        while (waited := time.monotonic() - began) < seconds_to_start():
            if not self.is_running:
                raise ServerNotStarted(f"{self.name} ended at its start. {self._log_end()}")
            if not self._answers_at or _answers(self._answers_at):
                return
            if waited > next_word:
                print(f"{self.name} is still starting after {waited:.0f} seconds. {_busy_machine()}", flush=True)
                next_word += PROGRESS_SECONDS
            time.sleep(0.05)
        raise ServerNotStarted(
            f"{self.name} does not answer at {self._answers_at} after {waited:.0f} seconds. {_busy_machine()} "
            f"{self._log_end()}"
        )

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill it and its child processes with signal 9, like a power failure."""
        if self._process is not None and self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def ask_to_stop(self) -> None:
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGTERM)

    def wait_until_stopped(self) -> None:
        """Wait until it stops, and kill it if that takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.kill()

    def _log_end(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-12:]
        if not lines:
            return f"Its log {self._log} is empty."
        return "\n".join([f"The end of {self._log}:", *lines])


def seconds_to_start() -> float:
    """Return how long a process may take to start: longer on a busy machine."""
    return SECONDS_TO_START * min(max(_load_per_cpu(), 1.0), MAX_SLOWNESS)


def _load_per_cpu() -> float:
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def _busy_machine() -> str:
    return f"The machine has {os.cpu_count() or 1} processors and a load of {os.getloadavg()[0]:.1f}."


class Servers:
    """The stand-in for Light and Switchyard's processes."""

    def __init__(self, *, dialect: str, log_folder: Path, ports: Ports) -> None:
        self.site_port = ports.site or free_port(
            DEFAULT_SITE_PORT if ports.use_default_ports else 0, excluded=ports.light
        )
        self.light_port = ports.light or free_port(
            DEFAULT_LIGHT_PORT if ports.use_default_ports else 0, excluded=self.site_port
        )
        self.site_url = f"http://{HOST}:{self.site_port}"
        self.light_url = f"http://{HOST}:{self.light_port}"
        self._environment = self._shared_environment(dialect)
        self._log_folder = log_folder
        self.light = ServerProcess(
            "The stand-in for Light",
            [
                *("-m", "simulator", "--port", str(self.light_port), "--dialect", dialect),
                *("--webhook-url", f"{self.site_url}/webhooks/light/"),
                f"--webhook-secret={self._environment['LIGHT_WEBHOOK_SECRET']}",  # may begin with a dash
            ],
            environment=self._environment,
            answers_at=f"{self.light_url}/__sim__/clock",
            log=log_folder / "simulator.log",
        )
        self.is_separate = settings.CELERY_BROKER_URL.startswith("redis")
        self.own = self._separate_processes() if self.is_separate else [self._one_process()]

    @property
    def is_running(self) -> bool:
        return self.light.is_running and all(part.is_running for part in self.own)

    def start(self) -> None:
        """:raises ServerNotStarted: one of them ended or does not answer in time"""
        self.light.start()
        if self.is_separate:
            set_up_database()
        for part in self.own:
            part.start()
        for part in (self.light, *self.own):
            part.wait_until_ready()

    def stop(self) -> None:
        for part in (*self.own, self.light):
            part.ask_to_stop()
        for part in (*self.own, self.light):
            part.wait_until_stopped()

    def run(self, *command: str) -> str:
        """
        Run a `manage.py` command, as an operator would, and return its output.

        :raises CommandFailed: it failed
        """
        ended = subprocess.run(  # noqa: S603 - no external input
            [sys.executable, "manage.py", *command],
            cwd=settings.BASE_DIR,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise CommandFailed(f"manage.py {' '.join(command)} failed:\n{ended.stdout}")
        return ended.stdout

    def _one_process(self) -> ServerProcess:
        arguments = ["manage.py", "up", "--setup", "--port", str(self.site_port)]
        return self._part("manage.py up", arguments, log="up.log", answers_at=f"{self.site_url}/healthz")

    def _separate_processes(self) -> list[ServerProcess]:
        """Return the processes of docker-compose.yml, with two workers."""
        web = [
            "-m",
            "gunicorn",
            "--bind",
            f"{HOST}:{self.site_port}",
            "--worker-class",
            "gthread",
            "--threads",
            "8",
            "--no-control-socket",
        ]
        celery = ["-m", "celery", "--app", "config"]
        worker = [*celery, "worker", "--concurrency", "2", "--hostname"]
        beat = [*celery, "beat", "--scheduler", "celery.beat:Scheduler", "--pidfile="]
        return [
            self._part("web", [*web, "config.wsgi"], log="web.log", answers_at=f"{self.site_url}/readyz"),
            *(self._part(name, [*worker, f"{name}@demo"], log=f"{name}.log") for name in ("worker-1", "worker-2")),
            self._part("scheduler", beat, log="scheduler.log"),
        ]

    def _part(self, name: str, arguments: list[str], *, log: str, answers_at: str = "") -> ServerProcess:
        return ServerProcess(
            name, arguments, environment=self._environment, answers_at=answers_at, log=self._log_folder / log
        )

    def _shared_environment(self, dialect: str) -> dict[str, str]:
        """Return this process's environment without settings of other installations."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in VARIABLES and not name.startswith(OVERRIDE_PREFIX)
        }
        secrets = {"SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "LIGHT_WEBHOOK_SECRET"}
        return {
            **kept,
            **{name: os.environ[name] for name in secrets},
            "DJANGO_SETTINGS_MODULE": "config.settings.demo",
            "PYTHONUNBUFFERED": "1",
            "DATA_DIR": str(settings.DATA_DIR),
            "SITE_URL": self.site_url,
            "LIGHT_API_URL": self.light_url,
            "LIGHT_APP_TOKEN": DEFAULT_APP_TOKEN,
            "LIGHT_DIALECT": dialect,
        }


class ProcessKiller:
    """Kills random processes with signal 9 at random times, given by a seed, and restarts them at once."""

    MIN_LIFE_SECONDS = 1.5
    MAX_LIFE_SECONDS = 6.0
    SHARE_KILLED_WHILE_STARTING = 0.25
    MAX_KILLS = 12

    def __init__(self, parts: Sequence[ServerProcess], *, seed: int) -> None:
        self.count = 0
        self.problem: ServerNotStarted | None = None
        self._parts = parts
        self._moments = random.Random(seed)  # noqa: S311 - decides when, and keeps no secret
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop killing processes."""
        self._enough.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while self.count < self.MAX_KILLS:
            if self._enough.wait(self._moments.uniform(self.MIN_LIFE_SECONDS, self.MAX_LIFE_SECONDS)):
                return
            part = self._moments.choice(self._parts)
            try:
                self._kill_and_start(part)
            except ServerNotStarted as problem:
                self.problem = problem
                return

    def _kill_and_start(self, part: ServerProcess) -> None:
        is_killed_while_starting = self._moments.random() < self.SHARE_KILLED_WHILE_STARTING
        part.kill()
        part.start()
        self.count += 1
        if is_killed_while_starting:
            self._enough.wait(self._moments.uniform(0, self.MIN_LIFE_SECONDS))
            part.kill()
            part.start()
            self.count += 1
        part.wait_until_ready()


def set_up_database() -> None:
    """
    Do what `manage.py up --setup` does, once, before the separate processes start.

    :raises ServerNotStarted: the database is not empty
    """
    if connection.introspection.table_names():
        raise ServerNotStarted("DEMO_DATABASE_URL must be an empty database.")
    call_command("migrate", interactive=False, verbosity=0)
    for name in SETUP_COMMANDS:
        call_command(name)


def free_port(default: int, *, excluded: int = 0) -> int:
    """Return the default port if it is free, otherwise any free port."""
    for wanted in (default, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, wanted))
            except OSError:
                continue
            port = int(probe.getsockname()[1])
            if port != excluded:
                return port
    return free_port(0, excluded=excluded)


def _answers(address: str) -> bool:
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(address, timeout=5).ok
    except requests.RequestException:
        return False
