"""The records of this app."""

from poa_documents.models.consents import ConsentRecord, PaperSignature, Statement
from poa_documents.models.contact_codes import ContactCode, LinkEnd, RetiredLink
from poa_documents.models.documents import PoaDocument, RevocationChannel, SignatureKind, StopKind, StopSignal
from poa_documents.models.journal import DestructionProof, EvidenceEntry, JournalAnchor, JournalIsFinal, JournalRow
from poa_documents.models.limits import Envelope, Limits, PlanPromise, RateKind
from poa_documents.models.mails import (
    CASE_MAILS,
    LINK_MAILS,
    MAIL_ATTEMPTS,
    POSTED,
    SIGNING_MAILS,
    TO_BE_POSTED,
    TURN_MAILS,
    AddressFailure,
    CustomerMail,
    CustomerMailQuerySet,
    MailKind,
    MailReport,
    MailState,
    ReturnSource,
)
from poa_documents.models.seal_proofs import IssuersAnswer, SealTimestamp
from poa_documents.models.signer_doubts import DoubtReason, SignerDoubt
from poa_documents.models.wording import WORDING_FIELDS, PoaTemplate, WordingInUse

__all__ = [
    "CASE_MAILS",
    "LINK_MAILS",
    "MAIL_ATTEMPTS",
    "POSTED",
    "SIGNING_MAILS",
    "TO_BE_POSTED",
    "TURN_MAILS",
    "WORDING_FIELDS",
    "AddressFailure",
    "ConsentRecord",
    "ContactCode",
    "CustomerMail",
    "CustomerMailQuerySet",
    "DestructionProof",
    "DoubtReason",
    "Envelope",
    "EvidenceEntry",
    "IssuersAnswer",
    "JournalAnchor",
    "JournalIsFinal",
    "JournalRow",
    "Limits",
    "LinkEnd",
    "MailKind",
    "MailReport",
    "MailState",
    "PaperSignature",
    "PlanPromise",
    "PoaDocument",
    "PoaTemplate",
    "RateKind",
    "RetiredLink",
    "ReturnSource",
    "RevocationChannel",
    "SealTimestamp",
    "SignatureKind",
    "SignerDoubt",
    "Statement",
    "StopKind",
    "StopSignal",
    "WordingInUse",
]
