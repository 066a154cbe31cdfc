"""A customer who chose Spanish reads nothing in English: on pages, in mails, files and error messages."""

import io
from datetime import timedelta

import pytest
from django.core import mail
from django.http import HttpResponse
from pypdf import PdfReader

from core.actors import Actor
from poa_documents import actions
from poa_documents.mail.messages import compose
from poa_documents.models import CASE_MAILS, MailKind, PoaDocument
from tests.factories.installations import customer as registered_customer
from tests.factories.installations import installation
from tests.factories.poa_documents import SIGNED_AT, sent_poa, signed_poa
from tests.integration.poa_documents.portal_visits import ManualClock, Visit, code_in_last_mail, token_in_last_mail
from tests.integration.poa_documents.spanish import english_in, visible_text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def poa() -> PoaDocument:
    job = installation(SIGNED_AT, customer=registered_customer(SIGNED_AT, language="es"))
    return sent_poa(customer=job.customer, site=job.site)


def text_of_pdf(content: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).split())


def english_on(pages: list[HttpResponse]) -> set[str]:
    return {found for page in pages for found in english_in(visible_text(page))}


def test_pages_from_link_to_revocation_are_in_spanish(poa: PoaDocument) -> None:
    visit = Visit(token_in_last_mail())
    pages = [visit.open(), visit.ask_for_code(), visit.enter("12"), visit.enter(code_in_last_mail()), visit.open()]
    for name in ("broker", "electronic", "summary", "confirm", "document"):
        pages += [visit.open(f"step/{name}/")]
        if visit.checkboxes(pages[-1]):
            pages += [visit.send(f"step/{name}/", tick_all=False)]
        if name == "electronic":
            pages += [visit.send(f"step/{name}/", sample_word="otra")]
        pages += [visit.send(f"step/{name}/"), visit.open(f"step/{name}/")]
    sample = visit.open("sample.pdf").content
    pages += [visit.send("step/signature/", typed_name=""), visit.send("step/signature/", kind="DRAWN", strokes="[[]]")]
    pages += [visit.send("step/signature/", kind="DRAWN", strokes="?"), visit.send("step/signature/", kind="")]
    pages += [visit.send("step/signature/", kind="TYPED", typed_name="Carmen Reyes"), visit.open("decline/")]
    pages += [visit.send("decline/", reason="no " * 500), visit.send("step/review/")]
    copy = visit.open("copy.pdf").content
    pages += [visit.open("revoke/"), visit.send("revoke/"), visit.post("leave/", visit.fields(""))]

    assert english_on(pages) == set()
    assert english_in(text_of_pdf(sample)) == set()
    assert english_in(text_of_pdf(copy)) == set()


def test_code_error_pages_are_in_spanish(poa: PoaDocument, clock: ManualClock) -> None:
    visit = Visit(token_in_last_mail())
    pages = [visit.enter("1")]
    for _ in range(5):
        pages += [visit.ask_for_code()]
    pages += [visit.ask_for_code()]
    pages += [visit.enter(f"{guess:06}") for guess in range(6)]
    clock.at += timedelta(hours=2)
    visit.enter_code()
    kept = visit.fields("decline/")
    clock.at += timedelta(hours=2)
    shut = visit.post("decline/", kept)
    asked = visit.post("code/", visit.fields_of(shut))
    late = visit.fields_of(asked)
    pages += [shut, asked, visit.post("enter/", {**late, "code": code_in_last_mail()})]
    visit.client.cookies.clear()
    pages += [visit.post("code/", late)]

    assert {page.status_code for page in pages} == {200}
    assert english_on(pages) == set()


def test_every_mail_is_in_spanish(poa: PoaDocument) -> None:
    assert english_in(f"{mail.outbox[-1].subject} {mail.outbox[-1].body}") == set()
    signed = signed_poa(customer=poa.customer, site=installation(SIGNED_AT, customer=poa.customer).site)
    actions.revoke_poa(poa_id=signed.pk, by=Actor.customer(poa.customer.public_id), at=SIGNED_AT)

    for kind in sorted(set(MailKind) - CASE_MAILS):
        owed = signed.mails.create(kind=kind, created_at=SIGNED_AT, due_at=SIGNED_AT)
        message = compose(owed, signed, link="https://x.invalid/", code="123456")
        html = str(message.alternatives[0][0])

        assert english_in(f"{message.subject} {message.body}") == set(), kind
        assert '<html lang="es">' in html


def test_english_text_would_be_found() -> None:
    assert english_in("Por favor firme. Check everything, then sign") >= {"Check everything, then sign", "sign"}
    assert english_in("We are happy to send you a new link: 555.") >= {"We are happy to send you a new link:"}
    assert "Where things stand" in english_in("Where things stand")
