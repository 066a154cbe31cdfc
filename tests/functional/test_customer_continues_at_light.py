"""Customers return after signing: they see what is left, do it on Light's pages, and see their plan."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from enrollments.models import AdvanceNotice, Enrollment
from enrollments.states import EnrollmentStatus
from installations.models import Language
from simulator.server import start_simulator
from tests.contract.dialects import REFERENCE
from tests.factories.company import set_company_rules
from tests.functional.accessibility import violations_on
from tests.functional.pages import enter_the_code, follow
from tests.integration.enrollments.flow import MORNING, POLICY, Flow
from tests.integration.poa_documents.portal_visits import token_in_last_mail

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def flow(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    running = start_simulator()
    running.control.set_now(MORNING)
    running.control.freeze_clock()
    walked = Flow(running, REFERENCE)
    settings.LIGHT_HOSTED_ORIGINS = [running.url]
    monkeypatch.setattr("core.clock.configured_clock", lambda: walked.clock)
    monkeypatch.setattr("enrollments.customer_home.views.hosted_pages_client", lambda: walked.light)
    yield walked
    walked.light.close()
    running.stop()


@pytest.fixture
def case(flow: Flow) -> Enrollment:
    case = flow.case()
    flow.run(case)
    return case


def open_page(page: Page, live_server: LiveServer) -> None:
    page.goto(f"{live_server.url}/portal/{token_in_last_mail()}/")
    enter_the_code(page)


def assert_nothing_is_cut_off(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_page_leads_to_light_and_then_shows_the_plan(
    phone: Page, live_server: LiveServer, flow: Flow, case: Enrollment
) -> None:
    refused: list[str] = []
    phone.on("console", lambda message: refused.append(message.text) if "Content Security" in message.text else None)

    open_page(phone, live_server)
    assert_nothing_is_cut_off(phone)
    follow(phone.get_by_role("button", name="Continue at Light"))
    assert phone.url.startswith(flow.simulator.url)
    expect(phone.get_by_text("Stand-in for Light.")).to_be_visible()

    flow.finish_at_light(case)
    open_page(phone, live_server)
    follow(phone.get_by_role("button", name="I am done there"))
    expect(phone.get_by_text("We are asking Light right now")).to_be_visible()

    flow.report_pto(case)
    flow.live(case, timedelta(hours=2))
    assert case.status == EnrollmentStatus.FINALIZED
    phone.reload()
    enter_the_code(phone)
    assert_nothing_is_cut_off(phone)
    expect(phone.get_by_role("heading", name="Everything is done")).to_be_visible()
    expect(phone.get_by_role("link", name="Terms of Service", exact=True)).to_be_visible()
    assert refused == []


@pytest.mark.parametrize(("language", "size"), [(Language.ENGLISH, "phone"), (Language.SPANISH, "desktop")])
def test_announced_plan_is_held_resumed_and_accepted_after_the_notice(
    request: pytest.FixtureRequest,
    live_server: LiveServer,
    flow: Flow,
    case: Enrollment,
    settings: Settings,
    language: Language,
    size: str,
) -> None:
    page: Page = request.getfixturevalue(size)
    set_company_rules(advance_notice_days=3)
    flow.policy = replace(POLICY, notice_days=3)
    flow.restart_client()
    case.customer.language = language
    case.customer.save()
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=2), until=AdvanceNotice.objects.exists)
    flow.run(case)
    link = token_in_last_mail()
    complaints: list[str] = []

    def look(name: str) -> None:
        assert_nothing_is_cut_off(page)
        complaints.extend(violations_on(page, f"home-{language}-{name}"))

    def press(address: str) -> None:
        follow(page.locator(f"form[action$='/{address}/'] button"))

    page.goto(f"{live_server.url}/portal/{link}/")
    enter_the_code(page)
    look("1-announced")
    press("hold")
    look("2-on-hold")
    case.refresh_from_db()
    assert case.held_by_customer_at is not None
    press("resume")
    look("3-goes-on")

    flow.live(case, timedelta(days=5), until=lambda: case.status == EnrollmentStatus.FINALIZED)
    page.goto(f"{live_server.url}/portal/{link}/")
    enter_the_code(page)
    look("4-accepted")
    press("revoke")
    look("5-revoked-after-acceptance")

    assert "\n".join(complaints) == ""
    assert case.status == EnrollmentStatus.FINALIZED


def test_page_fits_a_desktop_and_is_in_spanish(desktop: Page, live_server: LiveServer, case: Enrollment) -> None:
    case.customer.language = Language.SPANISH
    case.customer.save()
    open_page(desktop, live_server)

    assert desktop.locator("html").get_attribute("lang") == "es"
    expect(desktop.get_by_role("button", name="Continuar en Light")).to_be_visible()
    assert_nothing_is_cut_off(desktop)
