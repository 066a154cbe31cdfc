"""Names of every kind and hostile ones: each can sign and verify, and none harms a mail or header."""

import email
import email.policy
import io
import unicodedata

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from pypdf import PdfReader

from core.dates import chicago_day
from poa_documents import actions
from poa_documents.authority_check import read_signed_pdf, verify_sealed_file
from poa_documents.journal import chain
from poa_documents.models import CustomerMail, MailKind, PoaDocument
from poa_documents.pdf.rendering import spell_out, to_printable
from poa_documents.states import PoaStatus
from tests.factories.installations import customer_with_legacy_name, installation
from tests.factories.poa_documents import SIGNED_AT, sent_poa
from tests.integration.poa_documents.portal_visits import Visit, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

PRINTED = {
    "accents": ("José Ángel", "Ñúñez Muñoz"),
    "vietnamese": ("Nguyễn Thị", "Hường"),
    "combining marks": ("Jose\u0301", "Mun\u0303oz"),
    "apostrophes": ("D'Arcy", "O\N{RIGHT SINGLE QUOTATION MARK}Brien"),
    "single letters": ("X", "Y"),
    "two hundred letters": ("Ana" + "a" * 97, "Bee" + "e" * 97),
    "code of the file's language": ('"]) #panic() [#(', "$x$ #image"),
    "a formula": ("=cmd|' /C calc'!A0", "@SUM(1)"),
}
SPELLED = {
    "chinese": ("王", "小明"),
    "japanese": ("やまだ", "太郎"),
    "korean": ("김", "민준"),
    "arabic": ("محمد", "بن سلمان"),
    "hebrew": ("שרה", "כהן"),
    "emoji": ("Ana 🎉", "👩\u200d👩\u200d👧"),
    "a mark on nothing": ("Ab\u0335\u0336\u0337", "Cd\u0489"),
    "direction turned": ("\u202eneral", "\u2066Ada\u2069"),
}
HOSTILE_LINES = ("Ada\r\nBcc: everybody@example.com", "Love\nlace")


def signing(first_name: str, last_name: str) -> tuple[PoaDocument, Visit]:
    job = installation(
        SIGNED_AT, customer=customer_with_legacy_name(SIGNED_AT, first_name=first_name, last_name=last_name)
    )
    poa = sent_poa(customer=job.customer, site=job.site)
    visit = Visit.by_last_mail()
    visit.sign(typed_name=f"{first_name} {last_name}")
    return fresh(poa), visit


def text_in(content: bytes) -> str:
    return "".join("".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).split())


def mails_of(poa: PoaDocument) -> list[EmailMessage]:
    copy = CustomerMail.objects.get(poa=poa, kind=MailKind.SIGNED_COPY)
    actions.send_mail(mail_id=copy.pk, at=SIGNED_AT)
    return [each for each in mail.outbox if isinstance(each, EmailMessage)]


@pytest.mark.parametrize(("first", "last"), [*PRINTED.values(), *SPELLED.values()], ids=[*PRINTED, *SPELLED])
def test_every_kind_of_name_can_sign_and_verify(first: str, last: str) -> None:
    poa, visit = signing(first, last)

    assert poa.status == PoaStatus.SIGNED
    verify_sealed_file(poa)
    assert chain.verify(poa).is_intact
    content = read_signed_pdf(poa)
    name = str(poa.customer)
    text = text_in(content)
    assert "".join(to_printable(name).split()) in text
    if (first, last) in SPELLED.values():
        assert "".join(spell_out(name).split()) in text, "what is not printed as written is spelled out"
    assert visit.open("copy.pdf").content == content


def _without_turns(text: str) -> str:
    """Without the characters that change text direction."""
    return "".join(sign for sign in text if unicodedata.bidirectional(sign) not in {"RLO", "LRO", "RLE", "LRE", "PDF"})


@pytest.mark.parametrize(("first", "last"), [*PRINTED.values(), *SPELLED.values()], ids=[*PRINTED, *SPELLED])
def test_mails_to_every_kind_of_name_are_well_formed(first: str, last: str) -> None:
    poa, _ = signing(first, last)

    for sent in mails_of(poa):
        message = email.message_from_bytes(sent.message().as_bytes(), policy=email.policy.default)
        assert set(message.keys()) <= {
            "Content-Type", "MIME-Version", "Subject", "From", "To", "Date", "Message-ID", "X-Switchyard-Mail",
            "Auto-Submitted",
        }  # fmt: skip
        assert message["To"] == poa.customer.email
        assert [part.get_filename() for part in message.walk() if part.get_filename()] in (
            [],
            [f"power-of-attorney-{chicago_day(poa.created_at)}.pdf"],
        )
        plain = message.get_body(("plain",))
        assert plain is not None
        text = "".join(plain.get_content().split())
        assert "".join(_without_turns(first).split())[:70] in text, "a very long one may be cut"
        assert _without_turns(text) == text


def test_name_cannot_inject_mail_headers() -> None:
    poa, _ = signing(*HOSTILE_LINES)

    for sent in mails_of(poa):
        message = email.message_from_bytes(sent.message().as_bytes(), policy=email.policy.default)
        assert message["Bcc"] is None
        assert message["To"] == poa.customer.email


def test_download_name_does_not_depend_on_the_customer() -> None:
    _, visit = signing('"; filename="evil.exe', "\u202efdp.exe")

    head = visit.open("copy.pdf")["Content-Disposition"]

    assert head.startswith('attachment; filename="power-of-attorney-')
    assert "evil" not in head
    assert head.isascii()
