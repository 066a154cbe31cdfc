"""The anchors that saw the journals of a case: files kept outside the database."""

from enrollments.evidence_pack.spool import Spool
from poa_documents.models import PoaDocument


def add(poas: list[PoaDocument], spool: Spool) -> None:
    """Name, for each journal, the first anchor that saw it as long as it is now, or else the newest that saw it."""
