"""A corrected e-mail address: the new one gets what it needs without asking, and Light hears of it, once."""

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
from tests.integration.enrollments.road import OFFICE, Road

pytestmark = pytest.mark.django_db
NEW = "corrected@example.net"


def correct(road: Road, case: Enrollment, email: str = NEW, *, is_proved: bool = True) -> None:
    road.clock.at += timedelta(seconds=1)
    road.correct_address(case, email)
    if is_proved:
        road.prove_corrected_address(case)
    else:
        poa_actions.settle_contact_change(change_id=ContactChange.objects.latest("pk").pk, at=road.clock.at)
        case.customer.refresh_from_db()


def send_mails(road: Road) -> None:
    for owed in CustomerMail.objects.due(road.clock.at):
        poa_actions.send_mail(mail_id=owed.pk, at=road.clock.at)


def invited(road: Road) -> Enrollment:
    case = road.case(signed=False)
    sent_poa(at=road.clock.at, customer=case.customer, site=case.site)
    road.run(case)
    assert case.next_step == Waiting.CUSTOMER_TO_SIGN
    return case


def email_at_light(road: Road, case: Enrollment) -> str:
    case.refresh_from_db()
    return str(road.light.read_account(str(case.light_account_uuid)).email)


def updates(case: Enrollment) -> list[LightWrite]:
    return list(case.writes.filter(kind=WriteKind.UPDATE_ACCOUNT).order_by("pk"))


def test_the_new_address_is_invited_at_once(road: Road) -> None:
    case = invited(road)
    correct(road, case)
    mail.outbox.clear()

    send_mails(road)

    assert [message.to for message in mail.outbox if "Review and sign" in message.body] == [[NEW]]
    assert CustomerMail.objects.filter(kind=MailKind.INVITATION, sent_to=NEW).count() == 1


def test_a_signed_customers_new_address_gets_a_link(road: Road) -> None:
    case = road.case()
    correct(road, case)
    mail.outbox.clear()

    send_mails(road)

    assert [message.to for message in mail.outbox if "Open my page" in message.body] == [[NEW]]


def test_two_corrections_bring_one_invitation_to_the_last(road: Road) -> None:
    case = invited(road)
    correct(road, case, "first@example.net")
    correct(road, case)
    mail.outbox.clear()

    send_mails(road)

    assert [message.to for message in mail.outbox if "Review and sign" in message.body] == [[NEW]]


def test_who_wants_paper_is_not_invited_by_mail(road: Road) -> None:
    case = invited(road)
    poa = PoaDocument.objects.get()
    poa_actions.withdraw_econsent(poa_id=poa.pk, by=OFFICE, at=road.clock.at)
    correct(road, case)

    assert CustomerMail.objects.filter(kind=MailKind.INVITATION).count() == 1


def test_a_link_that_opens_nothing_is_the_offices_turn(road: Road) -> None:
    case = invited(road)
    correct(road, case)
    road.run(case)
    assert case.next_step == Waiting.CUSTOMER_TO_SIGN  # a new one is on its way

    CustomerMail.objects.unsent().update(due_at=None, last_error="The server was away eight times.")
    road.run(case)

    assert (case.next_step, case.whose_turn) == (Waiting.POA_TO_BE_SENT, HoldOwner.OFFICE)
    assert "no link that works" in case.because


def test_light_hears_of_the_corrected_address_once(road: Road) -> None:
    case = road.case()
    road.run(case)
    correct(road, case)

    road.run(case)
    road.live(case, timedelta(hours=5))

    assert email_at_light(road, case) == NEW
    [write] = updates(case)
    assert write.status == WriteStatus.DONE
    assert NEW not in str(write.request) + str(write.answer)


def test_light_hears_of_it_after_the_acceptance_too(road: Road) -> None:
    case = road.case()
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)
    road.live(case, timedelta(days=3), until=lambda: case.status == EnrollmentStatus.FINALIZED)
    correct(road, case)

    road.run(case)

    assert email_at_light(road, case) == NEW


def test_a_lost_answer_is_settled_by_reading(road: Road) -> None:
    case = road.case()
    road.run(case)
    correct(road, case)
    road.simulator.control.inject_fault("update", "drop_after")

    road.run(case)
    road.live(case, timedelta(minutes=20))

    [write] = updates(case)
    assert write.doubt_since is not None
    assert write.status == WriteStatus.DONE
    assert email_at_light(road, case) == NEW


def test_a_refusal_asks_a_person_and_is_not_repeated(road: Road) -> None:
    case = road.case()
    road.run(case)
    correct(road, case)
    road.simulator.control.inject_fault("update", "unprocessable")

    road.run(case)
    hold = case.holds.get(released_at__isnull=True)
    assert hold.code == HoldCode.REFUSED_BY_LIGHT
    road.clock.at += timedelta(minutes=1)
    holds.release_hold(hold_id=hold.pk, reason="Corrected at Light by hand.", by=OFFICE, at=road.clock.at)
    road.run(case)

    assert len(updates(case)) == 1
    assert case.next_step == Waiting.CUSTOMER_TO_FINISH


def test_nothing_is_told_light_after_a_revocation(road: Road) -> None:
    case = road.case()
    road.run(case)
    road.revoke(case)
    correct(road, case)

    road.run(case)

    assert updates(case) == []


def test_a_correction_taken_back_tells_light_nothing(road: Road) -> None:
    case = road.case()
    road.run(case)
    before = case.customer.email
    correct(road, case)
    correct(road, case, before)

    road.run(case)

    assert updates(case) == []


def test_an_unproved_address_is_not_told_light(road: Road) -> None:
    case = road.case()
    road.run(case)
    before = case.customer.email
    correct(road, case, is_proved=False)

    road.run(case)

    assert updates(case) == []
    assert email_at_light(road, case) == before
