"""Template context for the customer's pages. Templates get these values, not records."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from textwrap import shorten
from typing import Any

from core.company_rules import current_rules
from core.dates import chicago_day
from installations.models import Language
from poa_documents import signer_doubts
from poa_documents.journal.receipt_numbers import REVOKED, reference_of
from poa_documents.limits import format_date, format_moment, limit_lines
from poa_documents.models import ConsentRecord, PoaDocument, SignatureKind, Statement
from poa_documents.phrases import phrases_in
from poa_documents.portal.steps import NUMBERS, STEPS, Step, neighbor
from poa_documents.signature import Drawing, drawing_of
from poa_documents.states import ELECTRONIC_STATUSES, SIGNABLE_STATUSES, PoaStatus
from poa_documents.wording_rendering import Block, DocumentText, blocks

MAX_LABEL_LENGTH = 60
_IN_FORCE = frozenset({PoaStatus.SIGNED, PoaStatus.SUSPENDED, PoaStatus.EXHAUSTED})
_TONES = {PoaStatus.SIGNED: "good", PoaStatus.EXHAUSTED: "good", PoaStatus.SEALING: "warn", PoaStatus.SUSPENDED: "warn"}


@dataclass(frozen=True)
class ShownStatement:
    """One statement as a page shows it, with its box."""

    name: str
    blocks: tuple[Block, ...]
    words: str
    sha256: str
    tick: str
    is_ticked: bool
    error: str
    agreed: str


def language_of(poa: PoaDocument) -> str:
    """Return the language of the pages: that of the POA's text until it is signed, the customer's afterwards."""
    return poa.template.language if poa.status in SIGNABLE_STATUSES else poa.customer.language


def page_context(poa: PoaDocument, *, token: str, form_key: str) -> dict[str, Any]:
    """Return the context that every customer page needs."""
    language = language_of(poa)
    other = Language.ENGLISH if language == Language.SPANISH else Language.SPANISH
    return {
        "language": language,
        "other_language": other.value,
        "t": phrases_in(language),
        "token": token,
        "form_key": form_key,
        "organization": current_rules().name,
        "contact": phrases_in(language)["page"]["questions"].format(contact=current_rules().contact),
        "can_decline": poa.status in SIGNABLE_STATUSES,
    }


def home_context(poa: PoaDocument, *, step: Step | None) -> dict[str, Any]:
    """Return the context of the home page. `step` is where an unsigned POA continues."""
    language = language_of(poa)
    words = phrases_in(language)["home"]
    values = {
        "name": poa.customer.first_name,
        "organization": current_rules().name,
        "address": str(poa.site),
        "contact": current_rules().contact,
        "email": masked_email(poa.customer.email),
        "when": format_moment(poa.signed_at, language),
        "ended": format_moment(poa.ended_at, language),
        "expires": say_day(poa.token_expires_at, language),
        "earliest": format_date(poa.envelope.earliest_start_date, language),
        "latest": format_date(poa.envelope.latest_start_date, language),
    }
    if poa.status == PoaStatus.REVOKED:
        values["receipt"] = reference_of(poa, REVOKED)
        values["received"] = format_moment(poa.revocation_received_at or poa.ended_at, language)
    if poa.paper_wanted_at is not None:
        values["email"] = values["address"]  # receipts are mailed there on paper
        values["paper_since"] = format_moment(poa.paper_wanted_at, language)
    context: dict[str, Any] = {
        "hello": words["hello"].format(**values),
        "asks_about_address": bool(signer_doubts.earlier_address(poa.customer)),
        "is_invited": poa.status in SIGNABLE_STATUSES,
        "is_sealing": poa.status == PoaStatus.SEALING,
        "is_signed": poa.status == PoaStatus.SIGNED,
        "can_revoke": poa.status in _IN_FORCE or poa.status == PoaStatus.SEALING,
        "has_copy": bool(poa.pdf_sha256),
        "tone": _TONES.get(PoaStatus(poa.status), ""),
        "limits": limit_lines(poa.envelope, language) if poa.status in _IN_FORCE else [],
        "next": words["next"].format(**values),
        "can_want_paper": poa.paper_wanted_at is None and poa.status in ELECTRONIC_STATUSES,
        "paper": _paper(poa, words, values),
        "receipt": words["receipt"].format(**values) if poa.status == PoaStatus.REVOKED else "",
        "contact_text": words["contact"].format(**values),
    }
    if context["is_invited"]:
        return {
            **context,
            "invited": words["invited"].format(**values),
            "choice": words["choice"].format(**values),
            "goes_on_at": step.name if step else STEPS[0].name,
            "has_begun": step is not None and step != STEPS[0],
        }
    kind = {PoaStatus.SIGNED: "signed", PoaStatus.SEALING: "sealing"}.get(PoaStatus(poa.status), str(poa.status))
    return {**context, "state_title": words[f"{kind}_title"], "state_text": words[kind].format(**values)}


def _paper(poa: PoaDocument, words: Mapping[str, str], values: Mapping[str, str]) -> str:
    """Return what happens next for a customer who no longer wants electronic records."""
    if poa.paper_wanted_at is None:
        return ""
    return words["paper_to_sign" if poa.status in SIGNABLE_STATUSES else "paper_from_now_on"].format(**values)


def step_context(
    poa: PoaDocument, step: Step, text: DocumentText, given: Mapping[Statement, ConsentRecord]
) -> dict[str, Any]:
    words = phrases_in(text.language)
    before, after = neighbor(step, -1), neighbor(step, 1)
    return {
        "step_name": step.name,
        "step_of": words["page"]["step_of"].format(number=NUMBERS[step.name], count=len(STEPS)),
        "step_number": NUMBERS[step.name],
        "step_count": len(STEPS),
        "step_title": words[step.name]["title"],
        "back_step": before.name if before else "",
        "next_step": after.name if after else "",
        "is_done": bool(step.statements) and all(statement in given for statement in step.statements),
        "document_title": text.title,
        "document_sha256": text.sha256,
        "limits": limit_lines(poa.envelope, text.language),
    }


def shown_statements(
    step: Step,
    text: DocumentText,
    given: Mapping[Statement, ConsentRecord],
    *,
    ticked: set[Statement],
    unticked: set[Statement],
) -> list[ShownStatement]:
    phrases = phrases_in(text.language)
    own = phrases[step.name]
    ticks = {
        Statement.BROKER_FACTS: "facts",
        Statement.ERECORD: "erecord",
    }  # the others show their words next to the box
    shown = []
    for statement in step.statements:
        words = text.words[statement]
        prefix = ticks.get(statement)
        agreed = given.get(statement)
        shown.append(
            ShownStatement(
                name=statement.value,
                blocks=blocks(_without_limits(words) if statement == Statement.SUMMARY else words),
                words=words,
                sha256=text.sha256_of(statement),
                tick=own[f"{prefix}_tick"] if prefix else words,
                is_ticked=statement in ticked,
                error=_error(words, own, prefix=prefix) if statement in unticked else "",
                agreed=phrases["page"]["confirmed_on" if step.name == "confirm" else "agreed_on"].format(
                    when=format_moment(agreed.given_at, text.language)
                )
                if agreed
                else "",
            )
        )
    return shown


def _error(words: str, own: Mapping[str, str], *, prefix: str | None) -> str:
    """Return an error that quotes the start of the words next to the box."""
    if prefix:
        return own[f"{prefix}_error"]
    return own["error"].format(label=f"“{shorten(words, MAX_LABEL_LENGTH, placeholder='…')}”")


def kept_drawing(poa: PoaDocument) -> Drawing | None:
    return drawing_of(poa.signature_text) if poa.signature_kind == SignatureKind.DRAWN else None


def masked_email(address: str) -> str:
    """Return an address that its owner recognizes but others cannot read."""
    name, _, host = address.partition("@")
    return f"{name[:1]}•••@{host}"


def say_day(at: datetime | None, language: str) -> str:
    return format_date(chicago_day(at), language) if at else ""


def _without_limits(words: str) -> str:
    """Remove the limits from the end of the summary, because the page shows them as a table."""
    return words.rpartition("\n\n")[0]
