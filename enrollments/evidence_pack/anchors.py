"""The anchors that saw the journals of a case: files kept outside the database. They name no person."""

from django.db.models import Max

from core.stored_files import StoredFile
from enrollments.evidence_pack.spool import Spool
from poa_documents.models import JournalAnchor, PoaDocument


def collect(poas: list[PoaDocument], spool: Spool) -> None:
    """
    Name, for each journal, the first anchor that was made after its last entry, or else the newest of all.

    The first, not the newest: the pack of a case that has come to rest must not change every day.
    """
    for poa in poas:
        last_at = poa.evidence.aggregate(at=Max("at"))["at"]
        if last_at is None:
            continue
        after = JournalAnchor.objects.filter(made_at__gte=last_at).order_by("number").first()
        anchor = after or JournalAnchor.objects.order_by("-number").first()
        if anchor is not None:
            file = StoredFile(anchor.storage_key, anchor.sha256, anchor.size_bytes)
            spool.name_stored(f"authority/anchors/{anchor.sha256}.json", file)
