"""Returned mail: reported by the mail server, the provider or the office; what is held, and what ends that."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives

from core.actors import SYSTEM
from core.models import CaseChange
from installations.actions import correct_contact
from poa_documents import actions
from poa_documents.actions import mail_reports
from poa_documents.models import (
    AddressFailure,
    CustomerMail,
    MailKind,
    MailReport,
    MailState,
    PoaDocument,
    ReturnSource,
)
from poa_documents.queries import failure_of
from tests.factories.poa_documents import SIGNED_AT, STAFF, prove_contact, revoked_poa, sent_poa, signed_poa
from tests.integration.poa_documents.mail_servers import answer_with, greylisted, no_such_mailbox

pytestmark = pytest.mark.django_db

LATER = SIGNED_AT + timedelta(hours=1)
NEW_ADDRESS = "another.address@example.com"


def invitation_of(poa: PoaDocument) -> CustomerMail:
    return poa.mails.get(kind=MailKind.INVITATION)


def come_back(mail_row: CustomerMail, *, at: Any = LATER) -> str:
    return actions.record_return(
        mail_id=mail_row.pk, because="The customer says so.", source=ReturnSource.OFFICE, by=STAFF, at=at
    )


def change_address(poa: PoaDocument, *, at: Any = LATER, email: str = NEW_ADDRESS) -> None:
    correct_contact(customer_id=poa.customer_id, email=email, phone="", language="en", by=STAFF, at=at)
    poa.refresh_from_db()


def report(at: Any, **said: Any) -> MailReport:
    body = json.dumps({"id": f"report-{MailReport.objects.count()}", **said}).encode()
    actions.store_report(body=body, at=at)
    actions.sweep_poas(at=at)
    return MailReport.objects.latest("pk")


def kinds_sent() -> list[str]:
    return [message.extra_headers["X-Switchyard-Mail"] for message in mail.outbox]


def test_permanent_refusal_marks_the_address_and_asks_once(monkeypatch: Any, settings: Any) -> None:
    poa = signed_poa()
    copy = poa.mails.get(kind=MailKind.SIGNED_COPY)
    answer_with(monkeypatch, settings, no_such_mailbox(poa.customer.email))
    CaseChange.objects.all().delete()

    outcome = actions.send_mail(mail_id=copy.pk, at=LATER)
    actions.sweep_poas(at=LATER + timedelta(hours=1))

    copy.refresh_from_db()
    failure = AddressFailure.objects.get()
    assert (outcome, copy.state, copy.attempts) == (actions.MailOutcome.RETURNED, MailState.RETURNED, 1)
    assert (failure.source, failure.address) == (ReturnSource.MAIL_SERVER, poa.customer.email)
    assert "no such user" in failure.because
    assert CaseChange.objects.filter(site_id=poa.site_id).exists()
    assert poa.evidence.get(kind="mail_returned").details["mail"] == str(copy.public_id)


def test_temporary_refusal_is_retried_with_growing_waits(monkeypatch: Any, settings: Any) -> None:
    poa = signed_poa()
    copy = poa.mails.get(kind=MailKind.SIGNED_COPY)
    answer_with(monkeypatch, settings, greylisted(poa.customer.email))

    waits, at = [], LATER
    for _ in range(3):
        assert actions.send_mail(mail_id=copy.pk, at=at) == actions.MailOutcome.FAILED
        copy.refresh_from_db()
        assert copy.due_at is not None
        waits.append(copy.due_at - at)
        at = copy.due_at
    answer_with(monkeypatch, settings, None)
    outcome = actions.send_mail(mail_id=copy.pk, at=at)

    assert waits == sorted(set(waits))
    assert outcome == actions.MailOutcome.SENT
    assert failure_of(poa.customer) is None


def test_mail_to_a_failing_address_is_held_and_listed() -> None:
    poa = sent_poa()
    come_back(invitation_of(poa))
    sent_before = len(mail.outbox)

    actions.send_poa(poa_id=poa.pk, by=STAFF, at=LATER)
    actions.sweep_poas(at=LATER)
    actions.sweep_poas(at=LATER + timedelta(days=5))

    held = poa.mails.latest("pk")
    assert len(mail.outbox) == sent_before
    assert held.state == MailState.HELD
    assert set(CustomerMail.objects.in_trouble()) == {held, invitation_of_first(poa)}


def invitation_of_first(poa: PoaDocument) -> CustomerMail:
    return poa.mails.filter(kind=MailKind.INVITATION).order_by("pk")[0]


def test_new_address_ends_it_and_gets_returned_mail() -> None:
    poa = sent_poa()
    come_back(invitation_of(poa))

    change_address(poa)
    actions.sweep_poas(at=LATER)
    actions.sweep_poas(at=LATER)

    assert failure_of(poa.customer) is None
    assert AddressFailure.objects.get().ended_because == "The address was changed."
    assert (kinds_sent()[-1], mail.outbox[-1].to) == (MailKind.INVITATION, [NEW_ADDRESS])
    assert invitation_of(poa).state == MailState.SENT
    assert MailKind.ADDRESS_CHANGED not in kinds_sent(), "nobody reads the old address"
    assert poa.evidence.filter(kind="mail_works_again").exists()


def test_automatic_retries_stop_when_the_address_changes() -> None:
    poa = sent_poa()
    come_back(invitation_of(poa))

    change_address(poa)  # and no sweep has run yet

    assert failure_of(poa.customer) is None


def test_held_mail_is_sent_unless_superseded() -> None:
    poa = revoked_poa()
    copy = poa.mails.get(kind=MailKind.SIGNED_COPY)
    actions.send_mail(mail_id=copy.pk, at=LATER)
    come_back(copy)
    invited = poa.mails.create(kind=MailKind.INVITATION, created_at=LATER, due_at=LATER)
    actions.sweep_poas(at=LATER)
    assert invited.pk not in {
        row.pk for row in CustomerMail.objects.filter(held_since__isnull=False)
    }  # no longer needed: signed
    assert poa.mails.get(kind=MailKind.REVOKED_RECEIPT).state == MailState.HELD

    change_address(poa)
    actions.sweep_poas(at=LATER)
    actions.sweep_poas(at=LATER)

    assert sorted(kinds_sent()[-3:]) == [MailKind.HOME_LINK, MailKind.REVOKED_RECEIPT, MailKind.SIGNED_COPY]
    assert {message.to[0] for message in mail.outbox[-3:]} == {NEW_ADDRESS}


def test_office_confirms_the_address_and_learns_of_new_failures() -> None:
    poa = sent_poa()
    come_back(invitation_of(poa))

    actions.end_address_failure(
        customer_id=poa.customer_id, because="The customer emptied the mailbox.", by=STAFF, at=LATER
    )
    actions.sweep_poas(at=LATER)
    sent = len(mail.outbox)
    outcome = come_back(invitation_of(poa), at=LATER + timedelta(minutes=5))

    assert sent == 2
    assert outcome == actions.ReturnOutcome.BLOCKED
    with pytest.raises(actions.AddressNotFailing):
        actions.end_address_failure(customer_id=sent_poa().customer_id, because="x", by=STAFF, at=LATER)


def test_entered_code_proves_the_address() -> None:
    poa = sent_poa()
    come_back(invitation_of(poa))

    prove_contact(poa, at=LATER)

    assert failure_of(poa.customer) is None
    assert invitation_of(poa).state == MailState.QUEUED


def test_outdated_report_blocks_nothing() -> None:
    poa = sent_poa()
    first = invitation_of(poa)
    change_address(poa)

    outcome = come_back(first, at=LATER + timedelta(minutes=1))
    actions.sweep_poas(at=LATER + timedelta(minutes=1))

    assert outcome == actions.ReturnOutcome.SENT_AGAIN
    assert failure_of(poa.customer) is None
    assert [NEW_ADDRESS] in [message.to for message in mail.outbox]


def test_report_after_office_resolution_blocks_nothing() -> None:
    poa = sent_poa()
    poa_again = poa.mails.create(kind=MailKind.DECLINED_RECEIPT, created_at=SIGNED_AT, due_at=SIGNED_AT)
    actions.send_mail(mail_id=poa_again.pk, at=SIGNED_AT)
    come_back(invitation_of(poa))
    actions.end_address_failure(customer_id=poa.customer_id, because="It works.", by=STAFF, at=LATER)

    outcome = come_back(poa_again, at=LATER + timedelta(minutes=1))

    assert outcome == actions.ReturnOutcome.SENT_AGAIN
    assert failure_of(poa.customer) is None


def test_unsent_mail_cannot_be_returned() -> None:
    poa = signed_poa()

    with pytest.raises(actions.NeverSent, match="has not been sent"):
        come_back(poa.mails.get(kind=MailKind.SIGNED_COPY))


def test_provider_reports_a_return_and_a_delivery() -> None:
    poa = sent_poa()
    first = invitation_of(poa)

    returned = report(
        LATER,
        event="bounced",
        is_permanent=True,
        message_id=first.message_id,
        address=poa.customer.email,
        reason="5.1.1 unknown user",
    )
    blocked = failure_of(poa.customer)
    prove = poa.mails.create(kind=MailKind.CODE, created_at=LATER, due_at=None, tried_at=LATER + timedelta(hours=1))
    CustomerMail.objects.filter(pk=prove.pk).update(message_id="<code@example.com>", sent_to=poa.customer.email)
    delivered = report(LATER + timedelta(hours=2), event="delivered", message_id="code@example.com")

    assert blocked is not None
    assert (blocked.source, blocked.because) == (ReturnSource.PROVIDER, "5.1.1 unknown user")
    assert (returned.mail, returned.poa) == (first, poa)
    assert delivered.outcome == "Delivered. The address works again."
    assert failure_of(poa.customer) is None


@pytest.mark.parametrize(
    "said",
    [
        {"event": "bounced"},
        {"event": "bounced", "is_permanent": False},
        {"event": "bounced", "is_permanent": "yes"},
        {"event": "opened", "is_permanent": True},
        {"event": "bounced", "is_permanent": True, "address": "somebody.else@example.com"},
        {"event": "bounced", "is_permanent": True, "message_id": "<unknown@example.com>"},
        {"event": "bounced", "is_permanent": True, "message_id": None},
        {"event": 7, "is_permanent": True},
        {"event": "delivered"},
    ],
)
def test_reports_that_change_nothing_are_kept(said: dict[str, Any]) -> None:
    poa = sent_poa()

    kept = report(LATER, **{"message_id": invitation_of(poa).message_id, **said})

    assert kept.outcome or kept.last_error
    assert kept.due_at is None
    assert failure_of(poa.customer) is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\x00\xfe", b'"x"', b"[" * 100_000], ids=range(6))
def test_meaningless_report_is_kept_with_its_error(body: bytes) -> None:
    actions.store_report(body=body, at=LATER)

    actions.sweep_poas(at=LATER)

    kept = MailReport.objects.get()
    assert kept.last_error
    assert (kept.settled_at, kept.due_at) == (None, None)


@pytest.mark.parametrize("sign", ["\x00", "\ud800"], ids=["a zero", "half a sign"])
def test_return_counts_with_any_characters_in_its_reason(sign: str) -> None:
    poa = sent_poa()

    settled = report(
        LATER,
        event="bounced",
        is_permanent=True,
        message_id=invitation_of(poa).message_id,
        reason=f"550 no such{sign} user",
    )

    assert settled.settled_at == LATER
    failure = AddressFailure.objects.get()
    assert failure.customer == poa.customer
    assert "550 no such" in failure.because
    assert sign not in failure.because


@pytest.mark.parametrize("message_id", ["<no\x00mail>", "<no\ud800mail>"], ids=["a zero", "half a sign"])
def test_impossible_message_id_is_not_ours(message_id: str) -> None:
    sent_poa()

    settled = report(LATER, event="bounced", is_permanent=True, message_id=message_id)

    assert (settled.outcome, settled.settled_at) == ("Not one of our mails.", LATER)


def test_reports_with_the_message_id_as_event_id_all_count() -> None:
    poa = sent_poa()
    name = invitation_of(poa).message_id
    for event in ("delivered", "bounced"):
        said = {"id": name.strip("<>"), "event": event, "is_permanent": True, "message_id": name}
        actions.store_report(body=json.dumps(said).encode(), at=LATER)

    actions.sweep_poas(at=LATER)

    assert AddressFailure.objects.get().customer == poa.customer


def test_same_report_twice_counts_once() -> None:
    poa = sent_poa()
    said = {"id": "one", "event": "bounced", "is_permanent": True, "message_id": invitation_of(poa).message_id}
    for _ in range(2):
        actions.store_report(body=json.dumps(said).encode(), at=LATER)
        actions.sweep_poas(at=LATER)

    report(LATER, **{**said, "id": "another of the same"})

    assert MailReport.objects.count() == 2
    assert AddressFailure.objects.count() == 1
    assert poa.evidence.filter(kind="mail_returned").count() == 1


def test_old_reports_are_deleted_and_the_journal_stays() -> None:
    poa = sent_poa()
    report(LATER, event="bounced", is_permanent=True, message_id=invitation_of(poa).message_id)

    forgotten = [actions.forget_reports(at=LATER + timedelta(days=days)) for days in (80, 100)]

    assert forgotten == [0, 1]
    assert poa.evidence.filter(kind="mail_returned").exists()


def test_failing_address_holds_only_its_own_mail() -> None:
    poa, other = sent_poa(), signed_poa()
    come_back(invitation_of(poa))

    actions.sweep_poas(at=LATER)

    assert other.mails.get(kind=MailKind.SIGNED_COPY).state == MailState.SENT


def test_second_failing_address_is_blocked_too() -> None:
    poa = sent_poa()
    come_back(invitation_of(poa))
    change_address(poa)
    actions.sweep_poas(at=LATER)
    actions.sweep_poas(at=LATER)

    come_back(invitation_of(poa), at=LATER + timedelta(hours=1))

    failure = failure_of(poa.customer)
    assert failure is not None
    assert failure.address == NEW_ADDRESS
    assert AddressFailure.objects.count() == 2


def test_returned_notice_to_an_old_address_blocks_nothing() -> None:
    poa = sent_poa()
    change_address(poa)
    actions.sweep_poas(at=LATER)
    actions.sweep_poas(at=LATER)
    notice = poa.mails.get(kind=MailKind.ADDRESS_CHANGED)

    outcome = come_back(notice)

    assert outcome == actions.ReturnOutcome.NOT_RELEVANT
    assert failure_of(poa.customer) is None
    assert notice not in CustomerMail.objects.in_trouble()


def test_copy_keeps_its_message_id_but_a_link_never(monkeypatch: Any, settings: Any) -> None:
    poa = signed_poa()
    copy = poa.mails.get(kind=MailKind.SIGNED_COPY)
    answer_with(monkeypatch, settings, TimeoutError("slow"), after_taking=True)
    actions.send_mail(mail_id=copy.pk, at=LATER)
    answer_with(monkeypatch, settings, None)
    actions.sweep_poas(at=LATER + timedelta(minutes=5))
    invited = sent_poa()
    actions.send_poa(poa_id=invited.pk, by=SYSTEM, at=LATER)
    actions.sweep_poas(at=LATER)

    names = [message.extra_headers["Message-ID"] for message in mail.outbox[-4:]]
    assert names[0] == names[1]
    assert names[2] != names[3]


def test_mail_with_a_superseded_link_does_not_count_as_sent(monkeypatch: Any, settings: Any) -> None:
    poa = sent_poa()
    actions.send_poa(poa_id=poa.pk, by=STAFF, at=LATER)
    invitation = poa.mails.latest("pk")
    send = EmailMultiAlternatives.send
    after_its_lease = LATER + timedelta(minutes=5)

    def slowly(message: EmailMultiAlternatives, **options: Any) -> int:
        monkeypatch.setattr(EmailMultiAlternatives, "send", send)
        answer_with(monkeypatch, settings, greylisted(poa.customer.email))
        assert actions.send_mail(mail_id=invitation.pk, at=after_its_lease) == actions.MailOutcome.FAILED
        return 1

    monkeypatch.setattr(EmailMultiAlternatives, "send", slowly)

    actions.send_mail(mail_id=invitation.pk, at=LATER)

    invitation.refresh_from_db()
    assert invitation.sent_at is None
    assert invitation.due_at is not None, "the customer holds a link that no longer opens"


def test_unprocessable_report_says_so_and_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    poa = sent_poa()
    said = {"event": "bounced", "is_permanent": True, "message_id": invitation_of(poa).message_id}
    with monkeypatch.context() as broken:
        broken.setattr(mail_reports, "record_return", lambda **_options: 1 / 0)
        failed = report(LATER, **said)

    assert (failed.settled_at, failed.last_error) == (None, "ZeroDivisionError: retried later.")
    assert failed.due_at is not None
    actions.sweep_poas(at=failed.due_at)
    failed.refresh_from_db()
    assert (failed.settled_at is not None, failed.last_error) == (True, "")
    assert failure_of(poa.customer) is not None
