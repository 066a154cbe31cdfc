"""Third-party time stamps: inside the seal if available in time, otherwise stored beside the sealed file."""

import logging
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings

from core.actors import SYSTEM
from core.transactions import repeatable
from poa_documents.journal import chain
from poa_documents.models import PoaDocument, SealTimestamp
from poa_documents.moves import lock
from poa_documents.seal.values import Timestamp, TimestampAuthority, TimestampUnavailable

logger = logging.getLogger(__name__)

WAIT_AFTER_FAILURE = timedelta(minutes=10)


def authority() -> TimestampAuthority | None:
    """
    Return the configured time-stamp authority, if there is one.

    :raises TimestampUnavailable: the file with its certificates cannot be used
    """
    if not settings.POA_SEAL_TIMESTAMP_URL:
        return None
    file = settings.POA_SEAL_TIMESTAMP_CA_FILE
    try:
        roots = x509.load_pem_x509_certificates(Path(file).read_bytes()) if file else []
    except (OSError, ValueError) as problem:
        raise TimestampUnavailable(f"POA_SEAL_TIMESTAMP_CA_FILE cannot be used: {problem}") from problem
    return TimestampAuthority(settings.POA_SEAL_TIMESTAMP_URL, tuple(root.public_bytes(Encoding.DER) for root in roots))


def stored_timestamp(poa: PoaDocument) -> Timestamp | None:
    """Return the time stamp that an earlier try got for this POA's seal."""
    row = SealTimestamp.objects.filter(poa=poa).first()
    return Timestamp(bytes(row.token), row.stamped_at, row.authority_sha256) if row else None


def keep_for_seal(poa: PoaDocument, timestamp: Timestamp) -> Timestamp:
    """Store a time stamp before the file that contains it. Of two at once, the first counts for both."""
    SealTimestamp.objects.bulk_create([_row(poa, timestamp, is_inside=True)], ignore_conflicts=True)
    return stored_timestamp(poa) or timestamp


@repeatable
def replace_for_seal(poa: PoaDocument, timestamp: Timestamp) -> None:
    """Replace a time stamp of another signature, such as one made with an old key."""
    SealTimestamp.objects.filter(poa=poa, is_inside=True, poa__sealed_at__isnull=True).delete()
    keep_for_seal(poa, timestamp)


def add_late_timestamp(*, poa_id: int, at: datetime) -> bool:
    """
    Get the time stamp that was not available when the document was sealed.

    It covers the whole file and is stored beside it.

    The file stays as it is: the customer already has it, and its hash is in the journal. False if the authority still
    returns none; it is asked again later.
    """
    from poa_documents.seal.pades import ask_for_timestamp  # slow to import

    poa = PoaDocument.objects.get(pk=poa_id)
    try:
        asked = authority()
        timestamp = ask_for_timestamp(bytes.fromhex(poa.pdf_sha256), asked) if asked else None
    except TimestampUnavailable as problem:
        logger.warning("The sealed document of POA %s has no time stamp yet: %s", poa_id, problem)
        PoaDocument.objects.filter(pk=poa_id).update(timestamp_due_at=at + WAIT_AFTER_FAILURE)
        return False
    _store_beside(poa_id, timestamp, at=at)
    return True


@repeatable
def _store_beside(poa_id: int, timestamp: Timestamp | None, *, at: datetime) -> None:
    poa = lock(poa_id)
    if poa.timestamp_due_at is None:
        return
    poa.timestamp_due_at = None
    poa.save(update_fields=["timestamp_due_at"])
    if timestamp is None:  # turned off since
        return
    _row(poa, timestamp, is_inside=False).save(force_insert=True)
    details = {"pdf_sha256": poa.pdf_sha256, "stamped_at": timestamp.at, "authority": timestamp.authority_sha256}
    chain.record(poa, kind="file_timestamped", by=SYSTEM, at=at, details=details)


def _row(poa: PoaDocument, timestamp: Timestamp, *, is_inside: bool) -> SealTimestamp:
    return SealTimestamp(
        poa=poa,
        is_inside=is_inside,
        stamped_at=timestamp.at,
        authority_sha256=timestamp.authority_sha256,
        token=timestamp.token,
    )
