"""
The commands of docs/operating.md, run in their order with production's settings on a real PostgreSQL and Redis.

No container engine runs where the tests do: each command runs in this environment as its service would, with the
service's own command and variables, and with the folders of its volumes below the test's own.
"""

import base64
import os
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from simulator.server import RunningSimulator, start_simulator
from tests.small_s3 import SmallS3, small_s3
from tools.service_harness.servers import ROOT, Servers

pytestmark = [pytest.mark.services]

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PAGE = (ROOT / "docs" / "operating.md").read_text()
PROCESSES = ("web", "worker", "scheduler", "backup")
SECONDS_TO_START = 120
WITH_LIGHT = ("reconcile", "release_writes")
"""They call Light, which production reaches only over HTTPS; the local simulator has none."""


def commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


@dataclass
class Server:
    """What a new server has: the project's files, the services, and nothing else."""

    folder: Path
    servers: Servers
    s3: SmallS3
    light: RunningSimulator
    web_port: int
    settings: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    def run(self, line: str) -> None:
        self.ran.append(line)
        words = shlex.split(line)
        if words[:2] == ["docker", "compose"]:
            self._compose(words[2:])
            return
        done = subprocess.run(  # noqa: S603 - a line of our own page
            [sys.executable if words[0] == "python3" else words[0], *words[1:]],
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        if words[0] == "cp":
            self.fill_in()

    def fill_in(self) -> None:
        """Do what the page says to do with .env: set a value for every empty name."""
        text = (self.folder / ".env").read_text()
        self.settings = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z0-9_]+=", line))
        seal_passphrase = secrets.token_urlsafe(16)
        self.settings |= {name: secrets.token_hex(24) for name, value in self.settings.items() if not value}
        self.settings |= {
            "SECRET_KEY": secrets.token_urlsafe(64),
            "FIELD_ENCRYPTION_KEYS": "key1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "POA_SEAL_PASSPHRASE": seal_passphrase,
            "EMAIL_URL": "smtp+tls://user:password@mail.test:587",
        }

    # docker compose

    def _compose(self, words: list[str]) -> None:
        what, *rest = words
        if what == "run":
            self._run_service(rest)
        elif what == "exec":
            service, *command = rest
            assert service in self.running, f"{service} does not run"
            self._finish(service, command)
        elif what == "up":
            assert rest == ["--detach", "--wait"]
            self._up()
        elif what == "stop":
            for service in rest:
                self._stop(service)
        else:
            assert (what, rest) in [("build", []), ("build", ["--pull"]), ("ps", [])]

    def _run_service(self, words: list[str]) -> None:
        extra: dict[str, str] = {}
        while words[0].startswith("-"):
            option = words.pop(0)
            if option == "--env":
                name, _, value = words.pop(0).partition("=")
                extra[name] = value
            else:
                assert option in {"--rm", "--no-deps"}
        service, *command = words
        if service == "migrate":
            self._finish("roles", [])
        self._finish(service, command, **extra)

    def _finish(self, service: str, command: list[str], **extra: str) -> None:
        command = command or SERVICES[service]["command"]
        environment = self._environment(service) | {name: self._mounted(value) for name, value in extra.items()}
        if set(WITH_LIGHT) & set(command):
            environment |= {
                "DJANGO_SETTINGS_MODULE": "config.settings.local",
                "LIGHT_API_URL": self.light.url,
                "LIGHT_APP_TOKEN": self.light.app_token,
            }
        if "createsuperuser" in command:
            command = [*command, "--noinput"]
            person = {"USERNAME": "olivia", "PASSWORD": "a long enough password", "EMAIL": "olivia@test.example"}
            environment |= {f"DJANGO_SUPERUSER_{name}": value for name, value in person.items()}
        done = subprocess.run(  # noqa: S603 - a line of our own page
            self._local(command), cwd=ROOT, env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout}{done.stderr}"

    def _up(self) -> None:
        self._finish("roles", [])
        self._finish("migrate", [])
        for service in PROCESSES:
            if service in self.running:
                continue
            command = SERVICES[service].get("command") or self._command_of_image()
            with (self.folder / f"{service}.log").open("ab") as log:
                self.running[service] = subprocess.Popen(  # noqa: S603 - a command of our own files
                    self._local(command), cwd=ROOT, env=self._environment(service), stdout=log, stderr=subprocess.STDOUT
                )
        deadline = time.monotonic() + SECONDS_TO_START
        while not self.is_ready():
            logs = "\n".join(path.read_text() for path in self.folder.glob("*.log"))
            assert all(process.poll() is None for process in self.running.values()), logs
            assert time.monotonic() < deadline, logs
            time.sleep(0.2)

    def _stop(self, service: str) -> None:
        process = self.running.pop(service)
        process.terminate()
        process.wait(timeout=SECONDS_TO_START)

    def stop(self) -> None:
        for service in list(self.running):
            self._stop(service)

    def is_ready(self) -> bool:
        try:
            return '"ready": true' in self.ask("/readyz", host="localhost")
        except OSError:
            return False

    def ask(self, path: str, *, host: str, token: str = "") -> str:
        headers = {"Host": host, **({"Authorization": f"Bearer {token}"} if token else {})}
        request = urllib.request.Request(f"http://127.0.0.1:{self.web_port}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=SECONDS_TO_START) as answer:  # noqa: S310 - on this machine
            return str(answer.read().decode())

    # How a container sees its environment

    def _environment(self, service: str) -> dict[str, str]:
        own = {
            name: re.sub(r"\$\{(\w+)(:\?[^}]*)?\}", lambda found: self.settings[found[1]], value)
            for name, value in SERVICES[service]["environment"].items()
        }
        here = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DJANGO_SETTINGS_MODULE": "config.settings.production",
            "DATA_DIR": str(self.folder / "data"),
        }
        found = here | self.settings | own
        address = self.servers.postgres_url.rpartition("@")[2]
        host, port = address.split(":")
        found["DATABASE_URL"] = found["DATABASE_URL"].replace("postgres:5432", address)
        found["CELERY_BROKER_URL"] = self.servers.redis_url
        found["STORAGE_S3_ENDPOINT_URL"] = self.s3.url
        if "PGHOST" in found:
            found |= {"PGHOST": host, "PGPORT": port}
        found["POA_SEAL_KEY_FILE"] = self._mounted(found["POA_SEAL_KEY_FILE"])
        return found

    def _local(self, command: list[str]) -> list[str]:
        words = [self._mounted(word) for word in command]
        return [word.replace("0.0.0.0:8000", f"127.0.0.1:{self.web_port}") for word in words]

    def _mounted(self, word: str) -> str:
        for place in ("/backups", "/seal/", "/tmp/key"):  # noqa: S108 - folders of the image
            if word.startswith(place):
                return str(self.folder / word.lstrip("/"))
        return word

    @staticmethod
    def _command_of_image() -> list[str]:
        [line] = re.findall(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        parsed: list[str] = yaml.safe_load(line)
        return parsed


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    for name in (".env.example", "backups", "seal", "tmp"):
        if name.startswith("."):
            shutil.copy(ROOT / name, tmp_path)
        else:
            (tmp_path / name).mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="switchyard-operating-", dir="/tmp"))
    folder.chmod(0o755)  # PostgreSQL does not run as root
    servers, light = Servers(folder), start_simulator()
    try:
        servers.start("postgres", "redis")
        with psycopg.connect(f"{servers.postgres_url}/postgres", autocommit=True) as database:
            database.execute("CREATE ROLE switchyard SUPERUSER LOGIN")
            database.execute("CREATE DATABASE switchyard OWNER switchyard")
        with small_s3() as s3:
            started = Server(tmp_path, servers, s3, light, port)
            try:
                yield started
            finally:
                started.stop()
    finally:
        light.stop()
        servers.stop()
        shutil.rmtree(folder)


def test_every_documented_command_works(server: Server) -> None:
    for line in commands():
        server.run(line)

    assert len(server.ran) > 20
    assert server.is_ready()
    metrics = server.ask("/metrics", host="web", token=server.settings["METRICS_TOKEN"])
    assert "switchyard_alarm" in metrics
    assert {each.name for each in (server.folder / "backups").iterdir()} >= {"by-hand", "before-upgrade"}
    assert (server.folder / ".env").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("link", re.findall(r"\]\(([\w./-]+\.md)\)", PAGE))
def test_every_documented_page_exists(link: str) -> None:
    assert (ROOT / "docs" / link).exists()
