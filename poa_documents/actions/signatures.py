"""Signing a POA electronically."""

from datetime import datetime
from enum import StrEnum

from core.actors import Actor
from core.errors import Conflict
from core.queue import TaskName, enqueue_on_commit
from core.transactions import repeatable
from poa_documents.actions.contact_codes import check_contact_proved
from poa_documents.actions.signer_proofs import note_doubts
from poa_documents.actions.signing_steps import USER_AGENT_LENGTH, WordingChanged, check_electronic, is_name_on_file
from poa_documents.document_text import text_of
from poa_documents.limits import check_limits
from poa_documents.links import signed_link_expiry
from poa_documents.models import Statement
from poa_documents.moves import lock, take_move
from poa_documents.queries import consents_for, missing_statements
from poa_documents.signature import clean_signature
from poa_documents.states import EVER_SIGNED_STATUSES, PoaStatus


class SignOutcome(StrEnum):
    SIGNED = "SIGNED"
    ALREADY_SIGNED = "ALREADY_SIGNED"


class ConsentIncomplete(Conflict):
    """Statements have not been agreed to in the current wording. `missing` lists them in order."""

    def __init__(self, missing: list[Statement]) -> None:
        super().__init__(f"Not yet agreed to: {', '.join(statement.label for statement in missing)}.")
        self.missing = missing


@repeatable
def sign_poa(
    *,
    poa_id: int,
    signature_kind: str,
    signature_text: str,
    document_sha256: str,
    by: Actor,
    at: datetime,
    ip_address: str | None = None,
    user_agent: str = "",
    browser_of: int | None = None,
) -> SignOutcome:
    """
    Record the customer's signature permanently. The signed file is created and stored later, by `seal_poa`.

    `document_sha256` is the hash that the review page carried. Signing twice, or on two devices, counts once.
    `browser_of` is the staff member who recently used the same browser. Signs that someone in the office signed do not
    stop the signature, but it gives no authority until the customer proves it (`signers`).

    :raises PaperWanted: the customer withdrew their consent to electronic records
    :raises ContactNotProved: the customer's address is not proved yet
    :raises ConsentIncomplete: a statement is missing
    :raises WordingChanged: the review page showed a different wording
    :raises LimitMissing: a limit has no value
    :raises SignatureNotUsable: with the code of the reason
    :raises MoveNotAllowed: it was declined, voided or has expired
    """
    poa = lock(poa_id)
    if poa.status == PoaStatus.SEALING or poa.status in EVER_SIGNED_STATUSES:
        return SignOutcome.ALREADY_SIGNED
    check_electronic(poa)
    check_contact_proved(poa)
    check_limits(poa.envelope)
    text = text_of(poa)
    missing = missing_statements(consents_for(poa, text))
    if missing:
        raise ConsentIncomplete(missing)
    if document_sha256 != text.sha256:
        raise WordingChanged
    poa.signature_kind = signature_kind
    poa.signature_text = clean_signature(signature_kind, signature_text)
    poa.signed_at = at
    poa.signed_from_ip = ip_address
    poa.signed_user_agent = user_agent[:USER_AGENT_LENGTH]
    poa.document_sha256 = text.sha256
    poa.token_expires_at = signed_link_expiry(poa, at=at)
    poa.due_at = at
    take_move(
        poa,
        "sign",
        by=by,
        at=at,
        details={
            "document_sha256": text.sha256,
            "wording_version": text.version,
            "language": text.language,
            "signature_kind": signature_kind,
            "is_name_on_file": is_name_on_file(poa, signature_kind, poa.signature_text),
            "ip_address": ip_address,
            "contact_verified_at": poa.customer.contact_verified_at,
            "signer_proof": note_doubts(poa, ip_address=ip_address, browser_of=browser_of, by=by, at=at),
            "statement": Statement.DOCUMENT,
        },
    )
    enqueue_on_commit(TaskName.SEAL_POA, poa_id=poa.pk)
    return SignOutcome.SIGNED
