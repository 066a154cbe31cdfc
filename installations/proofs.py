"""
Proof files: checked by their content, cleaned, and stored.

Photos are re-encoded, which removes EXIF data (location, device, owner) and anything hidden in the file. The original
bytes are stored as well. PDFs are stored unchanged, because the utility may have signed them, but must be passive
documents.
"""

import hashlib
import logging
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from django.db import transaction

from core import stored_files
from core.cleanup import delete_in_batches
from core.errors import Conflict, InvalidInput
from installations import photos
from installations.file_check_queue import FILE_CHECK_QUEUE, FileChecksBusy
from installations.models import KeptProof, ProofFile, StoredProof
from installations.pdf_checks import check_pdf, is_pdf
from installations.pdf_structure import MAX_PAGES, PdfVerdict
from installations.photos import JPEG, PNG
from installations.states import InstallationStatus

logger = logging.getLogger(__name__)

MAX_PROOF_BYTES = 15 * 1024 * 1024
MAX_NAME_LENGTH = 120
ABANDONED_KEPT_FOR = timedelta(days=90)
FOLDER = "proofs"

PDF = "application/pdf"
SUFFIXES = {JPEG: ".jpg", PNG: ".png", PDF: ".pdf"}

_PDF_PROBLEMS = {
    PdfVerdict.DAMAGED: "This PDF is incomplete or damaged. Download it again, or send a photo of the page.",
    PdfVerdict.ENCRYPTED: "This PDF needs a password. Print it to a PDF without one, or send a photo of the page.",
    PdfVerdict.ACTIVE: (
        "This PDF contains a form, a script, an attachment or a link to another file. "
        "Print it to a plain PDF, or send a photo of the page."
    ),
    PdfVerdict.POLYGLOT: (
        "This file is a PDF and another kind of file at the same time. Print it to a plain PDF, or send a photo."
    ),
    PdfVerdict.TOO_MANY_PAGES: f"This PDF has more than {MAX_PAGES} pages. Send only the pages that matter.",
    PdfVerdict.TOO_LARGE: (
        "This PDF is far larger than a letter when opened. Print it to a plain PDF, or send a photo of the page."
    ),
}

_LOCATION_FIELDS = ("storage_key", "unstored_content", "received_storage_key", "unstored_received")

_PHOTO_PROBLEMS = {
    photos.TooManyPixels: "This photo has too many pixels. Take it with a lower resolution.",
    photos.TooManyScans: "This photo file is too complex to read. Take the photo again, or send a screenshot of it.",
    photos.UnreadablePhoto: "This photo is incomplete or damaged. Take it again, or choose another one.",
}

_HEIC_BRANDS = (b"heic", b"heix", b"mif1", b"heim", b"hevc")


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class OriginalNotKept(Conflict):
    """The photo was sent before originals were kept."""

    def __init__(self) -> None:
        super().__init__("The original was not kept. Only the cleaned copy exists.")


class InvalidProof(InvalidInput):
    """The file cannot be used as a proof. The text says why and what to do."""


@dataclass(frozen=True)
class CheckedProof:
    """A proof that passed the checks: its cleaned content, and the original bytes, kept as evidence and never shown."""

    content: bytes
    content_type: str
    original_name: str
    received: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def is_reencoded(self) -> bool:
        """Whether the content differs from the original bytes."""
        return self.content != self.received

    @property
    def received_sha256(self) -> str:
        return hashlib.sha256(self.received).hexdigest()


def check_proof(upload: Readable, *, name: str, size_bytes: int) -> CheckedProof:
    """
    Check a file by its content and clean it. A file that is too large is not read.

    :raises InvalidProof: too large, empty, not a JPEG, PNG or PDF, damaged, too many pixels, or a PDF with active
        content
    :raises FileChecksBusy: too many other files are being checked
    """
    if size_bytes > MAX_PROOF_BYTES:
        raise InvalidProof(too_large_message(name))
    received = upload.read(MAX_PROOF_BYTES + 1)
    if len(received) > MAX_PROOF_BYTES:
        raise InvalidProof(too_large_message(name))
    if not received:
        raise InvalidProof("The file is empty. Choose it again, or take the photo again.")
    if is_pdf(received):
        with FILE_CHECK_QUEUE.slot():
            content, content_type = _check_pdf(received), PDF
    elif received.startswith((photos.JPEG_START, photos.PNG_START)):
        with FILE_CHECK_QUEUE.slot():
            content, content_type = _reencode(received)
    elif received[4:8] == b"ftyp" and received[8:12] in _HEIC_BRANDS:
        raise InvalidProof(
            "This photo is in HEIC format, which cannot be read here. Choose 'Most Compatible' in the phone's camera "
            "settings, or send a screenshot of the photo."
        )
    else:
        raise InvalidProof("This is not a photo (JPEG or PNG) or a PDF. Choose another file.")
    return CheckedProof(
        content=content,
        content_type=content_type,
        original_name=clean_name(name, suffix=SUFFIXES[content_type]),
        received=received,
    )


def too_large_message(name: str) -> str:
    return (
        f"{clean_name(name, suffix='') or 'The file'} is larger than {MAX_PROOF_BYTES // 1024 // 1024} MB. "
        "Take the photo with a lower resolution, or send only the pages that matter."
    )


def clean_name(name: str, *, suffix: str) -> str:
    """Make a file name safe to show and download: no folders, no control or direction characters."""
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(
        character for character in unicodedata.normalize("NFC", last) if unicodedata.category(character)[0] != "C"
    )
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", shown) if suffix else shown
    stem = re.sub(r'[<>:"|?*\s]+', " ", stem).strip(" .")[:MAX_NAME_LENGTH]
    return f"{stem or 'proof'}{suffix}" if suffix else stem


def store_proof(record: StoredProof, proof: CheckedProof) -> None:
    """
    Store the proof and set its location on the unsaved record. If the storage is down, the record keeps the bytes.

    Call it outside a transaction, because the storage may take seconds.
    """
    record.sha256 = proof.sha256
    record.received_sha256 = proof.received_sha256
    record.size_bytes = len(proof.content)
    record.content_type = proof.content_type
    record.original_name = proof.original_name
    record.unstored_content = proof.content
    if proof.is_reencoded:
        record.received_size_bytes = len(proof.received)
        record.unstored_received = proof.received
    try:
        _store_pending_bytes(record)
    except stored_files.FileNotStored:
        logger.warning("Proof %s could not be stored; it is kept in the database.", record.sha256, exc_info=True)


def read_content(record: StoredProof) -> bytes:
    """:raises core.stored_files.FileAltered: the stored bytes are missing or changed"""
    if record.unstored_content is not None:
        return bytes(record.unstored_content)
    return stored_files.read(
        stored_files.StoredFile(key=record.storage_key, sha256=record.sha256, size_bytes=record.size_bytes)
    )


def read_received(record: StoredProof) -> bytes:
    """
    Return the original bytes. For a PDF they equal its content.

    :raises core.stored_files.FileAltered: the stored bytes are missing or changed
    :raises OriginalNotKept: the photo was received before originals were kept
    """
    if record.unstored_received is not None:
        return bytes(record.unstored_received)
    if record.received_storage_key:
        return stored_files.read(received_file(record))
    if record.sha256 == record.received_sha256:
        return read_content(record)
    raise OriginalNotKept


def received_file(record: StoredProof) -> stored_files.StoredFile:
    return stored_files.StoredFile(
        key=record.received_storage_key,
        sha256=record.received_sha256,
        size_bytes=record.received_size_bytes or 0,
    )


def store_pending() -> int:
    """Store the proofs kept in the database while the storage was down. Return how many were stored."""
    return sum(
        _store_one(model, key)
        for model in (ProofFile, KeptProof)
        for key in model.objects.filter(unstored_content__isnull=False).values_list("pk", flat=True)
    )


def delete_abandoned(*, at: datetime) -> int:
    """
    Delete old proofs of finished jobs whose form was never accepted. Return how many.

    While a job is open its proofs stay, because the photo may still be needed.
    """
    over = (InstallationStatus.PTO_CONFIRMED, InstallationStatus.CANCELLED)
    abandoned = KeptProof.objects.filter(kept_at__lt=at - ABANDONED_KEPT_FOR, installation__status__in=over)
    return delete_in_batches(abandoned)


def _store_one(model: type[ProofFile] | type[KeptProof], key: int) -> bool:
    record = model.objects.filter(pk=key, unstored_content__isnull=False).first()
    if record is None:
        return False
    try:
        _store_pending_bytes(record)
    except stored_files.FileNotStored:
        logger.warning("Proof %s still cannot be stored.", record.sha256, exc_info=True)
        return False
    with transaction.atomic():
        model.objects.filter(pk=key).update(**{name: getattr(record, name) for name in _LOCATION_FIELDS})
    return True


def _store_pending_bytes(record: StoredProof) -> None:
    """
    Store the original first and then the copy, so that a record without unstored content is complete.

    :raises core.stored_files.FileNotStored: one of them was not stored, and the record still has its bytes
    """
    suffix = SUFFIXES[record.content_type]
    if record.unstored_received is not None:
        received = stored_files.store(bytes(record.unstored_received), folder=FOLDER, suffix=suffix)
        record.received_storage_key, record.unstored_received = received.key, None
    if record.unstored_content is not None:
        content = stored_files.store(bytes(record.unstored_content), folder=FOLDER, suffix=suffix)
        record.storage_key, record.unstored_content = content.key, None


def _check_pdf(received: bytes) -> bytes:
    verdict = check_pdf(received)
    if verdict == PdfVerdict.BUSY:
        raise FileChecksBusy
    if verdict != PdfVerdict.PLAIN:
        raise InvalidProof(_PDF_PROBLEMS[verdict])
    return received


def _reencode(received: bytes) -> tuple[bytes, str]:
    try:
        return photos.reencode(received)
    except tuple(_PHOTO_PROBLEMS) as problem:
        raise InvalidProof(_PHOTO_PROBLEMS[type(problem)]) from problem
