"""The daily anchor: the heads of all journals, kept outside the database."""

import logging
from datetime import datetime
from enum import StrEnum

from django.db import IntegrityError, transaction

from core.stored_files import store
from poa_documents.journal.verification import ANCHOR_FOLDER, ANCHOR_SUFFIX, anchor_content, verify_journal
from poa_documents.models import EvidenceEntry, JournalAnchor

logger = logging.getLogger(__name__)


class AnchorOutcome(StrEnum):
    ANCHORED = "ANCHORED"
    ANCHORED_ELSEWHERE = "ANCHORED_ELSEWHERE"
    NOTHING_TO_ANCHOR = "NOTHING_TO_ANCHOR"


def anchor_journal(*, at: datetime) -> AnchorOutcome:
    """
    Verify all journals, then store their heads in a file. Call it without an open transaction.

    A journal that does not verify is anchored anyway, so that further changes are noticed. The anchor's row and an
    alarm say what is wrong. Two runs at once create one anchor: only one row counts, and both files are correct.

    :raises FileNotStored: the storage refused; try again later
    """
    if not EvidenceEntry.objects.exists() and not JournalAnchor.objects.exists():
        return AnchorOutcome.NOTHING_TO_ANCHOR
    report = verify_journal()
    for finding in report.findings:
        logger.error("The journal does not verify: %s", finding)
    last = JournalAnchor.objects.order_by("-number").first()
    number, previous_sha256 = (last.number + 1, last.sha256) if last else (1, "")
    content, chains, entries = anchor_content(number=number, previous_sha256=previous_sha256, at=at)
    file = store(content, folder=ANCHOR_FOLDER, suffix=ANCHOR_SUFFIX)
    anchor = JournalAnchor(
        number=number,
        made_at=at,
        chains=chains,
        entries=entries,
        problem=report.findings[0].text if report.findings else "",
        storage_key=file.key,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        previous_sha256=previous_sha256,
    )
    try:
        with transaction.atomic():
            anchor.save(force_insert=True)
    except IntegrityError:
        return AnchorOutcome.ANCHORED_ELSEWHERE
    # A log that is stored elsewhere is further evidence.
    logger.info("Journal anchored: %s, %s chains, SHA-256 %s", anchor, chains, file.sha256)
    return AnchorOutcome.ANCHORED
