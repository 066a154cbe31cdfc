"""After signing, customers always know: they see, and are told by mail, when it is their turn at Light."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from core.actors import Actor
from enrollments.actions import holds, mails
from enrollments.decision import steps
from enrollments.decision.steps import Waiting
from enrollments.engine.locked_case import lock_case
from enrollments.models import Enrollment
from enrollments.states import HoldCode, HoldOwner
from installations.models import Language
from poa_documents import actions as poa_actions
from poa_documents.links import IDLE_MINUTES
from poa_documents.models import CustomerMail, MailKind, PoaDocument
from tests.contract.dialects import REFERENCE
from tests.factories.company import set_company_rules
from tests.factories.poa_documents import sent_poa
from tests.integration.enrollments.flow import Flow
from tests.integration.poa_documents.portal_visits import LINK, Visit, token_in_last_mail
from tests.integration.poa_documents.spanish import english_in

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True),
]
REMINDERS = 2


@pytest.fixture(autouse=True)
def same_clock(flow: Flow, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LIGHT_HOSTED_ORIGINS = [flow.simulator.url]
    set_company_rules(reminder_first_days=1, reminder_every_days=1, max_reminders=REMINDERS)
    monkeypatch.setattr("core.clock.configured_clock", lambda: flow.clock)


def text_of(response: HttpResponse) -> str:
    return response.content.decode()


def turn_mails(kind: MailKind) -> list[Any]:
    return [each for each in mail.outbox if each.extra_headers["X-Switchyard-Mail"] == kind]


def waiting_for_details(flow: Flow) -> Enrollment:
    case = flow.case()
    flow.run(case)
    assert case.next_step == Waiting.CUSTOMER_TO_FINISH
    return case


def test_page_says_one_moment_during_account_creation(flow: Flow) -> None:
    flow.case()

    page = text_of(Visit(token_in_last_mail()).enter_code().open())

    assert "One moment" in page
    assert "soon_different.js" in page
    assert "You do not need to do anything" not in page


def test_page_then_has_the_light_button(flow: Flow) -> None:
    case = flow.case()
    visit = Visit(token_in_last_mail()).enter_code()
    visit.open()
    flow.run(case)

    page = text_of(visit.open())

    assert "Continue at Light" in page
    assert "soon_different.js" not in page


def test_light_is_named_before_the_signature(flow: Flow) -> None:
    case = flow.case(signed=False)
    job = case.installations.get()
    sent_poa(at=flow.clock.at, customer=job.customer, site=job.site)

    page = text_of(Visit.by_last_mail().open())

    assert "Light, the service that sets up your electricity account" in page
    assert "a card for your electricity bills" in page


def test_mail_asks_for_missing_details_with_a_button(flow: Flow) -> None:
    case = waiting_for_details(flow)
    flow.live(case, timedelta(hours=3))

    [told] = turn_mails(MailKind.DETAILS_MISSING)

    assert "a card for your electricity bills" in told.body
    assert LINK.search(told.body)
    assert "Continue at Light" in text_of(Visit.by_last_mail().open())


def test_reminders_are_capped(flow: Flow) -> None:
    case = waiting_for_details(flow)
    flow.live(case, timedelta(days=5))

    assert len(turn_mails(MailKind.DETAILS_MISSING)) == 1 + REMINDERS
    assert turn_mails(MailKind.DETAILS_MISSING)[1].subject.startswith("Reminder")


def test_frozen_credit_is_explained_by_mail(flow: Flow) -> None:
    case = flow.case(tags="+frozen")
    flow.run(case)
    flow.finish_at_light(case)
    flow.live(case, timedelta(hours=2))
    assert case.next_step == Waiting.CREDIT_FROZEN

    flow.live(case, timedelta(hours=30))

    told = turn_mails(MailKind.CREDIT_FROZEN)[0]
    assert "lift the freeze" in told.body


def test_finished_customer_is_not_reminded(flow: Flow) -> None:
    case = waiting_for_details(flow)
    flow.live(case, timedelta(hours=3))
    flow.finish_at_light(case)
    flow.live(case, timedelta(days=4))

    assert len(turn_mails(MailKind.DETAILS_MISSING)) == 1


def test_owed_mail_is_dropped_once_details_arrive(flow: Flow) -> None:
    case = waiting_for_details(flow)
    flow.pass_time(timedelta(hours=2))
    mails.schedule_turn_mail(enrollment_id=case.pk, code=Waiting.CUSTOMER_TO_FINISH, at=flow.clock.at)
    flow.finish_at_light(case)
    link_before = PoaDocument.objects.get().token_hash

    flow.run(case)

    assert turn_mails(MailKind.DETAILS_MISSING) == []
    assert PoaDocument.objects.get().token_hash == link_before


def test_mail_asks_for_nothing_the_page_does_not(flow: Flow) -> None:
    case = waiting_for_details(flow)
    flow.pass_time(timedelta(hours=2))
    mails.schedule_turn_mail(enrollment_id=case.pk, code=Waiting.CUSTOMER_TO_FINISH, at=flow.clock.at)
    with transaction.atomic():
        hold = steps.Hold(HoldCode.REPEATED_FAILURES, HoldOwner.OPERATIONS, because="Our own trouble.")
        holds.place_hold(lock_case(case.pk), hold, at=flow.clock.at)

    flow.send_case_mail()

    assert turn_mails(MailKind.DETAILS_MISSING) == []


def test_turn_mails_are_in_spanish(flow: Flow) -> None:
    case = waiting_for_details(flow)
    case.customer.language = Language.SPANISH
    case.customer.save()
    flow.live(case, timedelta(hours=3))

    [told] = turn_mails(MailKind.DETAILS_MISSING)

    assert english_in(told.subject + told.body) == set()


def test_visit_keeps_its_link_until_it_ends(flow: Flow) -> None:
    case = waiting_for_details(flow)
    flow.pass_time(timedelta(minutes=58))
    visit = Visit(token_in_last_mail()).enter_code()

    flow.pass_time(timedelta(minutes=IDLE_MINUTES - 1))
    flow.run(case)

    assert turn_mails(MailKind.DETAILS_MISSING) == []
    assert visit.open().status_code == 200


def test_revoked_authority_sends_no_mail(flow: Flow) -> None:
    case = waiting_for_details(flow)
    flow.revoke(case)
    flow.live(case, timedelta(days=4))

    assert turn_mails(MailKind.DETAILS_MISSING) == []


def test_paper_customers_get_the_text_by_post(flow: Flow) -> None:
    case = waiting_for_details(flow)
    poa = PoaDocument.objects.get()
    poa_actions.withdraw_econsent(poa_id=poa.pk, by=Actor.customer(poa.customer.public_id), at=flow.clock.at)
    flow.live(case, timedelta(hours=3))

    owed = CustomerMail.objects.get(kind=MailKind.DETAILS_MISSING)
    assert "Still missing" in owed.letter
    assert "http" not in owed.letter
