"""A customer signs on a phone and on a computer, in a real browser."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from poa_documents.models import PoaDocument, SignatureKind
from poa_documents.states import PoaStatus
from tests.factories.installations import customer as registered_customer
from tests.factories.installations import installation
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
from tests.integration.poa_documents.portal_visits import token_in_last_mail

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

THUMB_PX = 44


@pytest.fixture
def now() -> datetime:
    return datetime.now(tz=UTC)


@pytest.fixture(autouse=True)
def no_script_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """No script fails and no policy is violated on any page of a test."""
    complaints: list[str] = []
    for name in {"phone", "desktop"} & set(request.fixturenames):
        page: Page = request.getfixturevalue(name)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda problem: complaints.append(str(problem)))
    yield
    assert complaints == []


def invite_customer(live_server: LiveServer, now: datetime, language: str = "en") -> tuple[PoaDocument, str]:
    job = installation(now, customer=registered_customer(now, language=language, first_name="Carmen"))
    poa = sent_poa(customer=job.customer, site=job.site, at=now)
    return poa, f"{live_server.url}/portal/{token_in_last_mail()}/"


def open_customer_page(page: Page, address: str) -> None:
    page.goto(address)
    enter_the_code(page)


def agree_to_all_statements(page: Page, address: str) -> None:
    open_customer_page(page, address)
    start_signing(page)
    for _ in STEPS_WITH_TEXT:
        assert_nothing_overflows(page)
        agree(page)


def draw_signature(page: Page) -> None:
    page.check("#kind-drawn")
    box = page.locator("canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + 30, box["y"] + 90)
    page.mouse.down()
    for step in range(1, 25):
        page.mouse.move(box["x"] + 30 + step * 9, box["y"] + 90 + (step % 5 - 2) * 14)
    page.mouse.up()


INK = """() => {
    const canvas = document.querySelector("canvas");
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return pixels.filter((value, place) => place % 4 === 3 && value > 0).length;
}"""


@pytest.mark.parametrize("ratio", [1, 1.25, 2.625])
def test_resizing_the_screen_keeps_the_signature(
    live_server: LiveServer, chromium: Browser, now: datetime, ratio: float
) -> None:
    """Phones change it while scrolling; at these ratios no width is a whole number of pixels."""
    _poa, address = invite_customer(live_server, now)
    context = chromium.new_context(viewport={"width": 361, "height": 740}, device_scale_factor=ratio)
    page = context.new_page()
    agree_to_all_statements(page, address)
    draw_signature(page)
    drawn, strokes = page.evaluate(INK), page.input_value("[data-signature-strokes]")
    assert drawn
    assert strokes

    page.evaluate("window.dispatchEvent(new Event('resize'))")
    assert page.evaluate(INK) == drawn  # nothing changed, so nothing is drawn again

    box = page.locator("canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + 40, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 40, steps=12)
    page.set_viewport_size({"width": 361, "height": 660})
    page.evaluate("window.dispatchEvent(new Event('resize'))")
    page.mouse.move(box["x"] + 220, box["y"] + 50, steps=6)
    page.mouse.up()
    both = page.input_value("[data-signature-strokes]")
    assert len(json.loads(both)) == len(json.loads(strokes)) + 1

    page.set_viewport_size({"width": 740, "height": 361})
    page.wait_for_function(
        "() => document.querySelector('canvas').width === "
        "Math.round(document.querySelector('canvas').offsetWidth * devicePixelRatio)"
    )
    assert page.evaluate(INK) > drawn * 0.8
    assert page.input_value("[data-signature-strokes]") == both
    context.close()


def assert_nothing_overflows(page: Page) -> None:
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{page.url} is {overflow} px too wide"


def assert_controls_fit_a_thumb(page: Page) -> None:
    heights = page.evaluate(
        "[...document.querySelectorAll('button, a.button, input:not([type=hidden]), label.choice')]"
        ".filter(e => e.offsetParent && !(e.type === 'checkbox' || e.type === 'radio'))"
        ".map(e => [e.outerHTML.slice(0, 60), e.getBoundingClientRect().height])"
    )
    assert [item for item in heights if item[1] < THUMB_PX] == []


def test_customer_draws_signature_on_a_phone(live_server: LiveServer, phone: Page, now: datetime) -> None:
    poa, address = invite_customer(live_server, now)

    agree_to_all_statements(phone, address)
    draw_signature(phone)
    assert_controls_fit_a_thumb(phone)
    send(phone)
    assert_nothing_overflows(phone)
    follow(phone.locator("text=Sign the power of attorney now"))

    expect(phone.locator("text=Signed. Thank you!")).to_be_visible()
    poa.refresh_from_db()
    assert (poa.status, poa.signature_kind) == (PoaStatus.SIGNED, SignatureKind.DRAWN)
    with phone.expect_download() as download:
        phone.click("text=Download my copy")
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")


def test_customer_types_name_in_spanish_without_scripts(
    live_server: LiveServer, chromium_without_script: Page, now: datetime
) -> None:
    poa, address = invite_customer(live_server, now, language="es")
    page = chromium_without_script

    open_customer_page(page, address)
    start_signing(page)
    for _ in STEPS_WITH_TEXT:
        agree(page)
    page.fill("#typed-name", "Carmen Reyes")
    send(page)
    follow(page.locator("text=Firmar el poder ahora"))

    expect(page.locator("text=¡Gracias!")).to_be_visible()
    poa.refresh_from_db()
    assert poa.status == PoaStatus.SIGNED


def test_customer_goes_back_and_finds_the_drawing(live_server: LiveServer, desktop: Page, now: datetime) -> None:
    _, address = invite_customer(live_server, now)
    agree_to_all_statements(desktop, address)
    draw_signature(desktop)
    send(desktop)

    follow(desktop.locator("text=Change my signature"))

    expect(desktop.locator("#kind-drawn")).to_be_checked()
    desktop.wait_for_function(
        "(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0))"
        "(document.querySelector('canvas'))"
    )


def test_customer_revokes_with_the_keyboard_alone(live_server: LiveServer, desktop: Page, now: datetime) -> None:
    poa, address = invite_customer(live_server, now)
    agree_to_all_statements(desktop, address)
    desktop.fill("#typed-name", "Carmen Reyes")
    press_enter(desktop)
    desktop.focus(BUTTON)
    press_enter(desktop)

    desktop.focus("text=Revoke my power of attorney now")
    press_enter(desktop)

    expect(desktop.locator("text=You revoked your power of attorney")).to_be_visible()
    poa.refresh_from_db()
    assert poa.status == PoaStatus.REVOKED
