"""
Fetching and keeping the documents of a plan that is being accepted.

They are scheduled in the transaction that records the attempt and fetched later by a separate task. An acceptance never
waits for them, and a sweep recovers from a lost message or a retailer's server that is down.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from core.actors import SYSTEM
from core.due_rows import Backoff, claim, due_ids
from core.queue import TaskName, enqueue_on_commit
from core.stored_files import FileNotStored, store
from core.transactions import repeatable
from enrollments.actions.moves import note
from enrollments.engine.locked_case import lock_case
from enrollments.light.documents import DocumentFetcher, DocumentNotFetched
from enrollments.models import PlanDocument, PlanDocumentKind, PlanOffer

FOLDER = "plan-documents"
LEASE = timedelta(minutes=2)
BACKOFF = Backoff(first=timedelta(minutes=1), longest=timedelta(hours=6), max_failures=40)
"""More than a week in total. After that, a person decides."""


class FetchOutcome(StrEnum):
    STORED = "STORED"
    NOTHING_TO_FETCH = "NOTHING_TO_FETCH"
    TRIED_AGAIN_LATER = "TRIED_AGAIN_LATER"
    GIVEN_UP = "GIVEN_UP"


def schedule_documents(offer: PlanOffer, *, at: datetime) -> None:
    """Record that each of the offer's documents must be fetched. The offer's enrollment must be locked."""
    addresses = {
        PlanDocumentKind.EFL: offer.efl_url,
        PlanDocumentKind.TOS: offer.tos_url,
        PlanDocumentKind.YRAC: offer.yrac_url,
    }
    owed_before = set(PlanDocument.objects.filter(offer=offer).order_by().values_list("kind", flat=True))
    documents = [
        PlanDocument(offer=offer, kind=kind, url=url, owed_since=at, due_at=at)
        for kind, url in addresses.items()
        if kind not in owed_before
    ]
    for document in PlanDocument.objects.bulk_create(documents):
        enqueue_on_commit(TaskName.FETCH_PLAN_DOCUMENT, document_id=document.pk)


@repeatable
def fetch_again(*, enrollment_id: int, at: datetime) -> int:
    """Make the missing documents of the accepted plan due now, and return how many there are."""
    enrollment = lock_case(enrollment_id).enrollment
    if enrollment.accepted_offer is not None:
        schedule_documents(enrollment.accepted_offer, at=at)
    missing = list(PlanDocument.objects.filter(offer__enrollment=enrollment, stored_at__isnull=True))
    for document in missing:
        document.due_at, document.attempts = at, 0
        document.save(update_fields=["due_at", "attempts"])
        enqueue_on_commit(TaskName.FETCH_PLAN_DOCUMENT, document_id=document.pk)
    return len(missing)


def due_documents(*, at: datetime, limit: int) -> list[int]:
    return due_ids(PlanDocument.objects.filter(stored_at__isnull=True), at=at, limit=limit)


def case_of(document_id: int) -> int | None:
    """Return the ID of the enrollment that a document belongs to, or None if there is no such document."""
    return PlanDocument.objects.filter(pk=document_id).values_list("offer__enrollment_id", flat=True).first()


def fetch_document(*, document_id: int, fetcher: DocumentFetcher, at: datetime) -> FetchOutcome:
    """
    Fetch one document and store it under its hash. Repeated or parallel runs keep the first.

    A failure is retried with growing pauses. After the last try its reason stays on the row.
    """
    if not claim(PlanDocument.objects.filter(pk=document_id, stored_at__isnull=True), at=at, lease=LEASE):
        return FetchOutcome.NOTHING_TO_FETCH
    document = PlanDocument.objects.select_related("offer").get(pk=document_id)
    try:
        fetched = fetcher.fetch(document.url)
        file = store(fetched.content, folder=FOLDER, suffix=fetched.suffix)
    except (DocumentNotFetched, FileNotStored) as problem:
        return _put_off(document, problem=str(problem), at=at)

    @repeatable
    def keep() -> FetchOutcome:
        case = lock_case(document.offer.enrollment_id)
        current = PlanDocument.objects.select_for_update().get(pk=document_id)
        if current.stored_at is not None:
            return FetchOutcome.NOTHING_TO_FETCH
        current.storage_key, current.sha256, current.size_bytes = file.key, file.sha256, file.size_bytes
        current.content_type, current.stored_at, current.due_at, current.last_error = (
            fetched.content_type,
            at,
            None,
            "",
        )
        current.save()
        details = {
            "offer": current.offer.public_id,
            "kind": current.kind,
            "sha256": file.sha256,
            "size_bytes": file.size_bytes,
            "storage_key": file.key,
        }
        reason = f"{current.get_kind_display()}, {file.size_bytes} bytes."
        note(case, "store_plan_document", by=SYSTEM, at=at, reason=reason, details=details)
        return FetchOutcome.STORED

    return keep()


def _put_off(document: PlanDocument, *, problem: str, at: datetime) -> FetchOutcome:
    due_at = BACKOFF.next_time(document.attempts, at=at)
    PlanDocument.objects.filter(pk=document.pk, stored_at__isnull=True).update(due_at=due_at, last_error=problem)
    return FetchOutcome.GIVEN_UP if due_at is None else FetchOutcome.TRIED_AGAIN_LATER
