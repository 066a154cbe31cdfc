"""A technician on a phone: sign in, fix a wrong date, report PTO with a photo, even without a signal."""

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from PIL import Image
from playwright.sync_api import BrowserContext, Error, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from core import clock
from core.dates import chicago_day
from installations.models import GoLiveReport, Installation, KeptProof
from tests.factories.installations import SUBMITTED, installation_at, technician
from tests.functional.pages import follow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a long enough password"
NO_SERVICE_WORKER = "delete Navigator.prototype.serviceWorker"
"""A phone's first visit: nothing is cached yet."""


@pytest.fixture
def tess() -> User:
    return technician()


@pytest.fixture
def job(tess: User) -> Installation:
    return installation_at(SUBMITTED, at=clock.now(), technician=tess)


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    written = io.BytesIO()
    Image.effect_noise((1600, 1200), 60).convert("RGB").save(written, "JPEG", quality=95)
    path = tmp_path / "letter.jpg"
    path.write_bytes(written.getvalue())
    return path


def sign_in(phone: Page, server: LiveServer, tess: User) -> None:
    phone.goto(f"{server.url}/field/")
    phone.get_by_label("Username").fill(tess.username)
    phone.get_by_label("Password").fill(PASSWORD)
    follow(phone.get_by_role("button", name="Sign in"))
    expect(phone.get_by_role("heading", name="My jobs")).to_be_visible()


def sign_in_and_cache_pages(phone: Page, server: LiveServer, tess: User) -> None:
    sign_in(phone, server, tess)
    phone.evaluate("navigator.serviceWorker.ready")
    phone.reload()


@contextmanager
def unusable_signal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the server answer nothing for a while, as if the signal were too weak."""
    arrives = threading.Event()
    answer = WSGIHandler.__call__

    def answer_late(self: WSGIHandler, environ: Any, start_response: Any) -> Any:
        arrives.wait()
        return answer(self, environ, start_response)

    with monkeypatch.context() as patch:
        patch.setattr(WSGIHandler, "__call__", answer_late)
        try:
            yield
        finally:
            arrives.set()


def open_job(phone: Page, job: Installation) -> None:
    follow(phone.get_by_role("link", name=re.compile(job.site.address_1)))
    expect(phone.get_by_role("heading", name="Report permission to operate (PTO)")).to_be_visible()


def fill_in(phone: Page, *, days_ago: int, proof: Path | None = None) -> None:
    phone.get_by_label("Date on the utility's permission").fill(
        (chicago_day(clock.now()) - timedelta(days=days_ago)).isoformat()
    )
    phone.get_by_label("How do you know?").select_option("LETTER")
    phone.get_by_label("Utility's reference").fill("DG-2026-0042")
    if proof:
        phone.get_by_label("Proof (photo or PDF)").set_input_files(proof)


def send_report(phone: Page) -> None:
    phone.get_by_role("button", name="Report permission to operate (PTO)").click()


def assert_page_fits(phone: Page) -> None:
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def assert_report_counts(phone: Page, job: Installation) -> None:
    expect(phone.get_by_role("heading", name="Report accepted")).to_be_visible()
    job.refresh_from_db()
    assert job.status == "PTO_CONFIRMED"
    assert GoLiveReport.objects.get().proofs.get().content_type == "image/jpeg"


def test_technician_fixes_a_wrong_date_and_keeps_the_photo(
    phone: Page, live_server: LiveServer, tess: User, job: Installation, letter: Path
) -> None:
    sign_in(phone, live_server, tess)
    assert_page_fits(phone)
    open_job(phone, job)
    assert_page_fits(phone)
    fill_in(phone, days_ago=-1, proof=letter)
    send_report(phone)

    expect(phone.get_by_text("is in the future")).to_be_visible()
    expect(phone.get_by_label("Utility's reference")).to_have_value("DG-2026-0042")
    assert KeptProof.objects.get().original_name == "letter.jpg"

    fill_in(phone, days_ago=1)
    send_report(phone)

    assert_report_counts(phone, job)
    assert_page_fits(phone)


def test_U12_report_without_signal_is_kept_and_sent_automatically(
    phone: Page, phone_context: BrowserContext, live_server: LiveServer, tess: User, job: Installation, letter: Path
) -> None:
    sign_in(phone, live_server, tess)
    open_job(phone, job)
    fill_in(phone, days_ago=1, proof=letter)
    phone_context.set_offline(True)
    send_report(phone)

    expect(phone.get_by_text("Saved on this phone")).to_be_visible()
    assert not GoLiveReport.objects.exists()

    phone_context.set_offline(False)
    expect(phone.get_by_text("Sent: the report")).to_be_visible()
    follow(phone.get_by_role("link", name="View report"))

    assert_report_counts(phone, job)


def test_U12_pages_open_without_signal_and_take_a_report(
    phone: Page, phone_context: BrowserContext, live_server: LiveServer, tess: User, job: Installation, letter: Path
) -> None:
    sign_in_and_cache_pages(phone, live_server, tess)
    open_job(phone, job)
    expect(phone.get_by_text("This page is from")).to_have_count(0)
    phone_context.set_offline(True)
    phone.clock.set_fixed_time(clock.now() + timedelta(hours=1))
    phone.reload()
    expect(phone.get_by_text("This page is from")).to_be_visible()
    fill_in(phone, days_ago=1, proof=letter)
    send_report(phone)
    expect(phone.get_by_text("Saved on this phone")).to_be_visible()

    phone_context.set_offline(False)
    phone.goto(f"{live_server.url}/field/")
    expect(phone.get_by_text("Sent: the report")).to_be_visible()

    assert GoLiveReport.objects.get().proofs.count() == 1


def test_U12_pages_open_on_an_unusable_signal(
    phone: Page, live_server: LiveServer, tess: User, job: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in_and_cache_pages(phone, live_server, tess)
    open_job(phone, job)
    with unusable_signal(monkeypatch):
        phone.goto(f"{live_server.url}/field/")
        open_job(phone, job)


def test_U12_report_sent_on_an_unusable_signal_is_kept(
    phone: Page, live_server: LiveServer, tess: User, job: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(phone, live_server, tess)
    open_job(phone, job)
    fill_in(phone, days_ago=1)
    with unusable_signal(monkeypatch):
        send_report(phone)
        expect(phone.get_by_text("Saved on this phone")).to_be_visible()


def test_U12_report_with_cut_off_answer_is_kept_and_counts_once(
    phone: Page, live_server: LiveServer, tess: User, job: Installation, letter: Path
) -> None:
    sign_in(phone, live_server, tess)
    open_job(phone, job)
    fill_in(phone, days_ago=1, proof=letter)
    phone.route(f"**/field/jobs/{job.public_id}/", lambda route: route.fulfill(response=route.fetch(), body='{"url'))
    send_report(phone)
    expect(phone.get_by_text("Saved on this phone")).to_be_visible()
    assert GoLiveReport.objects.count() == 1

    phone.unroute_all()
    phone.evaluate("window.dispatchEvent(new Event('online'))")
    expect(phone.get_by_text("Sent: the report")).to_be_visible()

    assert GoLiveReport.objects.get().proofs.count() == 1
    assert not KeptProof.objects.exists()


@pytest.mark.parametrize("status", [HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.BAD_GATEWAY])
def test_U12_refused_report_does_not_block_the_others(
    phone: Page, phone_context: BrowserContext, live_server: LiveServer, tess: User, status: HTTPStatus
) -> None:
    jobs = [installation_at(SUBMITTED, at=clock.now(), technician=tess) for _ in range(2)]
    sign_in_and_cache_pages(phone, live_server, tess)
    for job in jobs:
        phone.goto(f"{live_server.url}/field/jobs/{job.public_id}/")
    phone_context.set_offline(True)
    for job, first_or_second in zip(jobs, "01", strict=True):
        phone.goto(f"{live_server.url}/field/jobs/{job.public_id}/")
        fill_in(phone, days_ago=1)
        phone.eval_on_selector(
            "[name=submission_id]", f"field => field.value = '{first_or_second}' + field.value.slice(1)"
        )
        send_report(phone)
        expect(phone.get_by_text(f"Saved on this phone: the report for {job.site.address_1}")).to_be_visible()

    phone.route(f"**/field/jobs/{jobs[0].public_id}/", lambda route: route.fulfill(status=status))
    phone_context.set_offline(False)
    expect(phone.get_by_text("Sent: the report")).to_be_visible()

    assert GoLiveReport.objects.get().installation == jobs[1]
    kept = "Saved on this phone" if status == HTTPStatus.BAD_GATEWAY else "This file is too large"
    expect(phone.get_by_text(kept)).to_be_visible()


def test_U12_next_technician_sees_nothing_of_the_previous_one(
    phone: Page, phone_context: BrowserContext, live_server: LiveServer, tess: User, job: Installation
) -> None:
    sign_in_and_cache_pages(phone, live_server, tess)
    open_job(phone, job)
    phone_context.clear_cookies()
    sign_in(phone, live_server, technician())

    phone_context.set_offline(True)

    with pytest.raises(Error):
        phone.goto(f"{live_server.url}/field/jobs/{job.public_id}/")


def test_U12_job_reassigned_to_another_technician_is_removed(
    phone: Page, phone_context: BrowserContext, live_server: LiveServer, tess: User, job: Installation
) -> None:
    sign_in_and_cache_pages(phone, live_server, tess)
    open_job(phone, job)
    phone_context.set_offline(True)
    fill_in(phone, days_ago=1)
    send_report(phone)
    expect(phone.get_by_text("Saved on this phone")).to_be_visible()
    job.technician = technician()
    job.save()

    phone_context.set_offline(False)
    expect(phone.get_by_text("no longer assigned to you")).to_be_visible()
    phone.on("dialog", lambda dialog: dialog.accept())
    phone.get_by_role("button", name="Delete it from this phone").click()
    expect(phone.get_by_text("no longer assigned to you")).to_have_count(0)
    phone.goto(f"{live_server.url}/field/jobs/{job.public_id}/")
    phone_context.set_offline(True)

    with pytest.raises(Error):
        phone.goto(f"{live_server.url}/field/jobs/{job.public_id}/")


def test_U12_page_without_offline_support_says_so(
    phone: Page, live_server: LiveServer, tess: User, job: Installation
) -> None:
    phone.add_init_script(NO_SERVICE_WORKER)
    sign_in(phone, live_server, tess)
    phone.route("**/idb*.js", lambda route: route.abort())

    phone.goto(f"{live_server.url}/field/jobs/{job.public_id}/")

    expect(phone.get_by_text("This page did not load completely")).to_be_visible()


def test_U12_form_waits_for_the_offline_script(
    phone: Page, phone_context: BrowserContext, live_server: LiveServer, tess: User, job: Installation
) -> None:
    on_its_way: list[Route] = []
    phone.add_init_script(NO_SERVICE_WORKER)
    sign_in(phone, live_server, tess)
    phone.route("**/go_live_form*.js", lambda route: on_its_way.append(route))

    phone.goto(f"{live_server.url}/field/jobs/{job.public_id}/", wait_until="commit")
    expect(phone.get_by_role("heading", name="Report permission to operate (PTO)")).to_be_visible()
    assert on_its_way
    expect(phone.get_by_role("button", name="Report permission to operate (PTO)")).to_have_count(0)

    on_its_way.pop().continue_()
    fill_in(phone, days_ago=1)
    phone_context.set_offline(True)
    send_report(phone)
    expect(phone.get_by_text("Saved on this phone")).to_be_visible()


def test_form_works_without_its_script(
    chromium_without_script: Page, live_server: LiveServer, tess: User, job: Installation, letter: Path
) -> None:
    page = chromium_without_script
    sign_in(page, live_server, tess)
    open_job(page, job)
    fill_in(page, days_ago=-1, proof=letter)
    send_report(page)
    expect(page.get_by_text("Saved: letter.jpg")).to_be_visible()

    fill_in(page, days_ago=1)
    send_report(page)

    assert_report_counts(page, job)
