"""The signed file: PDF/A-2a and PDF/UA-1, the same bytes for the same signature."""

from poa_documents.pdf.rendering import SignedDocument, render_pdf, signed_document_of

__all__ = ["SignedDocument", "render_pdf", "signed_document_of"]
