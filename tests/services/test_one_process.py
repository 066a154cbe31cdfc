"""`manage.py up` with its queue in a Redis that turns read-only, is full, or returns unreadable messages."""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import redis

from tests.services.test_queue_faults import UNREADABLE, full, read_only
from tools.service_harness.servers import ROOT, Servers

SECONDS_TO_WAIT = 180.0
PREFIX = "one-process:"


class OneProcess:
    """One `manage.py up` on SQLite and Redis, and what it logged."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self._log, self._data = folder / "up.log", folder / "data"
        environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
        environment |= {
            "DATA_DIR": str(self._data),
            "DJANGO_SETTINGS_MODULE": "tools.service_harness.settings",
            "CELERY_BROKER_URL": redis_url,
            "CELERY_KEY_PREFIX": PREFIX,
        }
        with self._log.open("xb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", "0", "--setup"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def written(self) -> str:
        return self._log.read_text()

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + SECONDS_TO_WAIT
        while not holds():
            assert self.process.poll() is None, self.written
            assert time.monotonic() < deadline, self.written
            time.sleep(0.1)

    def is_ready(self) -> bool:
        return re.search(r"ready: http://", self.written) is not None

    def announce_site_change(self) -> None:
        """Leave work for the sweep, as a report does whose message was lost."""
        with self._database() as database:
            database.execute("INSERT INTO core_casechange (site_id, at) VALUES (999999, '2026-03-05 16:00:00')")

    def was_looked_at(self) -> bool:
        with self._database() as database:
            return bool(database.execute("SELECT count(*) FROM core_casechange").fetchone() == (0,))

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(self._data / "switchyard.sqlite3", timeout=30)


@pytest.fixture
def one_process(servers: Servers, tmp_path: Path) -> Iterator[OneProcess]:
    servers.start("redis")
    up = OneProcess(tmp_path, servers.redis_url)
    try:
        yield up
    finally:
        up.process.kill()
        up.process.wait()


@pytest.mark.parametrize("refusing", [read_only, full])
def test_Q14_one_process_works_while_redis_is_read_only(
    servers: Servers, one_process: OneProcess, refusing: Callable[[Servers], AbstractContextManager[str]]
) -> None:
    one_process.until(one_process.is_ready)
    with refusing(servers):
        one_process.until(lambda: "Due work is done without it" in one_process.written)
        one_process.announce_site_change()
        one_process.until(one_process.was_looked_at)

    one_process.until(lambda: "The queue is available again" in one_process.written)
    one_process.announce_site_change()
    one_process.until(one_process.was_looked_at)


def test_Q14_one_process_starts_while_redis_is_read_only(servers: Servers, tmp_path: Path) -> None:
    with read_only(servers):
        up = OneProcess(tmp_path, servers.redis_url)
        try:
            up.until(up.is_ready)
            up.announce_site_change()
            up.until(up.was_looked_at)
        finally:
            up.process.kill()
            up.process.wait()


def test_Q15_one_process_drops_unreadable_messages(servers: Servers, one_process: OneProcess) -> None:
    one_process.until(one_process.is_ready)

    with redis.Redis.from_url(servers.redis_url) as connection:
        connection.lpush(f"{PREFIX}switchyard", *UNREADABLE)
        one_process.until(lambda: connection.llen(f"{PREFIX}switchyard") == 0)
    one_process.announce_site_change()
    one_process.until(one_process.was_looked_at)

    one_process.until(lambda: "Dropped a message that cannot be read" in one_process.written)
