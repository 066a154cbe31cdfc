"""The customer's steps before signing: statements, signature and language."""

import hashlib
from datetime import datetime

from core.actors import Actor
from core.errors import Conflict, InvalidInput
from core.moves import MoveNotAllowed
from core.transactions import repeatable
from poa_documents.actions.contact_codes import check_contact_proved
from poa_documents.document_text import text_of
from poa_documents.journal import chain
from poa_documents.models import ConsentRecord, PoaDocument, PoaTemplate, SignatureKind, Statement
from poa_documents.moves import lock
from poa_documents.pdf.readability_sample import is_sample_word, sample_of
from poa_documents.queries import NoWording, consents_for, missing_statements
from poa_documents.signature import clean_signature
from poa_documents.states import SIGNABLE_STATUSES
from poa_documents.typed_names import is_same_name

USER_AGENT_LENGTH = 300


class StepsOutOfOrder(Conflict):
    """An earlier statement has not been agreed to yet."""

    def __init__(self, first_missing: Statement) -> None:
        super().__init__(f"{first_missing.label} comes first.")
        self.first_missing = first_missing


class FormatNotShown(InvalidInput):
    """The word in the sample was not entered, so nothing shows that the customer can open such a file."""


class PaperWanted(Conflict):
    """The customer withdrew their consent to electronic records, so it can be signed only on paper."""

    def __init__(self) -> None:
        super().__init__("The customer wants paper. Print the document, have it signed by hand, and record the scan.")


class WordingChanged(Conflict):
    """The wording on the customer's screen is no longer in force. Show the current one."""


@repeatable
def record_consent(
    *,
    poa_id: int,
    statement: Statement,
    words_sha256: str,
    by: Actor,
    at: datetime,
    ip_address: str | None = None,
    user_agent: str = "",
    word_in_sample: str = "",
) -> ConsentRecord:
    """
    Record that the customer agreed to one statement, in the wording whose hash the page carried.

    Agreeing twice to the same wording counts once. Electronic records need the word from the sample.

    :raises WordingChanged: a different wording is in force now
    :raises StepsOutOfOrder: an earlier statement is missing
    :raises FormatNotShown: the word from the sample is wrong or missing
    :raises ContactNotProved: the customer's address is not proved yet
    :raises MoveNotAllowed: the POA is not waiting for the customer
    """
    poa = _lock_signable(poa_id, wish=f"agree to {statement.label}")
    check_contact_proved(poa)
    text = text_of(poa)
    given = consents_for(poa, text)
    if text.sha256_of(statement) != words_sha256:
        raise WordingChanged
    if statement in given:
        return given[statement]
    first_missing = missing_statements(given)[0]
    if first_missing != statement:
        raise StepsOutOfOrder(first_missing)
    shown: dict[str, str] = {}
    if statement == Statement.ERECORD:
        if not is_sample_word(poa, text.language, word_in_sample):
            raise FormatNotShown
        shown["sample_sha256"] = hashlib.sha256(sample_of(poa, text.language)).hexdigest()
    consent = ConsentRecord.objects.create(
        poa=poa,
        statement=statement,
        wording_version=text.version,
        words=text.words[statement],
        wording_sha256=words_sha256,
        language=text.language,
        given_at=at,
        ip_address=ip_address,
        user_agent=user_agent[:USER_AGENT_LENGTH],
    )
    chain.record(
        poa,
        kind="consent",
        by=by,
        at=at,
        details={
            "statement": statement,
            "wording_version": text.version,
            "wording_sha256": words_sha256,
            "language": text.language,
            "ip_address": ip_address,
            **shown,
        },
        is_locked=True,
    )
    return consent


class NameDiffers(InvalidInput):
    """The typed name differs from the name on file. The customer must confirm it once."""


@repeatable
def keep_signature(
    *,
    poa_id: int,
    signature_kind: str,
    signature_text: str,
    is_name_confirmed: bool = False,
    by: Actor,
    at: datetime,
) -> PoaDocument:
    """
    Store a drawn or typed signature for the review page. It can be replaced until the customer signs.

    `is_name_confirmed` means that the customer confirmed a name that differs from the one on file.

    :raises NameDiffers: the customer has not been asked yet
    :raises SignatureNotUsable: with the code of the reason
    :raises MoveNotAllowed: the POA is not waiting for the customer
    """
    kept = clean_signature(signature_kind, signature_text)
    poa = _lock_signable(poa_id, wish="take a signature")
    if (poa.signature_kind, poa.signature_text) != (signature_kind, kept):
        details: dict[str, object] = {"signature_kind": signature_kind}
        if not is_name_on_file(poa, signature_kind, kept):
            if not is_name_confirmed:
                raise NameDiffers
            details["name_differs_from_file"] = "The customer was asked and confirmed that it is their name."
        poa.signature_kind, poa.signature_text = signature_kind, kept
        poa.save(update_fields=["signature_kind", "signature_text"])
        chain.record(poa, kind="signature_kept", by=by, at=at, details=details, is_locked=True)
    return poa


@repeatable
def choose_language(*, poa_id: int, language: str, by: Actor, at: datetime) -> PoaDocument:
    """
    Switch to the other language: store the choice, and change an unsigned POA to that wording of the same version.

    Consents in the first language stay on record. The statements are asked again in the new one.

    :raises NoWording: the version does not exist in this language
    """
    poa = lock(poa_id)
    if poa.customer.language != language:
        poa.customer.language = language
        poa.customer.save(update_fields=["language"])
    if poa.status in SIGNABLE_STATUSES and poa.template.language != language:
        template = PoaTemplate.objects.filter(version=poa.template.version, language=language).first()
        if template is None:
            raise NoWording(language, poa.template.effective_from_date)
        poa.template = template
        poa.save(update_fields=["template"])
        chain.record(poa, kind="language_chosen", by=by, at=at, details={"language": language}, is_locked=True)
    return poa


def is_name_on_file(poa: PoaDocument, signature_kind: str, signature_text: str) -> bool:
    """Whether a typed signature is the customer's name on file. A drawn one is not read."""
    return signature_kind != SignatureKind.TYPED or is_same_name(signature_text, str(poa.customer))


def _lock_signable(poa_id: int, *, wish: str) -> PoaDocument:
    poa = lock(poa_id)
    if poa.status not in SIGNABLE_STATUSES:
        raise MoveNotAllowed(subject=str(poa), move=wish, status=poa.status)
    check_electronic(poa)
    return poa


def check_electronic(poa: PoaDocument) -> None:
    """:raises PaperWanted: the customer withdrew their consent to electronic records"""
    if poa.paper_wanted_at is not None:
        raise PaperWanted
