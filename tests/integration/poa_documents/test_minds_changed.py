"""Consents that customers withdraw, on the page or through any channel; and reports of death or incapacity."""

from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives

from core.actors import Actor
from core.models import CaseChange
from core.moves import MoveNotAllowed
from poa_documents import actions
from poa_documents.actions import lifecycle
from poa_documents.authority_check import (
    AuthorityEnded,
    AuthorityRevoked,
    AuthoritySuspended,
    CustomerStopped,
    check_authority,
)
from poa_documents.journal import chain
from poa_documents.journal.receipt_numbers import REVOKED, reference_of
from poa_documents.models import CustomerMail, MailKind, PoaDocument, RevocationChannel, StopKind, StopSignal
from poa_documents.states import PoaStatus
from tests.factories import installations as made
from tests.factories.installations import OFFICE
from tests.factories.poa_documents import SIGNED_AT, drafted_poa, sealing_poa, sent_poa, signed_poa
from tests.integration.poa_documents.portal_visits import Visit, fresh, token_in_last_mail

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

LATER = SIGNED_AT + timedelta(hours=5)


def may_act(poa: PoaDocument) -> None:
    check_authority(fresh(poa), esi_id=poa.envelope.esi_id, at=LATER)


def last_body() -> str:
    message = mail.outbox[-1]
    assert isinstance(message, EmailMultiAlternatives)
    return str(message.body)


# --- revoking ------------------------------------------------------------------------------------------------------


def test_revoking_takes_one_click_and_shows_the_receipt() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    visit.sign()
    home = visit.open().content.decode()
    assert f'action="{visit.address("revoke/")}"' in home
    assert "<textarea" not in home

    page = visit.post("revoke/", visit.fields("")).content.decode()

    poa = fresh(poa)
    assert poa.status == PoaStatus.REVOKED
    with pytest.raises(AuthorityRevoked):
        may_act(poa)
    receipt = reference_of(poa, REVOKED)
    entry = poa.evidence.get(kind=REVOKED)
    assert receipt == f"{entry.number}-{entry.sha256[:4].upper()}-{entry.sha256[4:8].upper()}"
    assert f"Receipt number {receipt}" in page
    assert entry.details["channel"] == RevocationChannel.PORTAL
    actions.sweep_poas(at=SIGNED_AT)
    assert f"Your receipt number is {receipt}" in last_body()
    assert "at 10:00 a.m. Central Time" in last_body()
    assert poa.evidence.filter(kind="mail_sent", details__mail_kind=MailKind.REVOKED_RECEIPT).exists()


def test_opening_the_button_address_revokes_nothing() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    visit.sign()

    page = visit.open("revoke/")

    assert fresh(poa).status == PoaStatus.SIGNED
    assert "Revoke my power of attorney now" in page.content.decode()


@pytest.mark.parametrize("channel", [choice for choice in RevocationChannel if choice != RevocationChannel.PORTAL])
def test_staff_record_revocations_from_any_channel_with_a_receipt(channel: str) -> None:
    poa = signed_poa()
    link = token_in_last_mail()
    received = SIGNED_AT + timedelta(hours=1)

    actions.revoke_poa(poa_id=poa.pk, channel=channel, received_at=received, reason="She called.", by=OFFICE, at=LATER)
    actions.sweep_poas(at=LATER)

    poa = fresh(poa)
    assert (poa.revocation_channel, poa.revocation_received_at, poa.ended_at) == (channel, received, LATER)
    entry = poa.evidence.get(kind=REVOKED)
    assert entry.details["received_at"] == received.isoformat()
    assert reference_of(poa, REVOKED) in last_body()
    assert f"Receipt number {reference_of(poa, REVOKED)}" in Visit(link).enter_code().open().content.decode()


@pytest.mark.parametrize("shift", [timedelta(minutes=1), -timedelta(days=400)], ids=["in the future", "before it was"])
def test_impossible_time_of_receipt_is_refused(shift: timedelta) -> None:
    poa = signed_poa()

    with pytest.raises(actions.ImpossibleReceivedTime):
        actions.revoke_poa(poa_id=poa.pk, received_at=LATER + shift, by=OFFICE, at=LATER)

    assert fresh(poa).status == PoaStatus.SIGNED


# --- electronic records --------------------------------------------------------------------------------------------


def test_paper_request_after_signing_keeps_the_signature_valid() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    visit.sign()
    actions.sweep_poas(at=SIGNED_AT)

    page = visit.post("paper/", visit.fields("")).content.decode()
    actions.sweep_poas(at=SIGNED_AT)

    assert "What you signed before stays valid" in page
    may_act(poa)
    assert mail.outbox[-1].subject == "From now on we will send you paper"
    entry = fresh(poa).evidence.get(kind="econsent_withdrawn")
    assert entry.details["channel"] == RevocationChannel.PORTAL
    sent = len(mail.outbox)
    actions.revoke_poa(poa_id=poa.pk, by=OFFICE, at=LATER, channel=RevocationChannel.PHONE)
    actions.sweep_poas(at=LATER)
    receipt = CustomerMail.objects.get(kind=MailKind.REVOKED_RECEIPT)
    assert len(mail.outbox) == sent
    assert receipt.is_blocked
    assert "Print the letter, mail it" in receipt.last_error
    actions.mark_posted(mail_id=receipt.pk, by=OFFICE, at=LATER)
    assert not CustomerMail.objects.blocked().exists()
    with pytest.raises(actions.NothingToPost):
        actions.mark_posted(mail_id=receipt.pk, by=OFFICE, at=LATER)
    assert fresh(poa).evidence.filter(kind="mail_posted").count() == 1
    assert chain.verify(fresh(poa)).is_intact


def test_paper_request_before_signing_offers_the_paper_procedure() -> None:
    poa = sent_poa()
    visit = Visit.by_last_mail()
    visit.send("step/broker/")

    page = visit.post("paper/", visit.fields("")).content.decode()

    assert "sign it by hand and send it back" in page
    assert 'href="' + visit.address("step/") not in page
    assert "We send you paper" in visit.open("step/electronic/").content.decode()
    with pytest.raises(actions.PaperWanted):
        actions.keep_signature(
            poa_id=poa.pk,
            signature_kind="TYPED",
            signature_text="Carmen Reyes",
            by=Actor.customer(poa.customer.public_id),
            at=SIGNED_AT,
        )
    assert actions.print_for_paper(poa_id=poa.pk, by=OFFICE, at=SIGNED_AT).startswith(b"%PDF")


def test_paper_request_is_recorded_once_for_any_channel() -> None:
    poa = signed_poa()

    for _ in range(2):
        actions.withdraw_econsent(
            poa_id=poa.pk, channel=RevocationChannel.LETTER, received_at=SIGNED_AT, by=OFFICE, at=LATER
        )

    poa = fresh(poa)
    assert (poa.paper_wanted_channel, poa.paper_wanted_at) == (RevocationChannel.LETTER, SIGNED_AT)
    assert poa.evidence.filter(kind="econsent_withdrawn").count() == 1
    assert CustomerMail.objects.filter(kind=MailKind.PAPER_RECEIPT).count() == 1


def test_paper_customer_has_no_consent_to_withdraw() -> None:
    poa = sent_poa()
    actions.decline_poa(poa_id=poa.pk, by=Actor.customer(poa.customer.public_id), at=SIGNED_AT)

    with pytest.raises(MoveNotAllowed):
        actions.withdraw_econsent(poa_id=poa.pk, by=OFFICE, at=LATER)


# --- death and incapacity ------------------------------------------------------------------------------------------


def report(poa: PoaDocument, kind: StopKind) -> StopSignal:
    return actions.record_stop_signal(
        customer_id=poa.customer_id,
        kind=kind,
        source="Her daughter Ana called; she has the certificate.",
        received_at=SIGNED_AT + timedelta(hours=1),
        by=OFFICE,
        at=LATER,
    )


def test_death_ends_every_authority_permanently() -> None:
    first = signed_poa()
    other_job = made.installation(SIGNED_AT, customer=first.customer, site=made.site(SIGNED_AT))
    second = signed_poa(customer=first.customer, site=other_job.site)
    CaseChange.objects.all().delete()

    signal = report(first, StopKind.DECEASED)

    assert {fresh(first).status, fresh(second).status} == {PoaStatus.CEASED}
    assert CaseChange.objects.count() == 2
    for poa in (first, second):
        entry = fresh(poa).evidence.get(kind="cease")
        assert entry.details["stop_signal"] == str(signal.public_id)
        assert fresh(poa).evidence.get(kind="stop_signal").details["source"].startswith("Her daughter")
    with pytest.raises(CustomerStopped):
        may_act(first)
    actions.end_stop_signal(signal_id=signal.pk, decision="It was another Carmen Reyes.", by=OFFICE, at=LATER)
    with pytest.raises(AuthorityEnded):
        may_act(first)
    with pytest.raises(MoveNotAllowed):
        actions.resume_poa(poa_id=first.pk, reason="A mistake.", by=OFFICE, at=LATER)


def test_incapacity_suspends_until_the_office_decides() -> None:
    poa = signed_poa()
    signal = report(poa, StopKind.INCAPACITATED)
    assert fresh(poa).status == PoaStatus.SUSPENDED

    with pytest.raises(CustomerStopped, match="end the stop signal"):
        actions.resume_poa(poa_id=poa.pk, reason="She is well.", by=OFFICE, at=LATER)

    actions.end_stop_signal(signal_id=signal.pk, decision="Her doctor says she can decide.", by=OFFICE, at=LATER)
    with pytest.raises(AuthoritySuspended):
        may_act(poa)
    actions.resume_poa(poa_id=poa.pk, reason="She is well.", by=OFFICE, at=LATER)
    may_act(poa)


def test_unsigned_documents_are_voided_and_no_new_drafted() -> None:
    poa = sent_poa()

    signal = report(poa, StopKind.INCAPACITATED)

    assert fresh(poa).status == PoaStatus.VOIDED
    with pytest.raises(CustomerStopped):
        drafted_poa(customer=poa.customer, site=poa.site)
    actions.end_stop_signal(signal_id=signal.pk, decision="A mistake.", by=OFFICE, at=LATER)
    assert drafted_poa(customer=poa.customer, site=poa.site).status == PoaStatus.DRAFT


def test_same_report_twice_is_refused_and_ended_once() -> None:
    poa = signed_poa()
    signal = report(poa, StopKind.DECEASED)

    with pytest.raises(actions.StopAlreadyRecorded):
        report(poa, StopKind.DECEASED)
    actions.end_stop_signal(signal_id=signal.pk, decision="A mistake.", by=OFFICE, at=LATER)
    with pytest.raises(actions.StopAlreadyEnded):
        actions.end_stop_signal(signal_id=signal.pk, decision="Again.", by=OFFICE, at=LATER)

    assert StopSignal.objects.count() == 1


def test_signature_being_stored_waits_for_the_office_too() -> None:
    poa = sealing_poa()
    assert poa.status == PoaStatus.SEALING

    signal = report(poa, StopKind.INCAPACITATED)
    actions.seal_poa(poa_id=poa.pk, at=LATER)

    assert fresh(poa).status == PoaStatus.SUSPENDED
    with pytest.raises(CustomerStopped):
        may_act(poa)
    actions.end_stop_signal(signal_id=signal.pk, decision="A guardian decides now.", by=OFFICE, at=LATER)
    with pytest.raises(AuthoritySuspended):
        may_act(poa)


def test_report_during_a_resume_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    poa = signed_poa()
    actions.suspend_poa(poa_id=poa.pk, reason="A doubt.", by=OFFICE, at=LATER)

    def reported_in_between(**_options: object) -> None:
        report(poa, StopKind.INCAPACITATED)

    monkeypatch.setattr(lifecycle, "verify_or_suspend", reported_in_between)

    with pytest.raises(CustomerStopped):
        actions.resume_poa(poa_id=poa.pk, reason="The doubt is gone.", by=OFFICE, at=LATER)

    assert fresh(poa).status == PoaStatus.SUSPENDED


def test_report_cannot_be_received_in_the_future() -> None:
    poa = signed_poa()

    with pytest.raises(actions.ImpossibleReceivedTime, match="future"):
        actions.record_stop_signal(
            customer_id=poa.customer_id,
            kind=StopKind.DECEASED,
            source="A slip of the finger in the year.",
            by=OFFICE,
            at=LATER,
            received_at=LATER + timedelta(days=365),
        )

    assert fresh(poa).status == PoaStatus.SIGNED
    assert not StopSignal.objects.exists()
