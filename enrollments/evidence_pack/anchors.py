"""The journal anchors in a pack: files kept outside the database that fix the state of the journals."""

from django.db.models import Max

from core.stored_files import StoredFile
from enrollments.evidence_pack.spool import Spool
from poa_documents.models import JournalAnchor, PoaDocument


def collect(poas: list[PoaDocument], spool: Spool) -> None:
    """
    Add, for each journal, the first anchor made after its last entry, or the newest anchor if there is none.

    The first, not the newest, so that the pack of an inactive case does not change every day.
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
