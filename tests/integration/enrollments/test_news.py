"""Milestone mails along the real flow: each once, in the customer's language, and none that is outdated."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils.html import strip_tags

from core.actors import Actor
from core.company_rules import SAMPLE
from core.dates import chicago_day
from enrollments.actions import case_opening, closing, customer_holds, mails
from enrollments.decision.start_dates import earliest_rescission_end
from enrollments.decision.steps import Waiting
from enrollments.models import AdvanceNotice, Enrollment
from enrollments.states import EnrollmentStatus, HoldCode
from installations.actions import correct_contact
from installations.models import Customer
from poa_documents import actions as poa_actions
from poa_documents.limits import format_date
from poa_documents.models import AddressFailure, CustomerMail, MailKind, MailState, PoaDocument, ReturnSource
from tests.contract.dialects import REFERENCE
from tests.integration.enrollments.flow import OFFICE, POLICY, Flow
from tests.integration.poa_documents.spanish import english_in

pytestmark = pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)


@pytest.fixture
def notice_flow(flow: Flow) -> Flow:
    """A flow in which customers have three days to object."""
    flow.policy = replace(POLICY, notice_days=3)
    flow.restart_client()
    return flow


def news() -> list[Any]:
    kinds = {MailKind.GO_LIVE_RECEIVED, MailKind.ADVANCE_NOTICE, MailKind.PLAN_ACCEPTED, MailKind.SERVICE_ACTIVE}
    return [message for message in mail.outbox if message.extra_headers["X-Switchyard-Mail"] in kinds]


def kinds_sent() -> list[str]:
    return [message.extra_headers["X-Switchyard-Mail"] for message in news()]


def ready(flow: Flow, case: Enrollment) -> None:
    """Everything is done but the engine's last turn."""
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    case_opening.reconsider_site(site_id=case.site_id, at=flow.clock.at)


def accept(flow: Flow, case: Enrollment) -> None:
    ready(flow, case)
    finalized = Enrollment.objects.filter(pk=case.pk, status=EnrollmentStatus.FINALIZED)
    flow.live(case, timedelta(hours=6), until=finalized.exists)
    assert case.status == EnrollmentStatus.FINALIZED


def send(flow: Flow, *, after: timedelta = timedelta(0)) -> None:
    """Send what is owed, without calling Light."""
    flow.clock.at += after
    flow.send_case_mail()


def told(flow: Flow, case: Enrollment) -> AdvanceNotice:
    ready(flow, case)
    flow.live(case, timedelta(hours=6), until=AdvanceNotice.objects.exists)
    flow.run(case)
    assert case.next_step == Waiting.NOTICE
    return AdvanceNotice.objects.get()


def test_whole_flow_sends_each_mail_once(notice_flow: Flow) -> None:
    case = notice_flow.case()
    told(notice_flow, case)
    notice_flow.live(case, timedelta(days=40), until=lambda: case.status == EnrollmentStatus.ACTIVE)
    for _ in range(3):
        case_opening.reconsider_site(site_id=case.site_id, at=notice_flow.clock.at)
        notice_flow.run(case)

    assert kinds_sent() == ["GO_LIVE_RECEIVED", "ADVANCE_NOTICE", "PLAN_ACCEPTED", "SERVICE_ACTIVE"]
    keys = list(CustomerMail.objects.exclude(once_key="").values_list("once_key", flat=True))
    assert len(keys) == len(set(keys)) == 4


def test_notice_names_plan_price_start_and_last_day(notice_flow: Flow) -> None:
    notice = told(notice_flow, notice_flow.case())

    body = str(news()[-1].body)
    assert kinds_sent()[-1] == MailKind.ADVANCE_NOTICE
    assert notice.offer.name in body
    assert format_date(notice.start_date, "en") in body
    assert body.count(format_date(notice.last_day, "en")) == 3
    assert "put your enrollment on hold" in body
    assert "1,000 kWh" in body


def test_acceptance_mail_names_last_cancel_day_and_contact(flow: Flow, settings: Any) -> None:
    case = flow.case()
    accept(flow, case)
    send(flow, after=mails.MAX_WAIT_FOR_DOCUMENTS + timedelta(minutes=1))

    message = news()[-1]
    assert case.accepted_at is not None
    assert case.accepted_offer is not None
    last_day = format_date(earliest_rescission_end(chicago_day(case.accepted_at)), "en")
    for part in (message.body, message.alternatives[0][0]):
        text = strip_tags(str(part))
        assert last_day in text
        assert SAMPLE["contact"] in text
        assert case.accepted_offer.name in text
        assert "/portal/" not in str(part), "a new link would end the one that the customer has"


def test_acceptance_mail_waits_for_plan_documents(flow: Flow) -> None:
    case = flow.case()
    accept(flow, case)

    before = kinds_sent()
    send(flow, after=timedelta(minutes=5))
    waiting = kinds_sent()
    send(flow, after=mails.MAX_WAIT_FOR_DOCUMENTS)

    owed = CustomerMail.objects.get(kind=MailKind.PLAN_ACCEPTED)
    assert MailKind.PLAN_ACCEPTED not in before + waiting
    assert (owed.state, owed.attempts) == (MailState.SENT, 1)
    assert "on your page" in str(news()[-1].body)


def test_no_notice_after_an_objection(notice_flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = notice_flow.case()
    with monkeypatch.context() as unsent:
        unsent.setattr(Flow, "send_case_mail", lambda _flow: None)
        told(notice_flow, case)
    customer_holds.hold_for_customer(
        enrollment_id=case.pk, by=Actor.customer(case.customer.public_id), at=notice_flow.clock.at
    )

    send(notice_flow)

    assert MailKind.ADVANCE_NOTICE not in kinds_sent()
    assert CustomerMail.objects.get(kind=MailKind.ADVANCE_NOTICE).state == MailState.OVERTAKEN


@pytest.mark.parametrize("ending", ["revoked", "closed"])
def test_ended_case_sends_no_news(flow: Flow, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = flow.case()
    flow.run(case)
    flow.report_pto(case)
    case_opening.reconsider_site(site_id=case.site_id, at=flow.clock.at)
    if ending == "revoked":
        flow.revoke(case)
    else:
        closing.close_enrollment(enrollment_id=case.pk, reason="Sold the house.", by=OFFICE, at=flow.clock.at)

    send(flow)

    assert news() == []
    assert CustomerMail.objects.get(kind=MailKind.GO_LIVE_RECEIVED).state == MailState.OVERTAKEN


def test_accepted_plan_is_announced_even_after_revocation(flow: Flow) -> None:
    case = flow.case()
    accept(flow, case)
    flow.revoke(case)

    send(flow, after=mails.MAX_WAIT_FOR_DOCUMENTS + timedelta(minutes=1))

    assert kinds_sent()[-1] == MailKind.PLAN_ACCEPTED, (
        "it is in force, and the customer must know until when they can cancel it"
    )


def test_plan_that_ended_before_the_mail_is_not_announced(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = flow.case()
    with monkeypatch.context() as unsent:
        unsent.setattr(Flow, "send_case_mail", lambda _flow: None)
        accept(flow, case)
    flow.simulator.control.cancel(str(case.light_account_uuid))
    flow.live(case, timedelta(days=2), until=lambda: case.status == EnrollmentStatus.ENDED)

    assert case.status == EnrollmentStatus.ENDED
    assert MailKind.PLAN_ACCEPTED not in kinds_sent()


def test_mails_are_in_spanish_without_english(notice_flow: Flow) -> None:
    case = notice_flow.case()
    Customer.objects.filter(pk=case.customer_id).update(language="es")
    told(notice_flow, case)
    notice_flow.live(case, timedelta(days=40), until=lambda: case.status == EnrollmentStatus.ACTIVE)

    assert len(news()) == 4
    names = {offer.name for offer in case.offers.all()}
    for message in news():
        text = f"{message.subject} {message.body}"
        for name in names:
            text = text.replace(name, "")
        assert english_in(text) == set(), message.extra_headers


def test_hostile_names_stay_on_one_line(notice_flow: Flow) -> None:
    case = notice_flow.case()
    hostile = "Carmen\r\nBcc: all@example.com\N{RIGHT-TO-LEFT OVERRIDE}"
    Customer.objects.filter(pk=case.customer_id).update(first_name=hostile)
    notice = told(notice_flow, case)
    offer = notice.offer
    offer.name = "Plan\r\nSubject: yours\N{RIGHT-TO-LEFT OVERRIDE}" + "x" * 170
    offer.save()
    CustomerMail.objects.filter(kind=MailKind.ADVANCE_NOTICE).update(sent_at=None, due_at=notice_flow.clock.at)

    send(notice_flow)

    message = news()[-1]
    raw = message.message().as_string()
    assert message.to == [case.customer.email]
    assert "\nBcc:" not in raw
    assert "\nBcc:" not in str(message.body)
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in str(message.body)
    assert "\n" not in message.subject


def test_two_simultaneous_checks_owe_one_mail(flow: Flow) -> None:
    case = flow.case()
    ready(flow, case)
    again = mails.schedule_go_live_mail(enrollment_id=case.pk, at=flow.clock.at)
    send(flow)

    assert again is None
    assert kinds_sent() == [MailKind.GO_LIVE_RECEIVED]


def come_back(case: Enrollment, kind: MailKind, *, at: Any) -> None:
    row = CustomerMail.objects.filter(poa__customer_id=case.customer_id, kind=kind).latest("pk")
    poa_actions.record_return(
        mail_id=row.pk, because="5.1.1 no such user", source=ReturnSource.PROVIDER, by=OFFICE, at=at
    )


def held_by(case: Enrollment) -> str | None:
    return case.holds.filter(released_at__isnull=True).values_list("code", flat=True).first()


def test_returned_mail_blocks_the_case_until_another_address(flow: Flow) -> None:
    case = flow.case()
    ready(flow, case)
    send(flow)
    come_back(case, MailKind.GO_LIVE_RECEIVED, at=flow.clock.at)

    flow.run(case)
    hold = case.holds.get(released_at__isnull=True)
    flow.live(case, timedelta(days=2))
    stopped = flow.acceptances_of(case)
    correct_contact(
        customer_id=case.customer_id,
        email="another@example.com",
        phone="",
        language="en",
        by=OFFICE,
        at=flow.clock.at,
    )
    flow.run(case)

    assert hold.code == HoldCode.MAIL_RETURNED
    assert "Ask the customer for another address" in hold.because
    assert "5.1.1" in hold.because
    assert stopped == []
    assert held_by(case) is None
    assert case.status == EnrollmentStatus.FINALIZED


def test_accepted_plan_is_finalized_although_mail_returns(flow: Flow) -> None:
    case = flow.case()
    accept(flow, case)
    send(flow, after=mails.MAX_WAIT_FOR_DOCUMENTS + timedelta(minutes=1))
    come_back(case, MailKind.PLAN_ACCEPTED, at=flow.clock.at)

    flow.run(case)
    blocked = held_by(case)
    flow.live(case, timedelta(days=40), until=lambda: case.status == EnrollmentStatus.ACTIVE)

    assert blocked == HoldCode.MAIL_RETURNED
    assert case.status == EnrollmentStatus.ACTIVE


def test_returned_notice_is_repeated_before_accepting(notice_flow: Flow) -> None:
    case = notice_flow.case()
    first = told(notice_flow, case)
    come_back(case, MailKind.ADVANCE_NOTICE, at=notice_flow.clock.at)
    notice_flow.live(case, timedelta(days=5))
    assert notice_flow.acceptances_of(case) == []
    assert held_by(case) == HoldCode.MAIL_RETURNED

    poa = PoaDocument.objects.get(site=case.site)
    poa_actions.end_address_failure(
        customer_id=poa.customer_id, because="The customer emptied the mailbox.", by=OFFICE, at=notice_flow.clock.at
    )
    notice_flow.run(case)
    notice_flow.live(case, timedelta(hours=1))
    second = AdvanceNotice.objects.latest("pk")
    notice_flow.live(case, timedelta(days=5), until=lambda: case.status == EnrollmentStatus.FINALIZED)

    assert second.pk != first.pk
    assert case.accepted_at is not None
    assert case.accepted_at >= second.until
    assert not AddressFailure.objects.filter(ended_at__isnull=True).exists()


def test_notice_not_sent_in_time_does_not_count(notice_flow: Flow, settings: Any) -> None:
    case = notice_flow.case()
    settings.EMAIL_BACKEND = "tests.integration.poa_documents.test_portal.RefusingMail"
    told(notice_flow, case)

    notice_flow.live(case, timedelta(days=6))

    assert notice_flow.acceptances_of(case) == []
    assert AdvanceNotice.objects.count() > 1


def test_notice_lists_every_limit_and_has_a_button(notice_flow: Flow) -> None:
    told(notice_flow, notice_flow.case())

    [message] = [each for each in news() if each.extra_headers["X-Switchyard-Mail"] == MailKind.ADVANCE_NOTICE]

    assert "Monthly base fee" in message.body
    assert "Payment for solar power you send to the grid: none (your limit: none required)" in message.body
    assert "Look at the plan, or stop it:\nhttp" in message.body
