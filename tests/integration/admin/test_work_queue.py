"""The first page: what is blocked, why, whose turn it is, and what to do."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from core.actors import Actor
from enrollments.actions.pauses import pause
from enrollments.actions.system_holds import hold_writes
from enrollments.models import Enrollment, WebhookDelivery, WebhookRefusal, WebhookSender
from enrollments.states import HoldCode, HoldOwner
from poa_documents.models import CustomerMail, PoaDocument
from tests.factories.cases import case, case_waiting_for_signature, held_case
from tests.factories.installations import AT, customer, go_live_report, installation
from tests.factories.poa_documents import sealing_poa, sent_poa

pytestmark = pytest.mark.django_db


def front_page(client: Client, query: str = "") -> str:
    return client.get(f"/admin/{query}").content.decode()


def test_blocked_case_shows_reason_turn_and_duration(office_client: Client) -> None:
    person = customer(first_name="Priya", last_name="Natarajan")
    held_case(
        AT - timedelta(days=6),
        customer=person,
        code=HoldCode.NOT_AUTHORIZED,
        owner=HoldOwner.OPERATIONS,
        because="Light rejects our token.",
    )

    page = front_page(office_client)

    assert "Priya Natarajan" in page
    assert "Light rejects our token." in page
    assert ">Operations<" in page
    assert "6 days" in page


def test_gates_are_open_or_closed_in_plain_text(office_client: Client) -> None:
    job = installation(AT - timedelta(days=30))
    go_live_report(job, at=AT - timedelta(days=2))
    case(job=job)

    page = front_page(office_client, "?part=waiting")

    assert "Authority closed" in page
    assert "Readiness closed" in page
    assert "Go-live open" in page


def test_blocked_waiting_and_running_cases_are_separate(office_client: Client) -> None:
    blocked, waiting = held_case(), case_waiting_for_signature()

    held_page = front_page(office_client)
    waiting_page = front_page(office_client, "?part=waiting")

    assert str(blocked.customer) in held_page
    assert str(waiting.customer) not in held_page
    assert str(waiting.customer) in waiting_page
    assert str(blocked.customer) not in waiting_page


def test_cases_can_be_filtered_by_reason_and_owner(office_client: Client) -> None:
    no_plans = held_case(code=HoldCode.NO_PLANS, owner=HoldOwner.OFFICE)
    no_token = held_case(code=HoldCode.NOT_AUTHORIZED, owner=HoldOwner.OPERATIONS)

    by_reason = front_page(office_client, "?part=held&reason=NO_PLANS")
    by_owner = front_page(office_client, "?part=held&owner=OPERATIONS")

    assert str(no_plans.customer) in by_reason
    assert str(no_token.customer) not in by_reason
    assert str(no_token.customer) in by_owner
    assert str(no_plans.customer) not in by_owner


@pytest.mark.parametrize("query", ["?part=nonsense", "?owner=nobody", "?reason=%3Cscript%3E", "?page=abc", "?page=99"])
def test_malformed_address_still_shows_the_queue(office_client: Client, query: str) -> None:
    held_case()

    answer = office_client.get(f"/admin/{query}")

    assert answer.status_code == 200
    assert "<script>" not in answer.content.decode().split("<main")[1].split("</main>")[0]


def test_most_urgent_case_comes_first(office_client: Client) -> None:
    later, sooner = held_case(AT - timedelta(days=9)), held_case(AT - timedelta(days=1))
    for blocked, days in ((later, 9), (sooner, 1)):
        Enrollment.objects.filter(pk=blocked.pk).update(act_by_date=AT.date() + timedelta(days=days))

    page = front_page(office_client)

    assert page.index(str(sooner.customer)) < page.index(str(later.customer))
    assert "Act by Mar 6, 2026" in page


def test_missed_deadline_is_shown(office_client: Client) -> None:
    Enrollment.objects.filter(pk=held_case().pk).update(act_by_date=AT.date() - timedelta(days=1))

    assert "Was due by Mar 4, 2026" in front_page(office_client)


def test_query_count_does_not_grow_with_cases(office_client: Client) -> None:
    held_case()
    case_waiting_for_signature()
    go_live_report(installation(AT), by=Actor.technician(UUID(int=0)))
    office_client.get("/admin/")

    with CaptureQueriesContext(connection) as with_few:
        office_client.get("/admin/")
    for _ in range(4):
        held_case()
        case_waiting_for_signature()
        go_live_report(installation(AT), by=Actor.technician(UUID(int=0)))
    with CaptureQueriesContext(connection) as with_many:
        office_client.get("/admin/")

    assert len(with_many) == len(with_few)
    assert len(with_many) <= 42


def test_long_queue_is_paginated(office_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enrollments.admin.work_queue.CASES_PER_PAGE", 2)
    cases = [held_case(AT - timedelta(days=days)) for days in (3, 2, 1)]

    first, second = front_page(office_client), front_page(office_client, "?page=2")

    assert str(cases[0].customer) in first
    assert str(cases[2].customer) not in first
    assert str(cases[2].customer) in second
    assert "Page 2 of 2" in second


def test_conflicting_go_live_reports_are_shown(office_client: Client) -> None:
    job = installation(AT - timedelta(days=30))
    go_live_report(job, granted_date=AT.date() - timedelta(days=3))
    go_live_report(job, granted_date=AT.date() - timedelta(days=2), by=Actor.technician(UUID(int=0)))

    page = front_page(office_client)

    assert "Conflicting go-live reports" in page
    assert str(job.customer) in page


def test_failing_mails_seals_and_webhooks_are_shown(office_client: Client) -> None:
    sent_poa(at=AT)
    CustomerMail.objects.update(sent_at=None, last_error="550 no such mailbox")
    poa = sealing_poa(at=AT)
    PoaDocument.objects.filter(pk=poa.pk).update(seal_failures=3, last_error="The storage does not answer.")
    WebhookDelivery.objects.create(event_key="k", body="{", received_at=AT, last_error="The body is not JSON.")

    page = front_page(office_client)

    assert "550 no such mailbox" in page
    assert "The storage does not answer." in page
    assert "The body is not JSON." in page


def test_active_pause_is_on_top_with_its_end_button(office_client: Client, viewer_client: Client) -> None:
    found = pause(reason="Wrong prices at Light.", by=Actor.staff(UUID(int=1)), at=AT)

    page, viewers_page = front_page(office_client), front_page(viewer_client)

    assert "Wrong prices at Light." in page
    assert f"/admin/enrollments/pause/{found.public_id}/button/resume/" in page
    assert "Wrong prices at Light." in viewers_page
    assert "button/resume/" not in viewers_page


def test_page_has_one_main_landmark_and_a_skip_link(office_client: Client) -> None:
    page = front_page(office_client)

    assert page.count("<main") == 1
    assert 'href="#content"' in page


def test_badly_signed_webhooks_of_today_are_shown(office_client: Client) -> None:
    WebhookRefusal.objects.create(date=AT.date(), count=7, last_at=AT, last_reason="The signature is wrong.")
    WebhookRefusal.objects.create(
        date=AT.date(), sender=WebhookSender.MAIL, count=5, last_at=AT, last_reason="The signature is missing."
    )
    WebhookRefusal.objects.create(date=AT.date() - timedelta(days=1), count=99, last_at=AT, last_reason="Old.")

    page = front_page(office_client)

    assert "Light: 7 today" in page
    assert "Mail provider: 5 today" in page
    assert "99 today" not in page


def test_webhook_given_up_for_unknown_account_is_shown(office_client: Client) -> None:
    WebhookDelivery.objects.create(
        event_key="k",
        body="{}",
        received_at=AT,
        outcome="No enrollment has this Light account. It is not retried any more.",
    )

    assert "No enrollment has this Light account" in front_page(office_client)


def test_first_page_starts_a_case_and_stops_everything(office_client: Client, viewer_client: Client) -> None:
    page, viewers_page = front_page(office_client), front_page(viewer_client)

    assert 'href="/admin/installations/customer/add/"' in page
    assert 'href="/admin/enrollments/pause/add/"' in page
    assert "Pause acceptances" not in viewers_page


def test_system_alarms_come_first_with_what_to_do(office_client: Client) -> None:
    hold_writes(reason="The provider moves.", by=Actor.staff(UUID(int=1)), at=AT)

    page = front_page(office_client)

    assert "All writes to Light are stopped: The provider moves." in page
    assert "release_writes" in page
