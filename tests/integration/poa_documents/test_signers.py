"""Nobody in the office can sign for a customer alone."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.test import Client

from accounts.models import User
from core.actors import Actor
from installations.actions import correct_contact, register_customer
from installations.models import ContactChange
from poa_documents import actions, signer_doubts
from poa_documents.authority_check import SignerNotProved, check_authority
from poa_documents.document_text import text_of
from poa_documents.models import DoubtReason, PoaDocument
from tests.factories.company import set_company_rules
from tests.factories.installations import AT, customer, staff
from tests.factories.poa_documents import (
    BROWSER,
    SIGNED_AT,
    SIGNED_FROM_IP,
    agree_to_everything,
    has_authority,
    prove_contact,
    sent_poa,
    signed_poa,
)
from tests.integration.poa_documents.portal_visits import ManualClock, Visit, code_in_last_mail, token_in_last_mail

pytestmark = pytest.mark.django_db

CHANGED_AT = SIGNED_AT + timedelta(hours=1)
LATER = SIGNED_AT + timedelta(hours=3)
FIRST, SECOND = Actor.staff(UUID(int=1)), Actor.staff(UUID(int=2))


def change_address(poa: PoaDocument, email: str, *, phone: str | None = None, by: Actor = FIRST) -> None:
    phone = str(poa.customer.phone) if phone is None else phone
    correct_contact(customer_id=poa.customer_id, email=email, phone=phone, language="en", by=by, at=CHANGED_AT)
    owed = actions.send_poa(poa_id=poa.pk, by=by, at=CHANGED_AT)
    actions.send_mail(mail_id=owed.pk, at=CHANGED_AT)
    poa.refresh_from_db()


def sign(poa: PoaDocument, *, at: Any = LATER, ip_address: str = SIGNED_FROM_IP, browser_of: int | None = None) -> None:
    agree_to_everything(poa, at=at)
    actions.sign_poa(
        poa_id=poa.pk,
        signature_kind="TYPED",
        signature_text=str(poa.customer),
        document_sha256=text_of(poa).sha256,
        by=Actor.customer(poa.customer.public_id),
        at=at,
        ip_address=ip_address,
        browser_of=browser_of,
    )
    actions.seal_poa(poa_id=poa.pk, at=at + timedelta(seconds=1))
    poa.refresh_from_db()


def reasons(poa: PoaDocument) -> set[str]:
    return set(signer_doubts.open_doubts(poa.pk).values_list("reason", flat=True))


def call_back(poa: PoaDocument, *, by: Actor = SECOND, **changes: Any) -> None:
    answers = {
        "number": signer_doubts.trusted_phone(poa.customer),
        "number_from": "",
        "confirmed": "Carmen: yes, both.",
    }
    actions.record_call_back(customer_id=poa.customer_id, by=by, at=LATER, **{**answers, **changes})


def test_ordinary_signature_needs_no_other_proof() -> None:
    poa = signed_poa()

    assert has_authority(poa, esi_id=poa.envelope.esi_id, at=LATER)
    assert poa.evidence.get(kind="sign").details["signer_proof"] == "FIRST_ADDRESS_AND_LIGHT_IDENTITY_CHECK"


def test_address_changed_by_staff_gives_no_authority() -> None:
    poa = sent_poa()
    change_address(poa, "one.of.us@example.net")
    sign(poa)

    with pytest.raises(SignerNotProved, match="calls them back"):
        check_authority(poa, esi_id=poa.envelope.esi_id, at=LATER)
    assert reasons(poa) == {DoubtReason.ADDRESS_CHANGED}
    assert poa.evidence.get(kind="sign").details["signer_proof"] == "PENDING"


def test_second_persons_callback_opens_it() -> None:
    poa = sent_poa()
    change_address(poa, "new@example.net")
    sign(poa)

    call_back(poa)

    assert has_authority(poa, esi_id=poa.envelope.esi_id, at=LATER)
    proved = poa.evidence.get(kind="signer_proved")
    assert proved.actor == str(SECOND)
    assert proved.details["proof"] == "CALL_BACK"
    assert proved.details["number"] == str(poa.customer.phone)


def test_first_person_cannot_record_the_callback() -> None:
    poa = sent_poa()
    change_address(poa, "new@example.net")
    sign(poa)

    with pytest.raises(actions.CallBackBySamePerson):
        call_back(poa, by=FIRST)


def test_registering_person_cannot_record_the_callback() -> None:
    registrar = Actor.staff(UUID(int=7))
    poa = sent_poa(customer=customer(by=registrar))
    change_address(poa, "new@example.net", by=FIRST)

    with pytest.raises(actions.CallBackBySamePerson):
        call_back(poa, by=registrar)


def test_number_changed_with_the_address_is_not_trusted() -> None:
    poa = sent_poa()
    before = str(poa.customer.phone)
    change_address(poa, "new@example.net", phone="+15124749999")
    sign(poa)

    assert signer_doubts.trusted_phone(poa.customer) == before
    with pytest.raises(actions.CallBackIncomplete) as refused:
        call_back(poa, number="+15124749999")
    assert set(refused.value.problems) == {"number_from"}


def test_code_to_earlier_address_proves_the_change() -> None:
    poa = sent_poa()
    earlier = poa.customer.email
    change_address(poa, "new@example.net")
    sign(poa)

    asked = actions.ask_for_code(poa_id=poa.pk, browser=BROWSER, at=LATER, to_earlier_address=True)
    actions.send_mail(mail_id=asked.pk, at=LATER)
    assert mail.outbox[-1].to == [earlier]
    code = re.search(r"^[0-9]{6}$", str(mail.outbox[-1].body), re.M)
    assert code
    actions.enter_earlier_code(poa_id=poa.pk, browser=BROWSER, digits=code[0], at=LATER)

    assert has_authority(poa, esi_id=poa.envelope.esi_id, at=LATER)
    assert poa.evidence.get(kind="signer_proved").details["proof"] == "EARLIER_ADDRESS_CODE"
    assert ContactChange.objects.get().proof == "EARLIER_ADDRESS_CODE"


def test_code_of_new_address_proves_no_change() -> None:
    poa = sent_poa()
    change_address(poa, "new@example.net")
    sign(poa)
    asked = actions.ask_for_code(poa_id=poa.pk, browser=BROWSER, at=LATER)
    actions.send_mail(mail_id=asked.pk, at=LATER)
    code = re.search(r"^[0-9]{6}$", str(mail.outbox[-1].body), re.M)
    assert code

    answer = actions.enter_earlier_code(poa_id=poa.pk, browser=BROWSER, digits=code[0], at=LATER)

    assert answer.verdict == actions.CodeVerdict.NONE_ASKED
    assert reasons(poa)


def test_second_change_does_not_replace_the_earlier_address() -> None:
    poa = sent_poa()
    earlier = poa.customer.email
    change_address(poa, "first@example.net")
    change_address(poa, "second@example.net")

    poa = PoaDocument.objects.get(pk=poa.pk)
    assert signer_doubts.earlier_address(poa.customer) == earlier


def test_change_back_after_signing_leaves_it_in_question() -> None:
    poa = sent_poa()
    earlier = poa.customer.email
    change_address(poa, "mine@example.net")
    sign(poa)
    correct_contact(
        customer_id=poa.customer_id, email=earlier, phone="", language="en", by=FIRST, at=LATER + timedelta(hours=1)
    )

    assert not has_authority(poa, esi_id=poa.envelope.esi_id, at=LATER + timedelta(hours=2))


def test_new_document_after_a_change_is_in_question_too() -> None:
    poa = sent_poa()
    change_address(poa, "mine@example.net")
    actions.void_poa(poa_id=poa.pk, reason="Other limits.", by=FIRST, at=CHANGED_AT)
    person = PoaDocument.objects.get(pk=poa.pk).customer
    again = sent_poa(customer=person, site=poa.site, promise=poa.promise, at=CHANGED_AT + timedelta(minutes=1))
    sign(again)

    assert DoubtReason.ADDRESS_CHANGED in reasons(again)


def test_correction_before_the_invitation_is_a_first_address() -> None:
    person = customer()
    correct_contact(customer_id=person.pk, email="right@example.net", phone="", language="en", by=FIRST, at=AT)
    person.refresh_from_db()
    poa = sent_poa(customer=person, site=None, at=AT + timedelta(days=1))
    sign(poa, at=AT + timedelta(days=2))

    assert not reasons(poa)


def test_signature_within_minutes_of_a_change_is_in_question() -> None:
    person = customer(at=SIGNED_AT)
    at = SIGNED_AT + timedelta(minutes=1)
    correct_contact(customer_id=person.pk, email="mine@example.net", phone="", language="en", by=FIRST, at=at)
    person.refresh_from_db()
    poa = sent_poa(customer=person, site=None, at=at + timedelta(minutes=1))
    sign(poa, at=at + timedelta(minutes=5))

    assert reasons(poa) == {DoubtReason.SIGNED_AFTER_CHANGE}


@pytest.mark.parametrize("email", ["Ada.Office@Example.org", "ada.office+solar@example.org"])
def test_address_of_staff_is_in_question(email: str) -> None:
    staff(email="ada.office@example.org")
    poa = sent_poa(customer=customer(email=email))
    sign(poa)

    assert reasons(poa) == {DoubtReason.STAFF_ADDRESS}


@pytest.mark.parametrize(
    ("sender", "domains"), [("Office <no-reply@sun.example>", ""), ("no-reply@localhost", "moon.example, sun.example")]
)
def test_address_of_the_company_is_in_question(settings: Any, sender: str, domains: str) -> None:
    settings.DEFAULT_FROM_EMAIL = sender
    set_company_rules(company_mail_domains=domains)
    poa = sent_poa(customer=customer(email="somebody@mail.sun.example"))
    sign(poa)

    assert reasons(poa) == {DoubtReason.STAFF_ADDRESS}


@pytest.mark.parametrize(
    "shared", [{"email": "Shared+2@example.com"}, {"phone": "+15124740000"}], ids=["mailbox", "phone"]
)
def test_contact_of_another_customer_is_in_question(shared: dict[str, Any]) -> None:
    customer(email="shared@example.com", phone="+15124740000")
    poa = sent_poa(customer=customer(AT, **shared))
    sign(poa)

    assert reasons(poa) == {DoubtReason.SHARED_CONTACT}


def test_connection_of_staff_is_in_question() -> None:
    office = Client(REMOTE_ADDR="198.51.100.4")
    office.force_login(staff())
    office.get("/admin/")
    poa = sent_poa()
    sign(poa, ip_address="198.51.100.4")

    assert reasons(poa) == {DoubtReason.STAFF_DEVICE}


def test_connection_that_asked_for_the_code_counts_too() -> None:
    office = Client(REMOTE_ADDR=SIGNED_FROM_IP)
    office.force_login(staff())
    office.get("/admin/")
    poa = sent_poa()
    prove_contact(poa, at=LATER)
    sign(poa, ip_address="203.0.113.200")

    assert reasons(poa) == {DoubtReason.STAFF_DEVICE}


def test_browser_of_staff_is_in_question_after_signing_out(clock: ManualClock) -> None:
    browser = Client(REMOTE_ADDR="127.0.0.1")
    browser.force_login(staff())
    browser.get("/admin/")
    browser.post("/admin/logout/")
    poa = sent_poa()
    clock.at = LATER
    visit = Visit(token_in_last_mail())
    visit.client.cookies["office-browser"] = browser.cookies["office-browser"].value
    visit.enter_code().sign(typed_name=str(poa.customer))

    assert reasons(poa) == {DoubtReason.STAFF_DEVICE}


def test_setting_asks_for_a_second_person_for_first_addresses() -> None:
    set_company_rules(call_back_for_first_address=True)
    poa = signed_poa()
    assert reasons(poa) == {DoubtReason.FIRST_ADDRESS}

    call_back(poa)

    assert has_authority(poa, esi_id=poa.envelope.esi_id, at=LATER)


def test_staff_shortcut_of_seventy_two_seconds_opens_nothing() -> None:
    """Register a customer with your own mailbox, send, read link and code, sign."""
    member = User.objects.create_user("ada", email="ada@example.org", is_staff=True)
    by = Actor.staff(member.public_id)
    person = register_customer(first_name="Kay", last_name="Board", email="ada+kay@example.org", by=by, at=SIGNED_AT)
    poa = sent_poa(customer=person, site=None)
    sign(poa, at=SIGNED_AT + timedelta(seconds=72))

    assert not has_authority(poa, esi_id=poa.envelope.esi_id, at=LATER)
    with pytest.raises(actions.CallBackBySamePerson):
        call_back(poa, by=by, number="+15125550100", number_from="My phone")


def test_customer_proves_the_change_on_their_page(clock: ManualClock) -> None:
    poa = sent_poa()
    change_address(poa, "new@example.net")
    clock.at = LATER
    visit = Visit.by_last_mail()
    assert "/earlier/" in visit.open().content.decode()

    key = visit.fields("decline/")["form_key"]
    page = visit.post("earlier/", {**visit.fields("earlier/"), "wish": "code"})
    code = code_in_last_mail()
    wrong = visit.post("earlier/", {"form_key": key, "code": wrong_code(code)})
    assert "Tries left: 4" in wrong.content.decode()
    answer = visit.post("earlier/", {"form_key": key, "code": code})

    assert page.status_code == 200
    assert answer.status_code == 200
    assert ContactChange.objects.get().proof == "EARLIER_ADDRESS_CODE"
    assert "/earlier/" not in visit.open().content.decode()


def wrong_code(right: str) -> str:
    return f"{(int(right) + 1) % 1_000_000:06}"
