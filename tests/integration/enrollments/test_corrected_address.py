"""A corrected e-mail address gets what it needs without asking, and Light is told once."""

from datetime import timedelta

import pytest
from django.core import mail

from enrollments.actions import holds
from enrollments.decision.steps import Waiting
from enrollments.models import Enrollment, LightWrite
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteKind, WriteStatus
from installations.models import ContactChange
from poa_documents import actions as poa_actions
from poa_documents.models import CustomerMail, MailKind, PoaDocument
from tests.factories.poa_documents import sent_poa
from tests.integration.enrollments.flow import OFFICE, Flow

pytestmark = pytest.mark.django_db
NEW = "corrected@example.net"


def correct(flow: Flow, case: Enrollment, email: str = NEW, *, is_proved: bool = True) -> None:
    flow.clock.at += timedelta(seconds=1)
    flow.correct_address(case, email)
    if is_proved:
        flow.prove_corrected_address(case)
    else:
        poa_actions.settle_contact_change(change_id=ContactChange.objects.latest("pk").pk, at=flow.clock.at)
        case.customer.refresh_from_db()


def send_mails(flow: Flow) -> None:
    for owed in CustomerMail.objects.due(flow.clock.at):
        poa_actions.send_mail(mail_id=owed.pk, at=flow.clock.at)


def invited(flow: Flow) -> Enrollment:
    case = flow.case(signed=False)
    sent_poa(at=flow.clock.at, customer=case.customer, site=case.site)
    flow.run(case)
    assert case.next_step == Waiting.CUSTOMER_TO_SIGN
    return case


def email_at_light(flow: Flow, case: Enrollment) -> str:
    case.refresh_from_db()
    return str(flow.light.read_account(str(case.light_account_uuid)).email)


def updates(case: Enrollment) -> list[LightWrite]:
    return list(case.writes.filter(kind=WriteKind.UPDATE_ACCOUNT).order_by("pk"))


@pytest.mark.one_dialect
def test_new_address_is_invited_immediately(flow: Flow) -> None:
    case = invited(flow)
    correct(flow, case)
    mail.outbox.clear()

    send_mails(flow)

    assert [message.to for message in mail.outbox if "Review and sign" in message.body] == [[NEW]]
    assert CustomerMail.objects.filter(kind=MailKind.INVITATION, sent_to=NEW).count() == 1


@pytest.mark.one_dialect
def test_new_address_after_signing_gets_a_link(flow: Flow) -> None:
    case = flow.case()
    correct(flow, case)
    mail.outbox.clear()

    send_mails(flow)

    assert [message.to for message in mail.outbox if "Open my page" in message.body] == [[NEW]]


@pytest.mark.one_dialect
def test_two_corrections_send_one_invitation_to_the_last(flow: Flow) -> None:
    case = invited(flow)
    correct(flow, case, "first@example.net")
    correct(flow, case)
    mail.outbox.clear()

    send_mails(flow)

    assert [message.to for message in mail.outbox if "Review and sign" in message.body] == [[NEW]]


@pytest.mark.one_dialect
def test_paper_customer_is_not_invited_by_mail(flow: Flow) -> None:
    case = invited(flow)
    poa = PoaDocument.objects.get()
    poa_actions.withdraw_econsent(poa_id=poa.pk, by=OFFICE, at=flow.clock.at)
    correct(flow, case)

    assert CustomerMail.objects.filter(kind=MailKind.INVITATION).count() == 1


@pytest.mark.one_dialect
def test_link_that_opens_nothing_is_the_office_turn(flow: Flow) -> None:
    case = invited(flow)
    correct(flow, case)
    flow.run(case)
    assert case.next_step == Waiting.CUSTOMER_TO_SIGN  # a new one is on its way

    CustomerMail.objects.unsent().update(due_at=None, last_error="The server was away eight times.")
    flow.run(case)

    assert (case.next_step, case.whose_turn) == (Waiting.POA_TO_BE_SENT, HoldOwner.OFFICE)
    assert "their link no longer works" in case.because


def test_corrected_address_is_sent_to_light_once(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    correct(flow, case)

    flow.run(case)
    flow.live(case, timedelta(hours=5))

    assert email_at_light(flow, case) == NEW
    [write] = updates(case)
    assert write.status == WriteStatus.DONE
    assert NEW not in str(write.request) + str(write.answer)


def test_corrected_address_is_sent_after_the_acceptance_too(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(days=3), until=lambda: case.status == EnrollmentStatus.FINALIZED)
    correct(flow, case)

    flow.run(case)

    assert email_at_light(flow, case) == NEW


def test_lost_answer_is_settled_by_reading(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    correct(flow, case)
    flow.simulator.control.inject_fault("update", "drop_after")

    flow.run(case)
    flow.live(case, timedelta(minutes=20))

    [write] = updates(case)
    assert write.doubt_since is not None
    assert write.status == WriteStatus.DONE
    assert email_at_light(flow, case) == NEW


def test_refusal_asks_a_person_and_is_not_repeated(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    correct(flow, case)
    flow.simulator.control.inject_fault("update", "unprocessable")

    flow.run(case)
    hold = case.holds.get(released_at__isnull=True)
    assert hold.code == HoldCode.REFUSED_BY_LIGHT
    flow.clock.at += timedelta(minutes=1)
    holds.release_hold(hold_id=hold.pk, reason="Corrected at Light by hand.", by=OFFICE, at=flow.clock.at)
    flow.run(case)

    assert len(updates(case)) == 1
    assert case.next_step == Waiting.CUSTOMER_TO_FINISH


@pytest.mark.one_dialect
def test_nothing_is_sent_to_light_after_a_revocation(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    flow.revoke(case)
    correct(flow, case)

    flow.run(case)

    assert updates(case) == []


@pytest.mark.one_dialect
def test_reverted_correction_sends_nothing_to_light(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    before = case.customer.email
    correct(flow, case)
    correct(flow, case, before)

    flow.run(case)

    assert updates(case) == []


@pytest.mark.one_dialect
def test_unproven_address_is_not_sent_to_light(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    before = case.customer.email
    correct(flow, case, is_proved=False)

    flow.run(case)

    assert updates(case) == []
    assert email_at_light(flow, case) == before
