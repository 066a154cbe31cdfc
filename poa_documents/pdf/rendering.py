"""Renders a signed POA with typst. Data is passed as one JSON string and never as code."""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import typst
from anyascii import anyascii

from core.company_rules import rules_at
from core.dates import CHICAGO
from poa_documents.limits import format_date
from poa_documents.models import PoaDocument, SignatureKind, Statement
from poa_documents.phrases import phrases_in
from poa_documents.signature import drawing_of
from poa_documents.wording_rendering import blocks

TEMPLATE = Path(__file__).resolve().parent / "poa.typ"
SUBSTITUTE = "\N{WHITE SQUARE}"
# What the fonts in typst can print: Latin with accents, Greek, Cyrillic, and common punctuation.
_PRINTABLE_RANGES = (
    (0x20, 0x7E),
    (0xA0, 0x17F),
    (0x1A0, 0x1A1),
    (0x1AF, 0x1B0),
    (0x218, 0x21B),
    (0x386, 0x3CE),
    (0x400, 0x45F),
    (0x1E00, 0x1EFF),
)
_PRINTABLE_MARKS = frozenset(
    "\N{EN DASH}\N{EM DASH}\N{LEFT SINGLE QUOTATION MARK}"
    "\N{RIGHT SINGLE QUOTATION MARK}"
    "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}"
    "\N{HORIZONTAL ELLIPSIS}"
    "\N{BULLET}\N{EURO SIGN}\N{CENT SIGN}"
    f"{SUBSTITUTE}\n"
)


@dataclass(frozen=True)
class Agreement:
    label: str
    statement: str
    words: str
    agreed_at: str
    sha256: str


@dataclass(frozen=True)
class SignedDocument:
    """Everything the file shows, as text."""

    number: int
    language: str
    title: str
    customer_name: str
    words: str
    agreements: tuple[Agreement, ...]
    facts: tuple[tuple[str, str], ...]
    signature_kind: str
    signature_name: str
    signature_svg: str
    signed_at: datetime
    exact_name: str
    exact_text: str = ""
    letterhead: str = ""


def signed_document_of(poa: PoaDocument) -> SignedDocument:
    """
    Collect the file's content from what was stored at signing, so that later changes elsewhere do not affect it.

    The document's words are those of the customer's consent to it.
    """
    language = poa.template.language
    phrases = phrases_in(language)["pdf"]
    signed_at = _signed_at(poa)
    consents = {
        Statement(consent.statement): consent
        for consent in poa.consents.filter(language=language, given_at__lte=signed_at).order_by("given_at", "pk")
    }
    document = poa.consents.get(statement=Statement.DOCUMENT, wording_sha256=poa.document_sha256)
    consents[Statement.DOCUMENT] = document
    title = document.words.split("\n", 1)[0].removeprefix("# ")
    drawn = poa.signature_kind == SignatureKind.DRAWN
    company = rules_at(signed_at)
    return SignedDocument(
        number=poa.pk,
        language=language,
        letterhead=f"{company.name} · {company.contact}",
        title=title,
        customer_name=str(poa.customer),
        words=document.words,
        agreements=tuple(
            Agreement(
                label=phrases[statement],
                statement=statement,
                words=consents[statement].words,
                agreed_at=_say_twice(consents[statement].given_at, language),
                sha256=consents[statement].wording_sha256,
            )
            for statement in Statement
            if statement in consents  # paper has no consent to electronic records
        ),
        facts=(
            (phrases["signed_by"], str(poa.customer)),
            (phrases["signed_at_chicago"], _say_instant(signed_at, language)),
            (phrases["signed_at_utc"], _utc(signed_at)),
            (phrases["signed_from"], poa.signed_from_ip or phrases["unknown"]),
            (phrases["browser"], poa.signed_user_agent or phrases["unknown"]),
            (phrases["number"], str(poa.pk)),
            (phrases["wording"], f"{document.wording_version} ({language})"),
            (phrases["document_sha256"], poa.document_sha256),
            *_proved_address(poa, signed_at, language),
            *_paper_facts(poa, language),
        ),
        signature_kind=poa.signature_kind,
        signature_name="" if drawn else poa.signature_text or str(poa.customer),
        signature_svg=drawing_of(poa.signature_text).svg if drawn else "",
        signed_at=signed_at,
        exact_name=str(poa.customer),
    )


def _proved_address(poa: PoaDocument, signed_at: datetime, language: str) -> Iterator[tuple[str, str]]:
    """Yield the address that received the code for the session in which it was signed."""
    used = poa.contact_codes.filter(used_at__lte=signed_at).order_by("-used_at").first()
    if used is not None and used.used_at is not None:
        yield phrases_in(language)["pdf"]["proved"], f"{used.sent_to}, {_utc(used.used_at)}"


def _paper_facts(poa: PoaDocument, language: str) -> Iterator[tuple[str, str]]:
    """Yield who scanned the paper, who confirmed it, and the scan's hash."""
    phrases = phrases_in(language)["pdf"]
    for paper in poa.paper_signatures.filter(confirmed_at__isnull=False):
        yield phrases["paper_date_written"], format_date(paper.signed_date, language)
        yield phrases["paper_scan"], paper.scan_sha256
        yield phrases["paper_recorded"], f"{paper.recorded_by}, {_utc(paper.recorded_at)}"
        if paper.confirmed_at:
            yield phrases["paper_confirmed"], f"{paper.confirmed_by}, {_utc(paper.confirmed_at)}"


def render_pdf(document: SignedDocument) -> bytes:
    """
    Return the file's bytes, always the same for the same document.

    A name with characters that the fonts lack is printed in Latin letters, with its exact text spelled out next to it.
    """
    return _compile(_printable(document))


def _compile(document: SignedDocument) -> bytes:
    phrases = phrases_in(document.language)["pdf"]
    content: dict[str, Any] = {
        **asdict(document),
        "signed_at": _utc(document.signed_at),
        "phrases": {**phrases, "signature_alt": phrases["signature_alt"].format(name=document.customer_name)}
        | ({"typed": phrases["paper"]} if document.signature_kind == SignatureKind.PAPER else {}),
        "blocks": [{"kind": block.kind.value, "lines": block.lines} for block in blocks(document.words)],
        "agreements": [
            {
                **asdict(agreement),
                "blocks": [
                    {"kind": block.kind.value, "lines": block.lines}
                    for block in blocks(
                        phrases["as_above"] if agreement.statement == Statement.DOCUMENT else agreement.words
                    )
                ],
            }
            for agreement in document.agreements
        ],
    }
    pdf: bytes = typst.compile(
        str(TEMPLATE),
        root=str(TEMPLATE.parent),
        ignore_system_fonts=True,
        sys_inputs={"content": json.dumps(content, ensure_ascii=False)},
        pdf_standards=["a-2a", "ua-1"],
        timestamp=int(document.signed_at.timestamp()),
    )
    return pdf


def _printable(document: SignedDocument) -> SignedDocument:
    """Replace characters that cannot be printed, and list the originals on the page."""
    exact: list[str] = []
    for text in dict.fromkeys((document.customer_name, document.signature_name, *document.words.split())):
        if to_printable(text) != unicodedata.normalize("NFC", text) and not any(text in longer for longer in exact):
            exact.append(text)
    return replace(
        document,
        title=to_printable(document.title),
        letterhead=to_printable(document.letterhead),
        customer_name=to_printable(document.customer_name),
        words=to_printable(document.words),
        agreements=tuple(replace(agreement, words=to_printable(agreement.words)) for agreement in document.agreements),
        facts=tuple((label, to_printable(value)) for label, value in document.facts),
        signature_name=to_printable(document.signature_name),
        exact_text="; ".join(spell_out(text) for text in exact),
    )


def to_printable(text: str) -> str:
    """
    Return text that the fonts can print.

    Accents are kept and other scripts are written in Latin letters. Anything else becomes a square.
    """
    return "".join(_printable_characters(unicodedata.normalize("NFC", text)))


def _printable_characters(text: str) -> Iterator[str]:
    after_latin = False
    for character in text:
        if _is_printable(character):
            yield character
            after_latin = False
            continue
        latin = _only_printable(unicodedata.normalize("NFKD", character)) or _only_printable(
            anyascii(character).strip()
        )
        if after_latin and len(latin) > 1 and latin[0].isupper():
            yield " "  # a character that is a word, as in Chinese
        # Combining marks and invisible characters belong to one that is shown anyway; some letters are silent.
        is_left_out = unicodedata.category(character) in {"Mn", "Me", "Mc", "Cf", "Cc", "Lo", "Lm"}
        yield latin or ("" if is_left_out else SUBSTITUTE)
        after_latin = bool(latin)


def _only_printable(text: str) -> str:
    return "".join(filter(_is_printable, text))


@lru_cache(maxsize=4096)
def _is_printable(character: str) -> bool:
    if character in _PRINTABLE_MARKS:
        return True
    in_range = any(first <= ord(character) <= last for first, last in _PRINTABLE_RANGES)
    return in_range and unicodedata.category(character) != "Cn"


def spell_out(text: str) -> str:
    """Replace every non-ASCII character with its code point, so that the exact text can be rebuilt."""
    return " ".join(
        "".join(
            character if character.isascii() and character.isprintable() else f"<U+{ord(character):04X}>"
            for character in word
        )
        for word in text.split()
    )


def _signed_at(poa: PoaDocument) -> datetime:
    if poa.signed_at is None:
        raise ValueError(f"POA {poa.pk} has no signature to put into a file.")
    return poa.signed_at


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _say_twice(at: datetime, language: str) -> str:
    return f"{_say_instant(at, language)} ({_utc(at)})"


def _say_instant(at: datetime, language: str) -> str:
    local = at.astimezone(CHICAGO)
    return f"{format_date(local.date(), language)}, {local:%H:%M:%S %Z}"
