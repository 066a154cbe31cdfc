"""Receipt numbers: short enough to read out on the phone, and derived from the journal."""

from poa_documents.models import PoaDocument

REVOKED = "revoke"


def reference_of(poa: PoaDocument, kind: str) -> str:
    """
    Return the newest entry of a kind as its number and the first digits of its hash; empty if there is none.
    """
    entry = poa.evidence.filter(kind=kind).order_by("-number").only("number", "sha256").first()
    return f"{entry.number}-{entry.sha256[:4].upper()}-{entry.sha256[4:8].upper()}" if entry else ""
