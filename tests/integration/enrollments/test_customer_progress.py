"""The customer's home with its progress, over HTTP, and the way to Light's own pages."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.apps import apps
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from core.dates import chicago_day
from enrollments.actions import case_opening
from enrollments.actions.plan_documents import fetch_document
from enrollments.decision.start_dates import earliest_rescission_end
from enrollments.decision.steps import Waiting
from enrollments.light.documents import DocumentFetcher
from enrollments.models import (
    AcceptAttempt,
    AdvanceNotice,
    Enrollment,
    EnrollmentEvent,
    PlanDocument,
    PlanDocumentKind,
)
from enrollments.states import EnrollmentStatus, HoldCode
from installations.models import Language
from poa_documents import actions as poa_actions
from poa_documents.limits import format_date
from poa_documents.links import hash_of
from poa_documents.models import PoaDocument
from poa_documents.portal.link_access import form_key
from tests.factories.poa_documents import sent_poa
from tests.integration.enrollments.flow import OFFICE, POLICY, Flow
from tests.integration.poa_documents.portal_visits import Visit, code_in_last_mail, token_in_last_mail
from tests.integration.poa_documents.spanish import english_in, visible_text

pytestmark = [pytest.mark.django_db, pytest.mark.one_dialect]
MAX_STATEMENTS_OF_THE_PAGE = 8


@pytest.fixture
def customers_flow(flow: Flow, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    """A flow that also serves the customer pages, with the same clock and the same Light."""
    settings.LIGHT_HOSTED_ORIGINS = [flow.simulator.url]
    monkeypatch.setattr("core.clock.configured_clock", lambda: flow.clock)
    monkeypatch.setattr("enrollments.customer_home.views.hosted_pages_client", lambda: flow.light)
    yield flow
    flow.simulator.control.clear_faults()


@pytest.fixture
def case(customers_flow: Flow) -> Enrollment:
    """Signed, known to Light, and waiting for the customer's details."""
    case = customers_flow.case()
    customers_flow.run(case)
    return case


@pytest.fixture
def visit(case: Enrollment) -> Visit:
    return Visit.by_last_mail()


def text_of(response: HttpResponse) -> str:
    return response.content.decode()


def click(visit: Visit, path: str, *, follow: bool = False) -> HttpResponse:
    key = form_key(PoaDocument.objects.get(token_hash=hash_of(visit.token)))
    response = visit.client.post(visit.address(path), {"form_key": key}, follow=follow)
    assert isinstance(response, HttpResponse)
    return response


def all_rows() -> dict[str, list[dict[str, Any]]]:
    labels = ("installations", "poa_documents", "enrollments", "core")
    models = [model for label in labels for model in apps.get_app_config(label).get_models()]
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in models}


def test_one_page_shows_document_progress_and_revocation(visit: Visit) -> None:
    page = text_of(visit.open())

    assert "Download my copy" in page
    assert "A few details are missing" in page
    assert "a card for your electricity bills" in page
    assert "Continue at Light" in page
    assert "Revoke my power of attorney" in page
    assert page.count("<h1") == 1


def test_page_is_in_spanish(case: Enrollment, visit: Visit) -> None:
    case.customer.language = Language.SPANISH
    case.customer.save()

    page = visit.open()

    assert "Continuar en Light" in text_of(page)
    assert english_in(visible_text(page)) == set()


def test_click_opens_light_once_and_stores_no_link(case: Enrollment, visit: Visit) -> None:
    first, second = click(visit, "continue/"), click(visit, "continue/")

    assert first.status_code == 302
    assert first["Referrer-Policy"] == "no-referrer"
    assert "no-store" in first["Cache-Control"]
    assert first["Location"] != second["Location"]
    assert requests.get(first["Location"], timeout=10).ok
    secret = first["Location"].rpartition("=")[2].rpartition("/")[2]
    assert len(secret) > 20
    assert secret not in repr(all_rows())
    assert EnrollmentEvent.objects.filter(enrollment=case, name="open_hosted_pages").count() == 2


def test_browser_may_follow_the_form_to_light(customers_flow: Flow, visit: Visit) -> None:
    policy = visit.open()["Content-Security-Policy"]

    assert f"form-action 'self' {customers_flow.simulator.url}" in policy


def test_opening_pages_changes_no_row(customers_flow: Flow, visit: Visit) -> None:
    before = all_rows()
    asked = len(customers_flow.simulator.control.requests())

    for path in ("", "continue/", "check/", "revoke/"):
        assert visit.open(path).status_code == 200

    assert all_rows() == before
    assert len(customers_flow.simulator.control.requests()) == asked


def test_cross_site_form_opens_nothing(visit: Visit) -> None:
    for path in ("continue/", "check/"):
        assert visit.client.post(visit.address(path), {"form_key": "guessed"}).status_code == 403
    assert Visit("x" * 43).open("continue/").status_code == 404


@pytest.mark.parametrize("kind", ["error_before", "not_found", "rate_limit", "html"])
def test_page_offers_a_retry_when_light_fails(kind: str, customers_flow: Flow, visit: Visit) -> None:
    customers_flow.simulator.control.inject_fault("flow_login", kind, times=20)

    assert click(visit, "continue/").status_code == 302
    response = click(visit, "continue/", follow=True)

    assert response.status_code == 200
    assert "Light&#x27;s pages cannot be opened right now" in text_of(response)
    assert "Continue at Light" in text_of(response)
    customers_flow.simulator.control.clear_faults()
    assert click(visit, "continue/").status_code == 302


def test_customer_is_never_sent_to_an_unconfigured_host(visit: Visit, settings: Settings) -> None:
    settings.LIGHT_HOSTED_ORIGINS = ["https://flow.light.dev"]

    assert "cannot be opened right now" in text_of(click(visit, "continue/", follow=True))


def test_customer_waits_until_light_has_an_account(customers_flow: Flow) -> None:
    customers_flow.case()

    response = click(Visit.by_last_mail(), "continue/", follow=True)

    assert response.status_code == 200
    assert "still being prepared" in text_of(response)


def test_completion_at_light_is_seen_immediately_on_request(
    customers_flow: Flow, case: Enrollment, visit: Visit
) -> None:
    customers_flow.finish_at_light(case)
    assert click(visit, "check/").status_code == 302
    assert "We are asking Light right now" in text_of(visit.open())

    customers_flow.engine.advance(case.pk)

    page = text_of(visit.open())
    assert "Continue at Light" not in page
    assert "We are waiting for permission to turn on your equipment" in page


def test_accepted_plan_is_shown_with_documents_start_and_opt_out(
    customers_flow: Flow, case: Enrollment, visit: Visit
) -> None:
    customers_flow.finish_at_light(case)
    customers_flow.report_pto(case)
    customers_flow.live(case, timedelta(hours=2))
    assert case.status == EnrollmentStatus.FINALIZED

    visit.enter_code()
    page = text_of(visit.open())

    assert "Your power of attorney has been used" in page
    assert "Everything is done" in page
    assert case.accepted_offer is not None
    for url in (case.accepted_offer.efl_url, case.accepted_offer.tos_url, case.accepted_offer.yrac_url):
        assert url
        assert f'href="{url}" rel="noopener noreferrer"' in page
    assert "You can say no until service starts" in page
    assert "Continue at Light" not in page


def announced_case(customers_flow: Flow, case: Enrollment) -> AdvanceNotice:
    """The case's customer was just told of a plan."""
    customers_flow.policy = replace(POLICY, notice_days=3)
    customers_flow.restart_client()
    customers_flow.finish_at_light(case)
    customers_flow.report_pto(case)
    customers_flow.live(case, timedelta(hours=2), until=AdvanceNotice.objects.exists)
    customers_flow.run(case)
    return AdvanceNotice.objects.get()


def test_announced_plan_is_held_and_resumed_with_one_click(
    customers_flow: Flow, case: Enrollment, visit: Visit
) -> None:
    notice = announced_case(customers_flow, case)
    visit.token = token_in_last_mail()
    visit.enter_code()
    page = text_of(visit.open())
    assert "We found a plan for you" in page
    assert notice.offer.name in page
    assert format_date(notice.last_day, "en") in page
    assert format_date(notice.start_date, "en") in page
    assert f'href="{notice.offer.efl_url}"' in page
    assert "Payment for solar power you send to the grid" in page
    assert "at most $40.00" in page

    assert click(visit, "hold/").status_code == 302
    case.refresh_from_db()
    assert case.held_by_customer_at is not None
    held = text_of(visit.open())
    assert "Your enrollment is on hold" in held
    assert "Hold my enrollment" not in held
    assert click(visit, "resume/").status_code == 302
    assert click(visit, "resume/").status_code == 302

    assert "Hold my enrollment" in text_of(visit.open())
    kinds = list(EnrollmentEvent.objects.filter(name__startswith="customer_").values_list("name", flat=True))
    assert kinds == ["customer_held", "customer_resumed"]


@pytest.mark.parametrize("hours_later", [3, 40])
def test_customer_can_object_during_the_whole_notice(
    customers_flow: Flow, case: Enrollment, visit: Visit, hours_later: int
) -> None:
    notice = announced_case(customers_flow, case)
    visit.token = token_in_last_mail()
    customers_flow.pass_time(timedelta(hours=hours_later))
    assert customers_flow.clock.at < notice.until
    visit.enter_code()

    page = text_of(visit.open())
    assert "We found a plan for you" in page
    assert "Hold my enrollment" in page
    assert click(visit, "hold/").status_code == 302
    customers_flow.pass_time(timedelta(hours=3))
    visit.enter_code()
    held = text_of(visit.open())

    assert "Your enrollment is on hold" in held
    assert "Resume my enrollment" in held


def test_page_changes_soon_after_the_customer_resumes(customers_flow: Flow, case: Enrollment, visit: Visit) -> None:
    announced_case(customers_flow, case)
    visit.token = token_in_last_mail()
    visit.enter_code()
    click(visit, "hold/")
    customers_flow.run(case)

    click(visit, "resume/")
    between = text_of(visit.open())
    customers_flow.run(case)

    assert "Something just changed" in between
    assert "soon_different.js" in between
    assert "Your enrollment is on hold" not in between
    assert "We found a plan for you" in text_of(visit.open())


def test_page_shows_no_old_text_after_a_revocation(customers_flow: Flow, case: Enrollment, visit: Visit) -> None:
    click(visit, "revoke/")

    page = text_of(visit.open())

    assert "Something just changed" in page
    assert "A few details are missing" not in page
    assert "soon_different.js" in page


def test_page_asks_for_nothing_while_light_is_read(customers_flow: Flow, case: Enrollment, visit: Visit) -> None:
    customers_flow.finish_at_light(case)

    click(visit, "check/")
    page = text_of(visit.open())

    assert "We are asking Light right now" in page
    assert "A few details are missing" not in page
    assert "soon_different.js" in page


def test_page_keeps_the_turn_while_light_is_away(customers_flow: Flow, case: Enrollment, visit: Visit) -> None:
    customers_flow.simulator.control.inject_fault("read", "error_before", times=20)
    click(visit, "check/")
    customers_flow.engine.advance(case.pk)
    case.refresh_from_db()

    page = text_of(visit.open())

    assert case.next_step == Waiting.BACKING_OFF
    assert "A few details are missing" in page
    assert "Continue at Light" in page


def test_page_admits_that_our_processing_fails(
    customers_flow: Flow, case: Enrollment, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("Our own trouble.")

    monkeypatch.setattr("enrollments.engine.engine.decide", fail)
    click(visit, "check/")

    customers_flow.engine.advance(case.pk)
    tried = text_of(visit.open())
    customers_flow.live(case, timedelta(hours=6))
    visit.enter_code()
    given_up = text_of(visit.open())

    assert "We are working on it" in tried
    assert "Our own trouble" not in tried
    assert "We are looking into something" in given_up
    assert "Something just changed" not in given_up


def test_page_shows_the_stored_decision_at_any_time(
    customers_flow: Flow, case: Enrollment, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers_flow.pass_time(timedelta(days=3))
    visit.enter_code()

    def decided_live(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("The page made its own decision.")

    monkeypatch.setattr("enrollments.decision.decide._next_step", decided_live)

    assert "A few details are missing" in text_of(visit.open())


def test_page_query_count_does_not_grow_with_history(customers_flow: Flow, case: Enrollment, visit: Visit) -> None:
    with CaptureQueriesContext(connection) as young:
        visit.open()
    customers_flow.finish_at_light(case)
    customers_flow.live(case, timedelta(days=2))
    visit.enter_code()

    with CaptureQueriesContext(connection) as old:
        visit.open()

    assert len(old) <= len(young) <= MAX_STATEMENTS_OF_THE_PAGE


def test_hold_sent_after_session_end_counts_after_the_code(
    customers_flow: Flow, case: Enrollment, visit: Visit
) -> None:
    announced_case(customers_flow, case)
    visit.token = token_in_last_mail()

    shut = click(visit.enter_code(), "leave/") and click(visit, "hold/", follow=True)
    back = visit.post(
        "enter/", {**visit.fields_of(visit.post("code/", visit.fields_of(shut))), "code": code_in_last_mail()}
    )
    assert "just entered is saved" in text_of(shut)
    assert "Send what I entered" in text_of(back)
    visit.post("hold/", visit.fields_of(back))

    case.refresh_from_db()
    assert case.held_by_customer_at is not None


def test_hold_after_the_acceptance_is_explained(customers_flow: Flow, case: Enrollment, visit: Visit) -> None:
    announced_case(customers_flow, case)
    visit.token = token_in_last_mail()
    customers_flow.live(case, timedelta(days=5), until=lambda: case.status == EnrollmentStatus.FINALIZED)
    visit.enter_code()

    response = click(visit, "hold/", follow=True)

    assert response.status_code == 200
    assert "That came too late to stop it" in text_of(response)
    assert "Last day to rescind free of charge" in text_of(response)


def test_opening_button_addresses_holds_nothing(customers_flow: Flow, case: Enrollment, visit: Visit) -> None:
    announced_case(customers_flow, case)
    visit.token = token_in_last_mail()
    visit.enter_code()

    visit.open("hold/")
    case.refresh_from_db()

    assert case.held_by_customer_at is None


@pytest.mark.cell("U5")
def test_customer_hold_stops_a_recorded_acceptance(
    customers_flow: Flow, case: Enrollment, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has recorded its attempt and is about to send it when the customer's hold commits."""
    customers_flow.finish_at_light(case)
    customers_flow.report_pto(case)
    customers_flow.pass_time(timedelta(hours=1))
    visit.enter_code()
    accept = customers_flow.light.accept_plan

    def held_in_between(*args: Any, **kwargs: Any) -> Any:
        assert AcceptAttempt.objects.filter(succeeded__isnull=True).exists()
        assert click(visit, "revoke/").status_code == 302
        return accept(*args, **kwargs)

    monkeypatch.setattr(customers_flow.light, "accept_plan", held_in_between)

    customers_flow.live(case, timedelta(hours=3))

    assert customers_flow.acceptances_of(case) == []
    assert AcceptAttempt.objects.get().succeeded is False
    assert case.holds.get(released_at__isnull=True).code == HoldCode.AUTHORITY_ENDED
    assert "Receipt number" in text_of(visit.enter_code().open())


def test_revocation_receipt_says_what_the_acceptance_keeps(
    customers_flow: Flow, case: Enrollment, visit: Visit
) -> None:
    customers_flow.finish_at_light(case)
    customers_flow.report_pto(case)
    customers_flow.live(case, timedelta(hours=2))
    visit.enter_code()

    click(visit, "revoke/")
    page = text_of(visit.open())

    assert "A plan that was accepted before stays in force" in page
    assert "Receipt number" in page
    assert case.accepted_at is not None
    last_day = earliest_rescission_end(chicago_day(case.accepted_at))
    assert format_date(last_day, "en") in page
    assert "write to Light&#x27;s support" in page


def test_plan_documents_are_served_as_stored(
    customers_flow: Flow, case: Enrollment, visit: Visit, settings: Settings
) -> None:
    customers_flow.finish_at_light(case)
    customers_flow.report_pto(case)
    customers_flow.live(case, timedelta(hours=2))
    fetcher = DocumentFetcher(allowed_origins=[customers_flow.simulator.url])
    for number in PlanDocument.objects.values_list("pk", flat=True):
        fetch_document(document_id=number, fetcher=fetcher, at=customers_flow.clock.at)
    document = PlanDocument.objects.get(kind=PlanDocumentKind.EFL)
    visit.enter_code()

    page = text_of(visit.open())
    download = visit.open("plan/efl/")

    assert f'href="{visit.address("plan/EFL/")}"' in page
    assert hashlib.sha256(download.content).hexdigest() == document.sha256
    assert download.headers["Content-Disposition"].startswith("attachment;")
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "config.no.Storage"}}
    away = visit.open("plan/efl/")
    assert away.status_code == 503
    assert "The document cannot be opened right now" in text_of(away)


def test_revoked_case_says_we_no_longer_act(customers_flow: Flow, case: Enrollment, visit: Visit) -> None:
    customers_flow.revoke(case)
    customers_flow.run(case)

    visit.enter_code()
    page = text_of(visit.open())

    assert "You revoked your power of attorney" in page
    assert "We may not act for you" in page
    assert "Continue at Light" not in page


def test_unsigned_document_promises_no_progress(customers_flow: Flow) -> None:
    poa = sent_poa(at=customers_flow.clock.at)
    visit = Visit.by_last_mail()
    case_opening.reconsider_site(site_id=poa.site_id, at=customers_flow.clock.at)
    poa_actions.void_poa(poa_id=poa.pk, reason="A typing error.", by=OFFICE, at=customers_flow.clock.at)

    page = text_of(visit.open())

    assert "This document was withdrawn" in page
    assert "Where things stand" not in page


def test_older_link_shows_nothing_of_a_newer_documents_case(
    customers_flow: Flow, case: Enrollment, visit: Visit
) -> None:
    job = case.installations.get()
    customers_flow.pass_time(timedelta(days=1))
    customers_flow.sign(job)
    assert PoaDocument.objects.filter(site=case.site).count() == 2

    old, new = text_of(visit.enter_code().open()), text_of(Visit.by_last_mail().open())

    assert "A few details are missing" not in old
    assert "Steps to your plan" in new
