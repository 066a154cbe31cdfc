"""What the office records about mail: it was returned, it was posted on paper, the address works after all."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core import mail
from django.test import Client

from accounts.models import User
from core.admin.links import button_url, record_url
from enrollments.models import Enrollment, Hold
from enrollments.states import HoldCode, HoldOwner
from poa_documents import actions
from poa_documents.journal import chain
from poa_documents.models import AddressFailure, CustomerMail, MailKind, MailState, PoaDocument, RevocationChannel
from poa_documents.queries import failure_of
from tests.factories.cases import case_waiting_for_signature, decided_once
from tests.factories.installations import AT, OFFICE, technician
from tests.factories.poa_documents import drafted_poa, sent_poa, signed_poa

pytestmark = pytest.mark.django_db

SIGN_IN = "sign in"
HOW = "The answer in our mailbox says: no such user."
NEW_ADDRESS = "another.address@example.com"


def press(client: Client, record: Any, button: str, **answers: Any) -> Any:
    answer = client.post(button_url(record, button), answers)
    return client.get(answer["Location"]) if "?again" in answer.get("Location", "") else answer


def messages_in(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def fresh(row: CustomerMail) -> CustomerMail:
    return CustomerMail.objects.get(pk=row.pk)


def sent_mail() -> CustomerMail:
    found = sent_poa(at=AT).mails.get(kind=MailKind.INVITATION)
    assert found.state == MailState.SENT
    return found


def mail_to_be_posted() -> CustomerMail:
    """The receipt for a revocation, owed to a customer who wants paper."""
    poa = signed_poa(at=AT)
    actions.withdraw_econsent(poa_id=poa.pk, channel=RevocationChannel.LETTER, by=OFFICE, at=AT)
    actions.revoke_poa(poa_id=poa.pk, channel=RevocationChannel.PHONE, reason="She called.", by=OFFICE, at=AT)
    actions.sweep_poas(at=AT)
    found = poa.mails.get(kind=MailKind.REVOKED_RECEIPT)
    assert found.state == MailState.TO_BE_POSTED
    return found


def failing_address() -> AddressFailure:
    actions.record_return(mail_id=sent_mail().pk, because=HOW, source="OFFICE", by=OFFICE, at=AT)
    return AddressFailure.objects.get()


def mail_still_queued() -> CustomerMail:
    return signed_poa(at=AT).mails.get(kind=MailKind.SIGNED_COPY)


def returned_mail() -> CustomerMail:
    return failing_address().mail


def posted_mail() -> CustomerMail:
    return actions.mark_posted(mail_id=mail_to_be_posted().pk, by=OFFICE, at=AT)


def superseded_mail() -> CustomerMail:
    """An invitation that was never sent because the request was withdrawn first."""
    poa = drafted_poa(at=AT)
    actions.send_poa(poa_id=poa.pk, by=OFFICE, at=AT)
    actions.void_poa(poa_id=poa.pk, reason="Wrong product.", by=OFFICE, at=AT)
    actions.sweep_poas(at=AT)
    found = poa.mails.get(kind=MailKind.INVITATION)
    assert found.state == MailState.OVERTAKEN
    return found


BUTTONS: dict[str, tuple[Callable[[], Any], dict[str, str]]] = {
    "came-back": (sent_mail, {"because": HOW}),
    "posted": (mail_to_be_posted, {}),
    "save-letter": (mail_to_be_posted, {}),
    "works-again": (failing_address, {"because": "She read a mail to us on the phone."}),
}
ROLES: dict[str, int | str] = {
    "nobody": SIGN_IN,
    "technician": SIGN_IN,
    "staff without rights": 404,
    "staff who may look": 403,
    "office": "done",
    "superuser": "done",
}


def client_of(role: str, office_client: Client, viewer_client: Client) -> Client:
    match role:
        case "office":
            return office_client
        case "staff who may look":
            return viewer_client
    client = Client()
    match role:
        case "technician":
            client.force_login(technician())
        case "staff without rights":
            client.force_login(User.objects.create_user("newcomer", password="a long enough password", is_staff=True))
        case "superuser":
            client.force_login(User.objects.create_superuser("root", password="a long enough password"))
    return client


def journal_of(record: CustomerMail | AddressFailure) -> int:
    return record.poa.evidence.count()


@pytest.mark.parametrize(("role", "expected"), ROLES.items(), ids=ROLES.keys())
@pytest.mark.parametrize("button", BUTTONS)
def test_each_role_has_its_mail_buttons(
    button: str, role: str, expected: int | str, office_client: Client, viewer_client: Client
) -> None:
    make, answers = BUTTONS[button]
    record = make()
    client = client_of(role, office_client, viewer_client)
    before = journal_of(record)

    asked = client.get(button_url(record, button))
    after_asking = journal_of(record)
    answer = press(client, record, button, **answers)

    assert after_asking == before, "a GET never changes anything"
    has_acted = journal_of(record) > before
    if expected == "done":
        assert asked.status_code == 200
        assert has_acted == (button != "save-letter")
        assert answer.status_code == (200 if button == "save-letter" else 302)
        assert "/login/" not in answer.headers.get("Location", "")
        return
    assert not has_acted
    for each in (asked, answer):
        if expected == SIGN_IN:
            assert each.status_code == 302
            assert "/login/" in each.headers["Location"]
        else:
            assert each.status_code == expected


def test_mail_page_offers_only_permitted_buttons(office_client: Client, viewer_client: Client) -> None:
    row = sent_mail()
    came_back, posted = button_url(row, "came-back"), button_url(row, "posted")

    page, viewers_page = (client.get(record_url(row)).content.decode() for client in (office_client, viewer_client))

    assert came_back in page
    assert posted not in page
    assert came_back not in viewers_page


WRONG_STATES: list[tuple[str, Callable[[], CustomerMail]]] = [
    ("came-back", mail_still_queued),
    ("came-back", returned_mail),
    ("came-back", mail_to_be_posted),
    ("came-back", posted_mail),
    ("came-back", superseded_mail),
    ("posted", mail_still_queued),
    ("posted", sent_mail),
    ("posted", returned_mail),
    ("posted", posted_mail),
    ("posted", superseded_mail),
    ("save-letter", sent_mail),
    ("save-letter", posted_mail),
]


@pytest.mark.parametrize(
    ("button", "make"), WRONG_STATES, ids=[f"{button}, {make.__name__}" for button, make in WRONG_STATES]
)
def test_button_in_another_state_only_reports_the_state(
    office_client: Client, button: str, make: Callable[[], CustomerMail]
) -> None:
    row = make()
    state, before, failures = row.state, journal_of(row), AddressFailure.objects.count()

    answer = press(office_client, row, button, because=HOW)

    assert "Nothing was done" in messages_in(answer)
    assert f"“{state.label}”" in messages_in(answer)
    assert (fresh(row).state, journal_of(row), AddressFailure.objects.count()) == (state, before, failures)


def test_posted_letter_is_recorded_once_and_leaves_the_queue(office_client: Client) -> None:
    row = mail_to_be_posted()
    queue_before = office_client.get("/admin/").content.decode()

    first = press(office_client, row, "posted", seen_state=MailState.TO_BE_POSTED.label)
    again = press(office_client, row, "posted", seen_state=MailState.TO_BE_POSTED.label)

    assert "the customer got it on paper" in messages_in(first)
    assert "Nothing was done" in messages_in(again)
    assert fresh(row).state == MailState.POSTED
    assert record_url(row) in queue_before
    assert record_url(row) not in office_client.get("/admin/").content.decode()
    entry = row.poa.evidence.get(kind="mail_posted")
    assert entry.details["mail"] == str(row.public_id)
    assert entry.actor.startswith("staff:")
    assert chain.verify(PoaDocument.objects.get(pk=row.poa_id)).is_intact


def test_letter_saved_as_text_still_waits_to_be_posted(office_client: Client) -> None:
    row = mail_to_be_posted()

    answer = press(office_client, row, "save-letter")

    assert answer["Content-Disposition"].startswith("attachment")
    assert "/portal/" not in answer.content.decode()
    assert fresh(row).state == MailState.TO_BE_POSTED


def test_returned_mail_requires_how_it_is_known(office_client: Client) -> None:
    row = sent_mail()

    answer = press(office_client, row, "came-back", because="  ")

    assert answer.status_code == 200
    assert "This field is required" in answer.content.decode()
    assert not AddressFailure.objects.exists()


def test_returned_mail_is_recorded_once_from_two_open_pages(office_client: Client) -> None:
    row = sent_mail()
    both_saw = MailState.SENT.label

    first = press(office_client, row, "came-back", because=HOW, seen_state=both_saw)
    again = press(office_client, row, "came-back", because="It came back!", seen_state=both_saw)

    assert "Mail to this address is held" in messages_in(first)
    assert "Nothing was done" in messages_in(again)
    assert AddressFailure.objects.get().because == HOW
    assert row.poa.evidence.filter(kind="mail_returned").count() == 1


def open_hold(enrollment: Enrollment) -> Hold | None:
    return enrollment.holds.filter(released_at__isnull=True).first()


def held_for_returned_mail(client: Client) -> tuple[Enrollment, CustomerMail]:
    enrollment = case_waiting_for_signature(AT)
    row = CustomerMail.objects.get(kind=MailKind.INVITATION)
    press(client, row, "came-back", because=HOW)
    decided_once(enrollment, at=AT + timedelta(minutes=1))
    return enrollment, row


def test_returned_mail_holds_the_case_until_address_correction(office_client: Client) -> None:
    enrollment, row = held_for_returned_mail(office_client)
    hold = open_hold(enrollment)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.MAIL_RETURNED, HoldOwner.OFFICE)
    assert "no such user" in hold.because
    assert "no such user" in office_client.get("/admin/").content.decode()

    answer = press(office_client, enrollment.customer, "correct-contact", email=NEW_ADDRESS, phone="", language="en")
    actions.sweep_poas(at=AT + timedelta(minutes=2))
    decided_once(enrollment, at=AT + timedelta(minutes=3))

    assert "Corrected" in messages_in(answer)
    assert open_hold(enrollment) is None
    hold.refresh_from_db()
    assert hold.released_by == "system"
    assert failure_of(enrollment.customer) is None
    assert mail.outbox[-1].to == [NEW_ADDRESS]
    assert fresh(row).state == MailState.SENT
    assert "no such user" not in office_client.get("/admin/").content.decode()


def test_new_phone_or_language_ends_no_returned_mail_hold(office_client: Client) -> None:
    enrollment, _row = held_for_returned_mail(office_client)
    same = enrollment.customer.email

    press(office_client, enrollment.customer, "correct-contact", email=same, phone="", language="es")
    decided_once(enrollment, at=AT + timedelta(minutes=3))

    hold = open_hold(enrollment)
    assert hold is not None
    assert hold.code == HoldCode.MAIL_RETURNED


def test_working_address_is_confirmed_once_and_ends_the_hold(office_client: Client) -> None:
    enrollment, row = held_for_returned_mail(office_client)
    failure = AddressFailure.objects.get()

    first = press(office_client, failure, "works-again", because="She reads it again.")
    again = press(office_client, failure, "works-again", because="She reads it again.")
    actions.sweep_poas(at=AT + timedelta(minutes=2))
    decided_once(enrollment, at=AT + timedelta(minutes=3))

    assert "is sent now" in messages_in(first)
    assert "Nothing was done" in messages_in(again)
    assert open_hold(enrollment) is None
    assert fresh(row).state == MailState.SENT
    assert row.poa.evidence.filter(kind="mail_works_again").count() == 1
