"""A real Chromium for browser tests. Without one they are skipped, or fail where REQUIRE_BROWSER=1 asks for it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests.chromium import ARGUMENTS, NO_CHROMIUM, REQUIRE_BROWSER, find_chromium

PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1440, "height": 900}
MAX_WAIT_MS = 60_000

expect.set_options(timeout=MAX_WAIT_MS)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests; each test opens its own contexts in it."""
    path = find_chromium()
    if path is None and REQUIRE_BROWSER:
        pytest.fail(NO_CHROMIUM)
    if path is None:
        pytest.skip(NO_CHROMIUM)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # playwright's loop runs in the thread of the database
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def phone_context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport=PHONE, is_mobile=True, has_touch=True, timezone_id="America/Chicago")
    context.set_default_timeout(MAX_WAIT_MS)
    yield context
    context.close()


@pytest.fixture
def phone(phone_context: BrowserContext) -> Page:
    """A page as wide as a small phone."""
    return phone_context.new_page()


@pytest.fixture
def desktop(chromium: Browser) -> Iterator[Page]:
    """A page as wide as a desktop screen."""
    context = chromium.new_context(viewport=DESK, timezone_id="America/Chicago")
    context.set_default_timeout(MAX_WAIT_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def chromium_without_script(chromium: Browser) -> Iterator[Page]:
    """A phone's page on which no script runs."""
    context = chromium.new_context(viewport=PHONE, java_script_enabled=False, timezone_id="America/Chicago")
    context.set_default_timeout(MAX_WAIT_MS)
    yield context.new_page()
    context.close()
