"""Turning a signature into a stored and verified file. Only then is a POA signed."""

import hashlib
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from django.conf import settings

from core.actors import SYSTEM
from core.company_rules import rules_at
from core.dates import chicago_midnight
from core.due_rows import Backoff
from core.stored_files import FileNotStored, StoredFile, store
from core.transactions import repeatable
from poa_documents.actions import issuer_answers, timestamps
from poa_documents.actions.drafts import schedule_mail
from poa_documents.authority_check import STORED_AFTER_END, why_stopped
from poa_documents.journal import chain
from poa_documents.models import MailKind, PoaDocument, SealTimestamp
from poa_documents.moves import lock, take_move
from poa_documents.pdf import SignedDocument, render_pdf, signed_document_of
from poa_documents.phrases import phrases_in
from poa_documents.seal.keys import SealKey, SealKeyUnusable, current_key
from poa_documents.seal.values import Answers, Timestamp, TimestampUnavailable, Words
from poa_documents.states import PoaStatus

logger = logging.getLogger(__name__)

STORAGE_FOLDER = "poa"
LEASE = timedelta(seconds=90)
BACKOFF = Backoff(first=timedelta(seconds=15), longest=timedelta(hours=1))
STORAGE_LIMIT_SECONDS = 60.0
MAX_STORAGE_THREADS = 8
_storage_threads = ThreadPoolExecutor(MAX_STORAGE_THREADS, thread_name_prefix="store-signed-poa")
"""Reused, because each new thread opens its own connection to the storage, which takes longer than sealing."""


class SealOutcome(StrEnum):
    SEALED = "SEALED"
    ALREADY_SEALED = "ALREADY_SEALED"
    NOTHING_TO_SEAL = "NOTHING_TO_SEAL"
    STORED_BUT_ENDED = "STORED_BUT_ENDED"
    WAITING_FOR_STORAGE = "WAITING_FOR_STORAGE"
    WAITING_FOR_KEY = "WAITING_FOR_KEY"


def seal_poa(*, poa_id: int, at: datetime, within_seconds: float = STORAGE_LIMIT_SECONDS) -> SealOutcome:
    """
    Create the signed file, seal it, store it, read it back, and only then mark the POA as signed.

    The same signature and key produce the same bytes, and so the same storage key: repeated or parallel runs create one
    file. If the key cannot be used, or the storage refuses or takes longer than `within_seconds`, the POA stays SEALING
    and is due again later.
    """
    poa = PoaDocument.objects.select_related("customer", "site", "envelope", "template").get(pk=poa_id)
    if poa.status != PoaStatus.SEALING:
        return SealOutcome.ALREADY_SEALED if poa.pdf_sha256 else SealOutcome.NOTHING_TO_SEAL
    PoaDocument.objects.filter(pk=poa_id, status=PoaStatus.SEALING).update(due_at=at + LEASE)
    try:
        key = current_key(settings.POA_SEAL_KEY_FILE, settings.POA_SEAL_PASSPHRASE)
        key.check_in_force(at)
        issuer_answers.check_not_revoked(key)
        content, timestamp, answers = _sealed(poa, key)
        file = _store_within(within_seconds, content)
    except SealKeyUnusable as problem:
        _put_off(poa_id, problem=str(problem), at=at)
        return SealOutcome.WAITING_FOR_KEY
    except FileNotStored as problem:
        _put_off(poa_id, problem=str(problem), at=at)
        return SealOutcome.WAITING_FOR_STORAGE
    return _conclude(poa_id, file, key=key, timestamp=timestamp, answers=answers, at=at)


def _sealed(poa: PoaDocument, key: SealKey) -> tuple[bytes, Timestamp | None, list[Answers]]:
    """Seal the document with the last answers of our certificates' issuers inside, so that it never waits for them."""
    document = signed_document_of(poa)
    answers = issuer_answers.answers_for(key, at=document.signed_at)
    return *_stamped(poa, document, key, answers), answers


def _stamped(
    poa: PoaDocument, document: SignedDocument, key: SealKey, answers: list[Answers]
) -> tuple[bytes, Timestamp | None]:
    """
    Render and seal. A time stamp is stored as soon as it arrives, so that every try produces the same bytes.

    If the time-stamp authority fails, the document is sealed without a time stamp and gets one later.
    """
    from poa_documents.seal.pades import seal  # slow to import

    phrases = phrases_in(poa.template.language)["pdf"]
    words = Words(phrases["seal_field"], phrases["seal_reason"], rules_at(document.signed_at).name)
    make = partial(seal, render_pdf(document), key, words=words, signed_at=document.signed_at, answers=answers)
    try:
        authority = timestamps.authority()
        if authority is None:
            return make()
        before = timestamps.stored_timestamp(poa)
        content, timestamp = make(authority=authority, recorded=before)
        if timestamp is None or timestamp == before:
            return content, timestamp
        if before is not None:
            timestamps.replace_for_seal(poa, timestamp)
        elif (first := timestamps.keep_for_seal(poa, timestamp)) != timestamp:
            return make(authority=authority, recorded=first)
    except TimestampUnavailable as problem:
        logger.warning("POA %s is sealed without a time stamp for now: %s", poa.pk, problem)
        return make()
    return content, timestamp


@repeatable
def _conclude(
    poa_id: int, file: StoredFile, *, key: SealKey, timestamp: Timestamp | None, answers: list[Answers], at: datetime
) -> SealOutcome:
    poa = lock(poa_id)
    if poa.pdf_sha256:
        return SealOutcome.ALREADY_SEALED
    poa.pdf_storage_key, poa.pdf_sha256, poa.pdf_size_bytes = file.key, file.sha256, file.size_bytes
    poa.sealed_at, poa.last_error = at, ""
    poa.seal_certificate_sha256 = key.fingerprint
    details = {
        "pdf_sha256": file.sha256,
        "pdf_size_bytes": file.size_bytes,
        "pdf_storage_key": file.key,
        "seal_certificate_sha256": key.fingerprint,
        "seal_certificate_of": key.owner,
        "timestamp_authority_sha256": timestamp.authority_sha256 if timestamp else "",
        "issuers_answers_sha256": [hashlib.sha256(each.archive).hexdigest() for each in answers],
    }
    if timestamp is None:
        SealTimestamp.objects.filter(poa=poa).delete()  # it belongs to a parallel seal that was not kept
        poa.timestamp_due_at = at if settings.POA_SEAL_TIMESTAMP_URL else None
    if poa.status != PoaStatus.SEALING:  # revoked while its file was being created: the file is kept anyway
        poa.save()
        chain.record(poa, kind=STORED_AFTER_END, by=SYSTEM, at=at, details=details)
        return SealOutcome.STORED_BUT_ENDED
    poa.due_at = lapse_at(poa)
    take_move(poa, "seal", by=SYSTEM, at=at, details=details)
    older = PoaDocument.objects.select_for_update().filter(
        site_id=poa.site_id, status__in=[PoaStatus.SIGNED, PoaStatus.SUSPENDED]
    )
    for replaced in older.exclude(pk=poa.pk):
        reason = "A newer power of attorney was signed for this site."
        replaced.ended_at, replaced.ended_because, replaced.due_at = at, reason, None
        take_move(replaced, "supersede", by=SYSTEM, at=at, reason=reason, details={"newer": poa.public_id})
    if why_stopped(poa.customer_id):
        poa.suspended_because = "A stop signal was reported while the signed document was being stored."
        take_move(poa, "suspend", by=SYSTEM, at=at, reason=poa.suspended_because)
    schedule_mail(poa, MailKind.SIGNED_COPY, at=at)
    return SealOutcome.SEALED


def _put_off(poa_id: int, *, problem: str, at: datetime) -> None:
    failures = PoaDocument.objects.values_list("seal_failures", flat=True).get(pk=poa_id) + 1
    PoaDocument.objects.filter(pk=poa_id, status=PoaStatus.SEALING).update(
        seal_failures=failures, last_error=problem, due_at=BACKOFF.next_time(failures, at=at)
    )


def _store_within(seconds: float, content: bytes) -> StoredFile:
    """
    Store in another thread, without database access, so that a hanging storage cannot block a page.

    If the write finishes after the timeout, the next try finds and uses the file.
    """
    storing = _storage_threads.submit(store, content, folder=STORAGE_FOLDER, suffix=".pdf")
    try:
        return storing.result(timeout=seconds)
    except TimeoutError as problem:
        storing.cancel()
        raise FileNotStored(f"The storage did not answer within {seconds:g} seconds.") from problem


def lapse_at(poa: PoaDocument) -> datetime:
    """Return when the last Chicago day of the authority ends."""
    return chicago_midnight(poa.envelope.sunset_date + timedelta(days=1))
