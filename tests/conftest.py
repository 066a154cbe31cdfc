"""Setup for every test: no outside network, a browser and services if installed, and a summary of what was skipped."""

import math
import os
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.core.cache import caches
from kombu.transport import memory

from core import company_rules, log_context, queue, rate_limits
from installations import pdf_checks
from tests.chromium import NO_CHROMIUM, REQUIRE_BROWSER, find_chromium
from tests.database_setup import drop_databases_in_use, reuse_migrated_database
from tests.journal_guard import let_tests_clean_up
from tests.shut_network import shut_network

REQUIRE_SERVICES = os.environ.get("REQUIRE_SERVICES") == "1"
POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")

NO_SERVICES = (
    "Real PostgreSQL and Redis are tried only with REQUIRE_SERVICES=1. Debian: apt install postgresql redis-server; "
    "TEST_POSTGRES_URL and TEST_REDIS_URL say where they are."
)
PATIENT_SECONDS = 300
# Tests do not depend on the speed of the machine.
hypothesis.settings.register_profile(
    "suite",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("suite")

shut_network()
let_tests_clean_up()
reuse_migrated_database()
drop_databases_in_use()


@pytest.fixture
def own_storage(settings: Any, tmp_path: Any) -> None:
    """Anchors of another test would look like anchors whose rows were removed, so each test has its own files."""
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path)},
        },
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot do and say how to enable it; never skip what is required."""
    for item in items:
        if item.get_closest_marker("browser") and not REQUIRE_BROWSER and find_chromium() is None:
            item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))
        if item.get_closest_marker("services") and not REQUIRE_SERVICES:
            item.add_marker(pytest.mark.skip(reason=NO_SERVICES))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    _report_untested(terminalreporter)
    _report_durations(terminalreporter)


def _report_durations(terminalreporter: Any) -> None:
    seconds: dict[str, float] = defaultdict(float)
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if isinstance(report, pytest.TestReport):
            seconds["/".join(report.nodeid.partition("::")[0].split("/")[:-1])] += report.duration
    if seconds:
        terminalreporter.section("Seconds per folder, all workers together")
    for folder, spent in sorted(seconds.items(), key=lambda each: -each[1]):
        terminalreporter.write_line(f"{spent:7.0f}  {folder}")


def _report_untested(terminalreporter: Any) -> None:
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
def _reset_rate_limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tests share one address, and attempts count until the end of a limit's window: start each test from zero."""
    began_at = rate_limits._now_seconds()
    monkeypatch.setattr(rate_limits, "_now_seconds", lambda: began_at)
    yield
    caches["default"].clear()
    rate_limits.reset_circuit()


@pytest.fixture(autouse=True)
def _empty_queue() -> Iterator[None]:
    """Messages in memory outlive the test that queued them, and sweeps count the waiting ones."""
    yield
    memory.Channel.queues.clear()
    queue.reset_circuit()
    log_context.set_logged_cases([])  # a task called directly by a test names its case in the log until the next one


@pytest.fixture(scope="session", autouse=True)
def _patient_pdf_reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the PDF reader take as long as a busy machine needs. Each pytest worker has its own reader."""
    reader = tmp_path_factory.mktemp("pdf") / "pdf_structure.py"
    text = Path(pdf_checks.READER).read_text(encoding="utf-8")
    patient = text.replace("MAX_CPU_SECONDS = 6\n", f"MAX_CPU_SECONDS = {PATIENT_SECONDS}\n")
    assert patient != text
    reader.write_text(patient, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pdf_checks, "READER", reader)
        patch.setattr(pdf_checks, "MAX_SECONDS", PATIENT_SECONDS)
        yield


@pytest.fixture(autouse=True)
def _reset_company_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test starts with the sample's rules already loaded."""
    monkeypatch.setattr(company_rules, "MEMORY_SECONDS", 3600.0)
    monkeypatch.setattr(company_rules._memory, "rows", ())
    monkeypatch.setattr(company_rules._memory, "until", math.inf)


@pytest.fixture(autouse=True)
def _reset_wrong_clock() -> Iterator[None]:
    """A wrong clock seen by one test would stop the writes of the next one."""
    from core import clock_drift  # only here: it has a model

    yield
    clock_drift.forget()


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
