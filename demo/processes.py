"""
The demo's other processes, each started, watched, killed and stopped: the stand-in for Light, and `manage.py up` or,
where PostgreSQL and Redis are named, web, two workers and a scheduler apart.
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
USUAL_SITE_PORT = 8000
USUAL_LIGHT_PORT = 8001
SECONDS_TO_START = 60.0
"""On a machine with time to spare; see `seconds_to_start`."""
MAX_SLOWNESS = 10.0
SECONDS_BETWEEN_WORDS = 20.0
SECONDS_TO_STOP = 10.0


class PartDidNotStart(Exception):
    """A process ended, or did not answer in time. The text names its log."""


class CommandFailed(Exception):
    """A command of `manage.py` did not end well. The text is what it printed."""


@dataclass(frozen=True)
class Ports:
    """Where the demo's two servers listen; 0 is for the usual port if it is free, or for any."""

    site: int = 0
    light: int = 0
    are_usual: bool = True


class Part:
    """One process of the demo. What it prints goes to a log in the data folder."""

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
            self._process = subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
                [sys.executable, *self._arguments],
                cwd=settings.BASE_DIR,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the demo alone, which then stops its parts in order
            )

    def wait_until_ready(self) -> None:
        """:raises PartDidNotStart: it ended, or does not answer in time"""
        began = time.monotonic()
        next_word = SECONDS_BETWEEN_WORDS
        while (waited := time.monotonic() - began) < seconds_to_start():
            if not self.is_running:
                raise PartDidNotStart(f"{self.name} ended at its start. {self._last_words()}")
            if not self._answers_at or _answers(self._answers_at):
                return
            if waited > next_word:
                print(f"{self.name} is still starting after {waited:.0f} seconds. {_busy_machine()}", flush=True)
                next_word += SECONDS_BETWEEN_WORDS
            time.sleep(0.05)
        raise PartDidNotStart(
            f"{self.name} does not answer at {self._answers_at} after {waited:.0f} seconds. {_busy_machine()} "
            f"{self._last_words()}"
        )

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it and all that it started with signal 9, as a power cut would."""
        if self._process is not None and self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def ask_to_stop(self) -> None:
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGTERM)

    def wait_until_stopped(self) -> None:
        """Wait for the end that was asked for; who takes too long is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.kill()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-12:]
        if not lines:
            return f"Its log {self._log} is empty: it did not come so far as to say anything."
        return "\n".join([f"The end of {self._log}:", *lines])


def seconds_to_start() -> float:
    """Return how long a part may take: longer when more programs want to run than the machine has processors."""
    return SECONDS_TO_START * min(max(_waiting_per_processor(), 1.0), MAX_SLOWNESS)


def _waiting_per_processor() -> float:
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def _busy_machine() -> str:
    return f"The machine has {os.cpu_count() or 1} processors, and {os.getloadavg()[0]:.1f} programs that want one."


class House:
    """The stand-in for Light and the parts of Switchyard, on ports of their own."""

    def __init__(self, *, dialect: str, log_folder: Path, ports: Ports) -> None:
        self.site_port = ports.site or free_port(USUAL_SITE_PORT if ports.are_usual else 0, but_not=ports.light)
        self.light_port = ports.light or free_port(USUAL_LIGHT_PORT if ports.are_usual else 0, but_not=self.site_port)
        self.site_url = f"http://{HOST}:{self.site_port}"
        self.light_url = f"http://{HOST}:{self.light_port}"
        self._environment = self._shared_environment(dialect)
        self._log_folder = log_folder
        self.light = Part(
            "The stand-in for Light",
            [
                *("-m", "simulator", "--port", str(self.light_port), "--dialect", dialect),
                *("--webhook-url", f"{self.site_url}/webhooks/light/"),
                f"--webhook-secret={self._environment['LIGHT_WEBHOOK_SECRET']}",  # one word: it may begin with a dash
            ],
            environment=self._environment,
            answers_at=f"{self.light_url}/__sim__/clock",
            log=log_folder / "simulator.log",
        )
        self.is_apart = settings.CELERY_BROKER_URL.startswith("redis")
        self.ours = self._parts_apart() if self.is_apart else [self._one_process()]

    @property
    def is_running(self) -> bool:
        return self.light.is_running and all(part.is_running for part in self.ours)

    def start(self) -> None:
        """:raises PartDidNotStart: one of them ended, or does not answer in time"""
        self.light.start()
        if self.is_apart:
            set_up_database()
        for part in self.ours:
            part.start()
        for part in (self.light, *self.ours):
            part.wait_until_ready()

    def stop(self) -> None:
        for part in (*self.ours, self.light):
            part.ask_to_stop()
        for part in (*self.ours, self.light):
            part.wait_until_stopped()

    def run(self, *command: str) -> str:
        """
        Run a command of `manage.py` beside the parts, as an operator would, and give what it prints.

        :raises CommandFailed: it did not end well
        """
        ended = subprocess.run(  # noqa: S603 - nothing of it comes from outside
            [sys.executable, "manage.py", *command],
            cwd=settings.BASE_DIR,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise CommandFailed(f"manage.py {' '.join(command)} did not end well:\n{ended.stdout}")
        return ended.stdout

    def _one_process(self) -> Part:
        arguments = ["manage.py", "up", "--setup", "--port", str(self.site_port)]
        return self._part("manage.py up", arguments, log="up.log", answers_at=f"{self.site_url}/healthz")

    def _parts_apart(self) -> list[Part]:
        """The same commands as in docker-compose.yml and its image, with two workers."""
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

    def _part(self, name: str, arguments: list[str], *, log: str, answers_at: str = "") -> Part:
        return Part(name, arguments, environment=self._environment, answers_at=answers_at, log=self._log_folder / log)

    def _shared_environment(self, dialect: str) -> dict[str, str]:
        """This process's environment without what it says about other installations."""
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


class Killer:
    """Kills one part after the other with signal 9 at moments that a seed decides, and starts it again at once."""

    SHORTEST_LIFE_SECONDS = 1.5
    LONGEST_LIFE_SECONDS = 6.0
    SHARE_KILLED_WHILE_STARTING = 0.25
    MOST_KILLS = 12

    def __init__(self, parts: Sequence[Part], *, seed: int) -> None:
        self.count = 0
        self.problem: PartDidNotStart | None = None
        self._parts = parts
        self._moments = random.Random(seed)  # noqa: S311 - decides when, and keeps no secret
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let them live from now on."""
        self._enough.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while self.count < self.MOST_KILLS:
            if self._enough.wait(self._moments.uniform(self.SHORTEST_LIFE_SECONDS, self.LONGEST_LIFE_SECONDS)):
                return
            part = self._moments.choice(self._parts)
            try:
                self._kill_and_start(part)
            except PartDidNotStart as problem:
                self.problem = problem
                return

    def _kill_and_start(self, part: Part) -> None:
        is_killed_while_starting = self._moments.random() < self.SHARE_KILLED_WHILE_STARTING
        part.kill()
        part.start()
        self.count += 1
        if is_killed_while_starting:
            self._enough.wait(self._moments.uniform(0, self.SHORTEST_LIFE_SECONDS))
            part.kill()
            part.start()
            self.count += 1
        part.wait_until_ready()


def set_up_database() -> None:
    """
    Do what `manage.py up --setup` does, once, before processes apart start.

    :raises PartDidNotStart: the database is not the demo's to fill
    """
    if connection.introspection.table_names():
        raise PartDidNotStart("DEMO_DATABASE_URL must name an empty database: the demo fills it from nothing.")
    call_command("migrate", interactive=False, verbosity=0)
    for name in SETUP_COMMANDS:
        call_command(name)


def free_port(usual: int, *, but_not: int = 0) -> int:
    """Give the usual port if nobody listens there, else any free one."""
    for wanted in (usual, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, wanted))
            except OSError:
                continue
            port = int(probe.getsockname()[1])
            if port != but_not:
                return port
    return free_port(0, but_not=but_not)


def _answers(address: str) -> bool:
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(address, timeout=5).ok
    except requests.RequestException:
        return False
