"""The staff's view of powers of attorney: wording, promises, documents, evidence and mails."""

from poa_documents.admin import (
    contact,
    documents,
    history,
    mails,
    promises,
    stop_signals,
)

__all__ = [
    "contact",
    "documents",
    "history",
    "mails",
    "promises",
    "stop_signals",
]
