"""
What every test stands on: a shut network, a browser and services where there are any, and a plain word at the end
about what could not be tried.
"""

import os
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.shut_network import shut_network

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

REQUIRE_BROWSER = os.environ.get("REQUIRE_BROWSER") == "1"
REQUIRE_SERVICES = os.environ.get("REQUIRE_SERVICES") == "1"
POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")

NO_BROWSER = "No Chromium here. Debian: apt install chromium; or name one in CHROMIUM. REQUIRE_BROWSER=1 insists."
NO_SERVICES = (
    "Real PostgreSQL and Redis are tried only with REQUIRE_SERVICES=1. Debian: apt install postgresql redis-server; "
    "TEST_POSTGRES_URL and TEST_REDIS_URL say where they are."
)
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)

# A busy machine is slow, and speed is no matter of tests.
hypothesis.settings.register_profile(
    "suite",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("suite")

shut_network()

# A busy machine may be slow for a moment; that says nothing about the code.
hypothesis.settings.register_profile(
    "switchyard", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("switchyard")


def find_chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the way to change it, what this machine cannot do; what is required is never skipped."""
    for item in items:
        if item.get_closest_marker("browser") and not REQUIRE_BROWSER and find_chromium() is None:
            item.add_marker(pytest.mark.skip(reason=NO_BROWSER))
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


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; mark the test `browser`."""
    path = find_chromium()
    if path is None or not Path(path).exists():
        pytest.fail(NO_BROWSER)
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> "Iterator[Browser]":
    """One headless Chromium for the whole run. It reaches this machine and nothing else."""
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        launched = playwright.chromium.launch(executable_path=chromium, headless=True, args=list(CHROMIUM_ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def phone(browser: "Browser") -> "Iterator[BrowserContext]":
    """A browser profile as small as the smallest phone we serve, forgotten after the test."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    yield context
    context.close()


@pytest.fixture
def desktop(browser: "Browser") -> "Iterator[BrowserContext]":
    """A browser profile of an office computer, forgotten after the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


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
