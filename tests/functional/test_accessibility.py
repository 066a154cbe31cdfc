"""Every page of every surface, checked by axe-core (WCAG 2.2 AA)."""

from datetime import UTC, datetime
from http import HTTPStatus

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from core.admin.links import button_url, record_url
from core.admin.records import RecordAdmin
from installations.models import Installation
from poa_documents import actions
from tests.factories.accounts import client_key
from tests.factories.cases import case, hold, judged_offer
from tests.factories.installations import (
    SUBMITTED,
    customer,
    go_live_report,
    installation,
    installation_at,
    site,
    technician,
)
from tests.factories.poa_documents import STAFF, sent_poa, signed_poa
from tests.functional.accessibility import violations_on
from tests.functional.pages import STEPS_WITH_TEXT, agree, enter_the_code, follow, send, start_signing
from tests.integration.poa_documents.portal_visits import token_in_last_mail

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]
PASSWORD = "a long enough password"


@pytest.fixture
def now() -> datetime:
    return datetime.now(tz=UTC)


@pytest.fixture(params=["phone", "desktop"])
def page(request: pytest.FixtureRequest) -> Page:
    found: Page = request.getfixturevalue(request.param)
    return found


def signed_in(page: Page, server: LiveServer, person: User) -> Page:
    """Reuse a session of Django's test client; sign-in has its own tests."""
    client = Client()
    client.force_login(person)
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server.url}])
    return page


# --- the customer's pages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "es"])
def test_customer_pages_from_link_to_revocation_are_accessible(
    live_server: LiveServer, page: Page, now: datetime, language: str
) -> None:
    job = installation(now, customer=customer(now, language=language, first_name="Carmen"))
    sent_poa(customer=job.customer, site=job.site, at=now)
    start = f"{live_server.url}/portal/{token_in_last_mail()}/"
    complaints: list[str] = []

    def look(name: str) -> None:
        complaints.extend(violations_on(page, f"portal-{language}-{name}"))

    page.goto(start)
    look("01-code")
    send(page)
    look("02-code")
    page.fill("#code", "12")
    send(page)
    look("03-code-wrong")
    page.goto(start)
    enter_the_code(page)
    look("04-home-invited")
    start_signing(page)
    for place, name in enumerate(STEPS_WITH_TEXT, start=1):
        look(f"1{place}-{name}")
        if name in {"broker", "electronic", "confirm"}:
            send(page)
            look(f"1{place}-{name}-errors")
        agree(page)
    look("21-signature-typed")
    send(page)
    look("21-signature-errors")
    page.check("#kind-drawn")
    look("22-signature-drawn")
    page.check("#kind-typed")
    page.fill("#typed-name", "Carmen Reyes")
    send(page)
    look("23-review")
    page.goto(f"{start}step/broker/")
    look("24-broker-agreed")
    page.goto(f"{start}decline/")
    look("25-decline")
    page.goto(f"{start}step/review/")
    send(page)
    look("31-home-signed")
    follow(page.locator("form[action$='/paper/'] button"))
    look("32-home-paper")
    follow(page.locator("form[action$='/revoke/'] button"))
    look("33-home-revoked")

    assert "\n".join(complaints) == ""


def test_pages_of_failing_links_are_accessible(live_server: LiveServer, page: Page, now: datetime) -> None:
    poa = sent_poa(at=now)
    replaced = token_in_last_mail()
    again = actions.send_poa(poa_id=poa.pk, by=STAFF, at=now)
    actions.send_mail(mail_id=again.pk, at=now)
    withdrawn = token_in_last_mail()
    actions.void_poa(poa_id=poa.pk, reason="Wrong plan.", by=STAFF, at=now)
    complaints: list[str] = []

    for name, token in {"unknown": "x" * 43, "replaced": replaced, "withdrawn": withdrawn}.items():
        page.goto(f"{live_server.url}/portal/{token}/")
        complaints += violations_on(page, f"portal-link-{name}")

    assert "\n".join(complaints) == ""


def test_page_for_a_browser_without_cookies_is_accessible(live_server: LiveServer, page: Page, now: datetime) -> None:
    sent_poa(at=now)
    page.goto(f"{live_server.url}/portal/{token_in_last_mail()}/")
    page.context.clear_cookies()

    send(page)

    expect(page.locator("h1")).to_have_text("Please allow cookies")
    assert violations_on(page, "portal-cookies") == []


# --- the technician's pages ----------------------------------------------------------------------------------------


def test_technician_pages_are_accessible(live_server: LiveServer, page: Page, now: datetime) -> None:
    tess = technician()
    job = installation_at(SUBMITTED, at=now, technician=tess)
    page.goto(f"{live_server.url}/field/")
    complaints = violations_on(page, "field-sign-in")
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    follow(page.get_by_role("button", name="Sign in"))
    complaints += violations_on(page, "field-sign-in-refused")

    signed_in(page, live_server, tess).goto(f"{live_server.url}/field/")
    complaints += violations_on(page, "field-jobs")
    page.goto(f"{live_server.url}/field/jobs/{job.public_id}/")
    complaints += violations_on(page, "field-job")
    page.get_by_label("Date on the utility's permission").fill("2031-01-01")
    page.locator("main form button[type=submit]").first.click()
    expect(page.get_by_role("alert")).to_be_visible()
    complaints += violations_on(page, "field-job-refused")
    report = go_live_report(job, at=now)
    page.goto(f"{live_server.url}/field/reports/{report.submission_id}/")
    complaints += violations_on(page, "field-report")

    assert "\n".join(complaints) == ""


# --- the office's pages --------------------------------------------------------------------------------------------


@pytest.fixture
def whole_case(now: datetime) -> Installation:
    """One case with every kind of record."""
    person, place = customer(now), site(now)
    job = installation(now, customer=person, site=place)
    poa = signed_poa(customer=person, site=place, at=now)
    go_live_report(job, at=now)
    enrollment = case(job=job)
    hold(enrollment, at=now, because="The address was not found.")
    judged_offer(enrollment, poa)
    client_key()
    return job


def office_addresses() -> list[str]:
    """The queue, and for each kind of record its list, a page, its form and what each button asks."""
    addresses = ["/admin/", "/admin/password_change/"]
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label not in {"core", *OUR_APPS}:
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        addresses.append(reverse(f"{name}_changelist"))
        record = model._default_manager.first()
        if record is not None:
            addresses.append(record_url(record))
            if isinstance(model_admin, RecordAdmin):
                addresses += [button_url(record, button.name) for button in model_admin.buttons if not button.is_direct]
        addresses.append(reverse(f"{name}_add"))
    return addresses


OUR_APPS = tuple(
    label for label in ("accounts", "installations", "poa_documents", "enrollments") if apps.is_installed(label)
)


@pytest.mark.usefixtures("whole_case")
@pytest.mark.parametrize(("width", "each"), [("desktop", 1), ("phone", 4)])
def test_office_pages_are_accessible(
    request: pytest.FixtureRequest, live_server: LiveServer, admin_user: User, width: str, each: int
) -> None:
    """All of them on a desktop; on a phone, where the same templates stack, every fourth."""
    page: Page = request.getfixturevalue(width)
    page.goto(f"{live_server.url}/admin/login/")
    complaints = violations_on(page, "admin-login")
    signed_in(page, live_server, admin_user)
    decided_once = 0

    for address in office_addresses()[::each]:
        answer = page.goto(f"{live_server.url}{address}")
        assert answer is not None
        if answer.status == HTTPStatus.OK:  # some records cannot be added by hand, some buttons are not offered now
            complaints += violations_on(page)
            decided_once += 1

    assert decided_once > 40 / each
    assert "\n".join(complaints) == ""


def test_axe_reports_a_planted_problem(page: Page) -> None:
    page.set_content("<html><head><title></title></head><body><img src='data:,'><input></body></html>")

    assert any("image-alt" in complaint for complaint in violations_on(page, "wrong-on-purpose"))
