"""Anyone can sign: by keyboard alone, on a small phone within three minutes, over a slow line."""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Response, expect
from pytest_django.live_server_helper import LiveServer

from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus
from tests.factories.poa_documents import sent_poa
from tests.functional.pages import (
    BUTTON,
    STEPS_WITH_TEXT,
    agree,
    enter_the_code,
    follow,
    press_enter,
    send,
    start_signing,
)
from tests.integration.poa_documents.portal_visits import code_in_last_mail, token_in_last_mail, word_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

MAX_PAGE_BYTES = 60_000
MAX_TABS = 60


@pytest.fixture
def poa() -> PoaDocument:
    return sent_poa(at=datetime.now(tz=UTC))


@pytest.fixture
def address(live_server: LiveServer, poa: PoaDocument) -> str:
    return f"{live_server.url}/portal/{token_in_last_mail()}/"


# --- the keyboard --------------------------------------------------------------------------------------------------


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus, and check that the focus is visible."""
    for _ in range(MAX_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            outline = page.evaluate(
                "(e => getComputedStyle(e).outlineStyle + getComputedStyle(e).boxShadow)(document.activeElement)"
            )
            assert outline != "nonenone", f"{selector} shows no focus"
            return
    raise AssertionError(f"Tab never reaches {selector} on {page.url}")


def test_customer_signs_with_the_keyboard_alone(desktop: Page, address: str, poa: PoaDocument) -> None:
    desktop.goto(address)
    tab_to(desktop, BUTTON)
    press_enter(desktop)
    tab_to(desktop, "#code")
    desktop.keyboard.type(code_in_last_mail())
    press_enter(desktop)
    tab_to(desktop, "main a.button")
    press_enter(desktop)
    for _ in STEPS_WITH_TEXT:
        if desktop.locator("#sample-word").count():
            tab_to(desktop, "a[href$='/sample.pdf']")
            sample = desktop.context.request.get(desktop.evaluate("document.activeElement.href")).body()
            tab_to(desktop, "#sample-word")
            desktop.keyboard.type(word_in(sample))
        for box in desktop.locator("input[type=checkbox]").all():
            tab_to(desktop, f"#{box.get_attribute('id')}")
            desktop.keyboard.press("Space")
            expect(box).to_be_checked()
        tab_to(desktop, BUTTON)
        press_enter(desktop)
    tab_to(desktop, "#typed-name")
    desktop.keyboard.type("Carmen Reyes")
    press_enter(desktop)
    tab_to(desktop, BUTTON)
    press_enter(desktop)

    poa.refresh_from_db()
    assert poa.status == PoaStatus.SIGNED


def test_screen_reader_hears_the_error_first(desktop: Page, address: str) -> None:
    desktop.goto(address)
    enter_the_code(desktop)
    start_signing(desktop)

    send(desktop)

    assert desktop.title().startswith("Please check: ")
    expect(desktop.get_by_role("alert").get_by_role("link")).to_have_count(1)
    desktop.get_by_role("alert").get_by_role("link").click()
    assert desktop.evaluate("document.activeElement.id") == "agree-BROKER_FACTS"
    box = desktop.locator("#agree-BROKER_FACTS")
    assert box.get_attribute("aria-invalid") == "true"
    expect(desktop.locator(f"#{box.get_attribute('aria-describedby')}")).to_be_visible()


# --- time ----------------------------------------------------------------------------------------------------------


@dataclass
class Effort:
    """The taps and scrolls that signing takes, and the time of a slow person who reads headings and skims the rest."""

    pages: int = 0
    taps: int = 0
    characters: int = 0
    waits_seconds: float = 0

    @property
    def seconds(self) -> float:
        return 7 * self.pages + 1.5 * self.taps + 0.5 * self.characters + self.waits_seconds


def test_newcomer_signs_on_a_small_phone_within_three_minutes(phone: Page, address: str, poa: PoaDocument) -> None:
    effort = Effort()

    def tap(selector: str) -> None:
        phone.click(selector)
        effort.taps += 1

    def go_on(selector: str) -> None:
        follow(phone.locator(selector))
        effort.taps += 1

    def type_in(selector: str, text: str) -> None:
        tap(selector)
        phone.keyboard.type(text)
        effort.characters += len(text)

    phone.on("framenavigated", lambda _frame: setattr(effort, "pages", effort.pages + 1))
    phone.goto(address)
    go_on(BUTTON)
    effort.waits_seconds += 25  # to the mail program, and back with the code
    type_in("#code", code_in_last_mail())
    go_on(BUTTON)
    go_on("main a.button")
    for _ in STEPS_WITH_TEXT:
        link = phone.locator("a[href$='/sample.pdf']")
        if link.count():
            effort.taps += 2
            effort.waits_seconds += 10  # the file opens, and back
            type_in("#sample-word", word_in(phone.context.request.get(link.evaluate("link => link.href")).body()))
        for box in phone.locator("input[type=checkbox]").all():
            tap(f"#{box.get_attribute('id')}")
        go_on(BUTTON)
    type_in("#typed-name", "Carmen Reyes")
    go_on(BUTTON)
    go_on(BUTTON)

    poa.refresh_from_db()
    assert poa.status == PoaStatus.SIGNED
    assert (effort.pages, effort.taps) <= (12, 26)
    assert effort.seconds < 180, effort


# --- weight --------------------------------------------------------------------------------------------------------


def test_every_page_is_small_and_loads_nothing_from_elsewhere(
    phone: Page, address: str, live_server: LiveServer
) -> None:
    """Servers compress what they send; these are the uncompressed bytes, headers included, with an empty cache."""
    weights: dict[str, int] = {}

    def record_size(name: str) -> None:
        answers: list[Response] = []
        page = phone.context.new_page()
        page.context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
        page.on("response", lambda answer: answers.append(answer))
        page.goto(phone.url, wait_until="networkidle")
        asked = [answer for answer in answers if not answer.url.startswith("data:")]
        assert {urlsplit(answer.url).netloc for answer in asked} == {urlsplit(live_server.url).netloc}
        weights[name] = sum(len(answer.body()) + len(str(answer.headers)) for answer in asked)
        page.close()

    phone.goto(address)
    record_size("code")
    enter_the_code(phone)
    record_size("home")
    start_signing(phone)
    for name in STEPS_WITH_TEXT:
        record_size(name)
        agree(phone)
    record_size("signature")

    assert {name: weight for name, weight in weights.items() if weight > MAX_PAGE_BYTES} == {}
    assert weights["code"] < MAX_PAGE_BYTES / 2
