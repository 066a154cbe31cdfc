"""Every action named in a hold's text has its button, and every action leads back to the case."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from core.actors import Actor
from core.admin.links import button_url, record_url
from core.admin.tables import Cell
from enrollments.admin.hold_buttons import (
    ADOPT,
    BUTTONS_BY_HOLD,
    CLOSE,
    CORRECT_CONTACT,
    DRAFT,
    END_STOP,
    LINK,
    MAIL_WORKS,
    RECORD_LEAVING,
    RELEASE,
    REPORT_GO_LIVE,
    RESUME,
    ButtonRef,
)
from enrollments.decision.steps import CONSENT_HOLDS
from enrollments.models import Enrollment
from enrollments.states import HoldCode
from installations.models import Customer
from poa_documents import actions
from poa_documents.models import PoaDocument, ReturnSource, StopKind
from tests.factories.cases import case, case_waiting_for_signature, hold
from tests.factories.installations import AT, installation
from tests.factories.poa_documents import drafted_poa, signed_poa
from tests.shared_rows import rows_for_several_tests

pytestmark = pytest.mark.django_db

OFFICE = Actor.staff(UUID(int=1))
RUNBOOK = Path(__file__).resolve().parents[3] / "docs" / "runbooks" / "holds.md"
NAMED_BY: dict[str, ButtonRef] = {
    r"(?<!a )\b[Rr]elease\b": RELEASE,
    r"[Cc]lose the case": CLOSE,
    r"new POA": DRAFT,
    r"\*\*Resume\*\*": RESUME,
    r"End the stop signal": END_STOP,
    r"\*\*correct it\*\*|phone number or the address": CORRECT_CONTACT,
    r"Mail gets through again": MAIL_WORKS,
    r"link it": LINK,
    r"Adopt our acceptance": ADOPT,
    r"Record why they left": RECORD_LEAVING,
}
LABELS = {
    RELEASE: "Release the hold",
    CLOSE: "Close the case",
    DRAFT: "Draft a new power of attorney",
    LINK: "Link an account at Light",
    ADOPT: "Adopt our acceptance",
    CORRECT_CONTACT: "Correct e-mail, phone or language",
    REPORT_GO_LIVE: "Report go-live",
    RECORD_LEAVING: "Record why they left",
}


def advice(code: HoldCode) -> str:
    row = re.search(rf"^\| `{code}` \|[^|]*\|[^|]*\|([^|]*)\|", RUNBOOK.read_text(encoding="utf-8"), re.M)
    assert row, f"The runbook does not tell of {code}."
    return row[1]


def beside_hold(client: Client, enrollment: Enrollment) -> dict[str, Cell]:
    return {cell.text: cell for cell in client.get(record_url(enrollment)).context["hold"]["buttons"]}


def signed_case() -> Enrollment:
    job = installation(AT)
    signed_poa(customer=job.customer, site=job.site, at=AT)
    return case(job=job)


@pytest.mark.parametrize("code", HoldCode)
def test_actions_named_in_the_runbook_belong_to_the_hold(code: HoldCode) -> None:
    named = {act for words, act in NAMED_BY.items() if re.search(words, advice(code))}

    assert named
    assert named <= set(BUTTONS_BY_HOLD[code])


@pytest.fixture(scope="module")
def shared_case(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[int]:
    with rows_for_several_tests(django_db_blocker):
        yield signed_case().pk


@pytest.mark.parametrize("code", HoldCode)
def test_every_hold_has_its_buttons(shared_case: int, office_client: Client, code: HoldCode) -> None:
    enrollment = Enrollment.objects.get(pk=shared_case)
    hold(enrollment, at=AT, code=code)

    shown = beside_hold(office_client, enrollment)

    expected = {LABELS[act] for act in BUTTONS_BY_HOLD[code] if act in LABELS}
    if code in CONSENT_HOLDS:
        expected.discard(LABELS[RELEASE])
    assert expected <= set(shown)
    assert all(parse_qs(urlsplit(cell.url).query)["back"] == [record_url(enrollment)] for cell in shown.values())


def test_draft_is_sent_from_the_held_case(office_client: Client) -> None:
    enrollment = signed_case()
    hold(enrollment, at=AT, code=HoldCode.OUTSIDE_LIMITS)
    draft = drafted_poa(customer=enrollment.customer, site=enrollment.site, at=AT)

    shown = beside_hold(office_client, enrollment)
    answer = office_client.post(shown["Send to the customer"].url)

    assert answer["Location"] == record_url(enrollment)
    draft.refresh_from_db()
    assert draft.sent_at is not None
    assert LABELS[DRAFT] not in shown


def test_drafted_authority_leads_back_to_its_case(office_client: Client) -> None:
    enrollment = signed_case()
    hold(enrollment, at=AT, code=HoldCode.OUTSIDE_LIMITS)
    url = beside_hold(office_client, enrollment)[LABELS[DRAFT]].url
    promise = PoaDocument.objects.get(customer=enrollment.customer).promise

    answer = office_client.post(
        url,
        {
            "customer": enrollment.customer.public_id,
            "site": enrollment.site.public_id,
            "promise": promise.public_id,
        },
    )

    assert answer["Location"] == record_url(enrollment)


def test_suspended_authority_is_resumed_from_the_case(office_client: Client) -> None:
    enrollment = signed_case()
    poa = PoaDocument.objects.get(customer=enrollment.customer)
    actions.suspend_poa(poa_id=poa.pk, reason="The name is misspelled.", by=OFFICE, at=AT)
    hold(enrollment, at=AT, code=HoldCode.AUTHORITY_ENDED)

    assert "Resume" in beside_hold(office_client, enrollment)


def test_stop_signal_is_ended_from_the_case(office_client: Client) -> None:
    enrollment = signed_case()
    actions.record_stop_signal(
        customer_id=enrollment.customer_id,
        kind=StopKind.INCAPACITATED,
        source="The daughter, by phone.",
        by=OFFICE,
        at=AT,
    )
    hold(enrollment, at=AT, code=HoldCode.AUTHORITY_ENDED)

    assert "End the stop signal" in beside_hold(office_client, enrollment)


def test_returned_mail_is_resolved_from_the_case(office_client: Client) -> None:
    enrollment = case_waiting_for_signature()
    mail = PoaDocument.objects.get(customer=enrollment.customer).mails.get()
    actions.record_return(mail_id=mail.pk, because="No such user.", source=ReturnSource.OFFICE, by=OFFICE, at=AT)
    hold(enrollment, at=AT, code=HoldCode.MAIL_RETURNED)

    shown = beside_hold(office_client, enrollment)

    assert {"Mail gets through again", LABELS[CORRECT_CONTACT]} <= set(shown)


def test_acceptance_not_shown_by_light_is_not_adopted(office_client: Client) -> None:
    enrollment = signed_case()
    hold(enrollment, at=AT, code=HoldCode.SELF_ENROLLED)
    url = beside_hold(office_client, enrollment)[LABELS[ADOPT]].url

    answer = office_client.post(url, {"accepted_date": "2026-03-05", "reason": "The mail of that day."}, follow=True)

    assert "does not name the accepted plan" in answer.text
    enrollment.refresh_from_db()
    assert enrollment.accepted_at is None


def test_correcting_the_address_leads_back_to_the_case(office_client: Client) -> None:
    enrollment = signed_case()
    hold(enrollment, at=AT, code=HoldCode.MAIL_RETURNED)
    url = beside_hold(office_client, enrollment)[LABELS[CORRECT_CONTACT]].url

    answer = office_client.post(url, {"email": "right@example.com", "phone": "", "language": "en"})

    assert answer["Location"] == record_url(enrollment)


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/admin/", "/portal/x/", "javascript:1"])
def test_no_action_leads_out_of_the_office(office_client: Client, elsewhere: str) -> None:
    customer: Customer = signed_case().customer

    answer = office_client.post(
        button_url(customer, "correct-contact", back=elsewhere),
        {"email": "right@example.com", "phone": "", "language": "en"},
    )

    assert answer["Location"] == record_url(customer)


def test_viewer_gets_no_buttons(viewer_client: Client) -> None:
    enrollment = signed_case()
    hold(enrollment, at=AT, code=HoldCode.REFUSED_BY_LIGHT)

    assert beside_hold(viewer_client, enrollment) == {}
