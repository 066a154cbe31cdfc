"""The staff's view of powers of attorney: wording, promises, documents, consents, evidence and mails."""

from poa_documents.admin import consents, documents, envelopes, evidence_entries, mails, promises, templates

__all__ = ["consents", "documents", "envelopes", "evidence_entries", "mails", "promises", "templates"]
