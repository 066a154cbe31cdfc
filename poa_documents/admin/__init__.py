"""The staff's view of powers of attorney: wording, promises, documents, consents, evidence and mails."""

from poa_documents.admin import (
    anchors,
    consents,
    contact,
    destructions,
    documents,
    envelopes,
    evidence_entries,
    issuers_answers,
    mails,
    paper,
    promises,
    seal_timestamps,
    signer_doubts,
    stop_signals,
    templates,
)

__all__ = [
    "anchors",
    "consents",
    "contact",
    "destructions",
    "documents",
    "envelopes",
    "evidence_entries",
    "issuers_answers",
    "mails",
    "paper",
    "promises",
    "seal_timestamps",
    "signer_doubts",
    "stop_signals",
    "templates",
]
