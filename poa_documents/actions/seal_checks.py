"""The nightly check of every stored document: hash, seal and time stamp."""

import logging
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import F, Q

from poa_documents.actions.lifecycle import verify_or_suspend
from poa_documents.authority_check import AuthorityMissing, SealedFileAltered
from poa_documents.models import PoaDocument

logger = logging.getLogger(__name__)

BATCH = 50
CHECK_INTERVAL = timedelta(hours=20)


class CheckOutcome(StrEnum):
    ALL_CHECKED = "ALL_CHECKED"
    MORE_TO_CHECK = "MORE_TO_CHECK"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"


def check_sealed_files(*, at: datetime) -> CheckOutcome:
    """
    Check a batch of documents, those checked longest ago first. A damaged one suspends its authority at once.

    If the storage does not answer, the rest waits for the next night.
    """
    is_due = Q(file_checked_at__isnull=True) | Q(file_checked_at__lt=at - CHECK_INTERVAL)
    due = PoaDocument.objects.exclude(pdf_storage_key="").filter(is_due, Q(sealed_at__lte=at))
    batch = list(due.order_by(F("file_checked_at").asc(nulls_first=True), "pk").values_list("pk", flat=True)[:BATCH])
    for poa_id in batch:
        try:
            verify_or_suspend(poa_id=poa_id, at=at)
        except SealedFileAltered as problem:
            logger.error("%s", problem)  # noqa: TRY400 - the traceback says no more
        except AuthorityMissing as problem:
            logger.warning("The nightly check of sealed documents stopped: %s", problem)
            return CheckOutcome.STORAGE_UNAVAILABLE
        PoaDocument.objects.filter(pk=poa_id).update(file_checked_at=at)
    return CheckOutcome.MORE_TO_CHECK if len(batch) == BATCH else CheckOutcome.ALL_CHECKED
