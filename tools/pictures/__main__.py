"""Fills an empty Switchyard, opens its pages in a headless Chromium and writes `docs/pictures/*.png`."""

import math
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import django
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.chromium import ARGUMENTS, NO_CHROMIUM, find_chromium

if TYPE_CHECKING:
    from tools.pictures.scene import Scene

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
COLORS = 192
PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 900}


def main() -> int:
    chromium = find_chromium()
    if chromium is None:
        sys.stderr.write(f"{NO_CHROMIUM}\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="switchyard-pictures-") as folder:
        os.environ.update(
            DATA_DIR=folder,
            DATABASE_URL="",
            DJANGO_SETTINGS_MODULE="tools.pictures.settings",
            DJANGO_ALLOW_ASYNC_UNSAFE="true",  # playwright's loop runs in the thread that uses the database
        )
        django.setup()
        scene = _played_scene()
        with _served() as start, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
            _take_office(browser, start, scene)
            _take_signing(browser, start, scene)
            _take_field(browser, start, scene)
            browser.close()
    return 0


def _played_scene() -> "Scene":
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    from simulator.server import start_simulator
    from tools.pictures.scene import play

    setup_test_environment()  # mails stay in this process
    call_command("migrate", verbosity=0, interactive=False)
    simulator = start_simulator()
    try:
        return play(simulator)
    finally:
        simulator.stop()


@contextmanager
def _served() -> Iterator[str]:
    """Serve the pages on a free port; return the start of their addresses."""
    from django.core.servers.basehttp import ThreadedWSGIServer, get_internal_wsgi_application
    from django.test.testcases import QuietWSGIRequestHandler

    server = ThreadedWSGIServer(("127.0.0.1", 0), QuietWSGIRequestHandler, allow_reuse_address=False)
    server.set_app(get_internal_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _take_office(browser: Browser, start: str, scene: "Scene") -> None:
    page = _page(browser, DESK)
    page.goto(f"{start}/admin/")
    _sign_in(page, scene.staff.username)
    _take(page, "work-queue")
    page.goto(f"{start}/admin/enrollments/enrollment/{scene.held.public_id}/change/")
    page.set_viewport_size({"width": DESK["width"], "height": 860})
    _take(page, "enrollment")


def _take_signing(browser: Browser, start: str, scene: "Scene") -> None:
    """Walk the customer's steps as far as the signature, and draw one."""
    from tests.functional.pages import STEPS_WITH_TEXT, agree, enter_the_code, start_signing

    page = _page(browser, PHONE)
    page.goto(f"{start}/portal/{scene.signing_token}/")
    enter_the_code(page)
    start_signing(page)
    for _ in STEPS_WITH_TEXT:
        agree(page)
    page.check("#kind-drawn")
    _draw(page)
    page.evaluate("document.activeElement.blur()")
    _take(page, "signing", is_full_page=True)


def _draw(page: Page) -> None:
    box = page.locator("canvas").bounding_box()
    if box is None:
        raise RuntimeError("The page shows no field to sign in.")
    middle, step = box["y"] + box["height"] / 2, box["width"] / 60
    page.mouse.move(box["x"] + 5 * step, middle)
    page.mouse.down()
    for turn in range(50):
        height = (34 if turn < 12 else 16) * math.sin(turn * 0.75)
        page.mouse.move(box["x"] + (5 + turn + 3 * math.cos(turn * 0.75)) * step, middle - height - turn / 4)
    page.mouse.up()


def _take_field(browser: Browser, start: str, scene: "Scene") -> None:
    from core.dates import chicago_day
    from tools.pictures.scene import scene_clock

    page = _page(browser, PHONE)
    page.goto(f"{start}/field/")
    _sign_in(page, scene.technician.username)
    page.goto(f"{start}/field/jobs/{scene.job.public_id}/")
    yesterday = chicago_day(scene_clock().now()) - timedelta(days=1)
    page.get_by_label("Date on the utility's permission").fill(yesterday.isoformat())
    page.get_by_label("How do you know?").select_option("LETTER")
    page.get_by_label("Utility's reference").fill("DG-2026-0042")
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    _take(page, "field", is_full_page=True)


def _page(browser: Browser, size: ViewportSize) -> Page:
    context = browser.new_context(
        viewport=size, is_mobile=size == PHONE, timezone_id="America/Chicago", reduced_motion="reduce"
    )
    context.set_default_timeout(10_000)
    return context.new_page()


def _sign_in(page: Page, username: str) -> None:
    from tests.functional.pages import press_enter
    from tools.pictures.scene import PASSWORD

    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    press_enter(page)


def _take(page: Page, name: str, *, is_full_page: bool = False) -> None:
    """Write a picture small enough for a page that is read over a slow line."""
    page.wait_for_load_state("networkidle")
    shot = Image.open(BytesIO(page.screenshot(full_page=is_full_page))).convert("RGB")
    path = PICTURES / f"{name}.png"
    shot.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    sys.stdout.write(f"{path.relative_to(PICTURES.parents[1])}: {path.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    sys.exit(main())
