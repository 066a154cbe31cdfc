"""
What every test stands on: a shut network, a browser and services where there are any, and a plain word at the end
about what could not be tried.
"""

import os
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from django.core.cache import caches
from kombu.transport import memory

from core import case_log, queue, rate_limits
from tests.chromium import NO_CHROMIUM, REQUIRE_BROWSER, find_chromium
from tests.journal_guard import let_tests_clean_up
from tests.shut_network import shut_network

REQUIRE_SERVICES = os.environ.get("REQUIRE_SERVICES") == "1"
POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")

NO_SERVICES = (
    "Real PostgreSQL and Redis are tried only with REQUIRE_SERVICES=1. Debian: apt install postgresql redis-server; "
    "TEST_POSTGRES_URL and TEST_REDIS_URL say where they are."
)
# A busy machine is slow, and speed is no matter of tests.
hypothesis.settings.register_profile(
    "suite",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("suite")

shut_network()
let_tests_clean_up()


@pytest.fixture
def own_storage(settings: Any, tmp_path: Any) -> None:
    """Files of this test alone: anchors of another would look like anchors whose rows were removed."""
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path)},
        },
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the way to change it, what this machine cannot do; what is required is never skipped."""
    for item in items:
        if item.get_closest_marker("browser") and not REQUIRE_BROWSER and find_chromium() is None:
            item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))
        if item.get_closest_marker("services") and not REQUIRE_SERVICES:
            item.add_marker(pytest.mark.skip(reason=NO_SERVICES))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    if reasons:
        terminalreporter.section("What could not be tried here")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} {'test' if count == 1 else 'tests'}: {reason}")


@pytest.fixture(autouse=True)
def _nobody_tried_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tests share one address, and what they tried counts until the end of the test, in one window of a limit."""
    began_at = rate_limits._now_seconds()
    monkeypatch.setattr(rate_limits, "_now_seconds", lambda: began_at)
    yield
    caches["default"].clear()
    rate_limits.reach_again()


@pytest.fixture(autouse=True)
def _no_message_waits() -> Iterator[None]:
    """Messages in memory outlive the test that queued them, and sweeps count those that wait."""
    yield
    memory.Channel.queues.clear()
    queue.reach_again()
    case_log.name_cases([])  # a task that a test calls by itself names its case until the next one


@pytest.fixture(autouse=True)
def _clocks_agree() -> Iterator[None]:
    """What a test saw of a wrong clock would stop the writes of the next one."""
    from core import wrong_clocks  # only here: it has a model

    yield
    wrong_clocks.forget()


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database of the test's own, dropped after it; mark the test `services`."""
    import psycopg
    from psycopg import sql

    name = f"switchyard_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(POSTGRES_URL, autocommit=True, connect_timeout=5) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield f"{POSTGRES_URL.rpartition('/')[0]}/{name}"
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def redis_key_prefix() -> Iterator[str]:
    """A prefix of the test's own in the Redis at `REDIS_URL`, emptied after it; mark the test `services`."""
    import redis

    prefix = f"switchyard-{uuid.uuid4().hex[:12]}:"
    with redis.Redis.from_url(REDIS_URL, socket_connect_timeout=5) as connection:
        connection.ping()
        yield prefix
        for key in connection.scan_iter(f"{prefix}*"):
            connection.delete(key)
