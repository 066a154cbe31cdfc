"""The staff's view of powers of attorney: wording, promises, documents, evidence and mails."""

from poa_documents.admin import codes_and_links, documents, history, mails, plan_promises, stop_signals

__all__ = [
    "codes_and_links",
    "documents",
    "history",
    "mails",
    "plan_promises",
    "stop_signals",
]
