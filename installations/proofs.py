"""
Proof files: judged by their content, cleaned, and kept under names of our own.

Photos are drawn again, which drops EXIF data (place, device, owner) and anything hidden behind the picture; the bytes
as they came are kept beside the copy. PDFs stay as they came, often signed by the utility, but may do nothing except be
read.
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
from core.tidying import delete_in_parts
from installations import photos
from installations.file_check_queue import TURNS, ReadersBusy
from installations.models import KeptProof, ProofFile, StoredProof
from installations.pdf_checks import is_pdf, look_into
from installations.pdf_structure import MAX_PAGES, Look
from installations.photos import JPEG, PNG
from installations.states import InstallationStatus

logger = logging.getLogger(__name__)

LARGEST_BYTES = 15 * 1024 * 1024
LONGEST_NAME = 120
ABANDONED_KEPT_FOR = timedelta(days=90)
FOLDER = "proofs"

PDF = "application/pdf"
SUFFIXES = {JPEG: ".jpg", PNG: ".png", PDF: ".pdf"}

_AGAINST_A_PDF = {
    Look.DAMAGED: "This PDF is incomplete or damaged. Download it again, or send a photo of the page.",
    Look.LOCKED: "This PDF opens with a password only. Print it to a PDF without one, or send a photo of the page.",
    Look.ACTIVE: (
        "This PDF can do more than be read: it holds a form, a program, an attachment or a way to another file. "
        "Print it to a plain PDF, or send a photo of the page."
    ),
    Look.TWO_KINDS: "This PDF is a file of another kind at the same time. Print it to a plain PDF, or send a photo.",
    Look.TOO_MANY_PAGES: f"This PDF has more than {MAX_PAGES} pages. Send only the pages that matter.",
    Look.TOO_MUCH: "This PDF unpacks to far more than a letter. Print it to a plain PDF, or send a photo of the page.",
}

_KEPT_WHERE = ("storage_key", "unstored_content", "received_storage_key", "unstored_received")

_AGAINST_A_PICTURE = {
    photos.TooManyPixels: "This picture has too many pixels. Take the photo with a lower resolution.",
    photos.TooManyLayers: "This picture has too many layers. Take the photo again, or send a screenshot of it.",
    photos.Unreadable: "This photo is incomplete or damaged. Take it again, or choose another one.",
}

_HEIC_BRANDS = (b"heic", b"heix", b"mif1", b"heim", b"hevc")


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class NotKept(Exception):
    """This photo is older than the rule that the bytes as sent are kept."""

    def __init__(self) -> None:
        super().__init__("This photo was sent before original files were kept. Only the stored copy exists.")


class ProofRefused(Exception):
    """The file cannot be a proof; the text says why and what to do."""


@dataclass(frozen=True)
class CheckedProof:
    """A proof that passed: its cleaned content, and the bytes as they came, which are evidence and never shown."""

    content: bytes
    content_type: str
    original_name: str
    received: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def is_drawn(self) -> bool:
        """Whether the content is a copy that was drawn from what came."""
        return self.content != self.received

    @property
    def received_sha256(self) -> str:
        return hashlib.sha256(self.received).hexdigest()


def check_proof(upload: Readable, *, name: str, size_bytes: int) -> CheckedProof:
    """
    Judge a file by its content and clean it. Reads nothing of a file that is too large.

    :raises ProofRefused: too large, empty, not a JPEG, PNG or PDF, broken, a picture of absurd size, or a PDF that can
        do more than be read
    :raises ReadersBusy: other files are being read; send this one again in a moment
    """
    if size_bytes > LARGEST_BYTES:
        raise ProofRefused(too_large(name))
    received = upload.read(LARGEST_BYTES + 1)
    if len(received) > LARGEST_BYTES:
        raise ProofRefused(too_large(name))
    if not received:
        raise ProofRefused("The file is empty. Choose it again, or take the photo again.")
    if is_pdf(received):
        with TURNS.turn():
            content, content_type = _checked_pdf(received), PDF
    elif received.startswith((photos.JPEG_START, photos.PNG_START)):
        with TURNS.turn():
            content, content_type = _redrawn(received)
    elif received[4:8] == b"ftyp" and received[8:12] in _HEIC_BRANDS:
        raise ProofRefused(
            "This photo is in the HEIC format, which we cannot read. In the phone's camera settings choose "
            "'Most compatible', or send a screenshot of it."
        )
    else:
        raise ProofRefused("This is not a photo (JPEG or PNG) or a PDF. Choose another file.")
    return CheckedProof(
        content=content,
        content_type=content_type,
        original_name=clean_name(name, suffix=SUFFIXES[content_type]),
        received=received,
    )


def too_large(name: str) -> str:
    return (
        f"{clean_name(name, suffix='') or 'The file'} is larger than {LARGEST_BYTES // 1024 // 1024} MB. "
        "Take the photo with a lower resolution, or send only the pages that matter."
    )


def clean_name(name: str, *, suffix: str) -> str:
    """Make a file name fit to be shown and offered for download: no folders, no control or direction characters."""
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(
        character for character in unicodedata.normalize("NFC", last) if unicodedata.category(character)[0] != "C"
    )
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", shown) if suffix else shown
    stem = re.sub(r'[<>:"|?*\s]+', " ", stem).strip(" .")[:LONGEST_NAME]
    return f"{stem or 'proof'}{suffix}" if suffix else stem


def fill_from(record: StoredProof, proof: CheckedProof) -> None:
    """
    Store the proof and note on the unsaved record where. When the storage is down, the record keeps the bytes itself.

    Call it outside a transaction: the storage may take seconds.
    """
    record.sha256 = proof.sha256
    record.received_sha256 = proof.received_sha256
    record.size_bytes = len(proof.content)
    record.content_type = proof.content_type
    record.original_name = proof.original_name
    record.unstored_content = proof.content
    if proof.is_drawn:
        record.received_size_bytes = len(proof.received)
        record.unstored_received = proof.received
    try:
        _store_what_waits(record)
    except stored_files.FileNotStored:
        logger.warning("The storage did not take proof %s; it waits in the database.", record.sha256, exc_info=True)


def read_content(record: StoredProof) -> bytes:
    """:raises core.stored_files.FileAltered: the stored bytes are missing or changed"""
    if record.unstored_content is not None:
        return bytes(record.unstored_content)
    return stored_files.read(
        stored_files.StoredFile(key=record.storage_key, sha256=record.sha256, size_bytes=record.size_bytes)
    )


def read_received(record: StoredProof) -> bytes:
    """
    Return the bytes as they were sent: of a PDF the same as its content.

    :raises core.stored_files.FileAltered: the stored bytes are missing or changed
    :raises NotKept: the photo was taken in before the bytes as sent were kept
    """
    if record.unstored_received is not None:
        return bytes(record.unstored_received)
    if record.received_storage_key:
        return stored_files.read(received_file(record))
    if record.sha256 == record.received_sha256:
        return read_content(record)
    raise NotKept


def received_file(record: StoredProof) -> stored_files.StoredFile:
    return stored_files.StoredFile(
        key=record.received_storage_key,
        sha256=record.received_sha256,
        size_bytes=record.received_size_bytes or 0,
    )


def store_waiting() -> int:
    """Store the proofs that wait in the database because the storage was down. Give how many were stored."""
    return sum(
        _store_one(model, key)
        for model in (ProofFile, KeptProof)
        for key in model.objects.filter(unstored_content__isnull=False).values_list("pk", flat=True)
    )


def forget_abandoned(*, at: datetime) -> int:
    """
    Delete proofs whose form was never finished, once their job has been over for long; give how many.

    While a job is open its kept proofs stay, however old: somebody may yet need the photo.
    """
    over = (InstallationStatus.PTO_CONFIRMED, InstallationStatus.CANCELLED)
    abandoned = KeptProof.objects.filter(kept_at__lt=at - ABANDONED_KEPT_FOR, installation__status__in=over)
    return delete_in_parts(abandoned)


def _store_one(model: type[ProofFile] | type[KeptProof], key: int) -> bool:
    record = model.objects.filter(pk=key, unstored_content__isnull=False).first()
    if record is None:
        return False
    try:
        _store_what_waits(record)
    except stored_files.FileNotStored:
        logger.warning("The storage still refuses proof %s.", record.sha256, exc_info=True)
        return False
    with transaction.atomic():
        model.objects.filter(pk=key).update(**{name: getattr(record, name) for name in _KEPT_WHERE})
    return True


def _store_what_waits(record: StoredProof) -> None:
    """
    Store the bytes as they came and then the copy, so that a record waits for as long as its copy does.

    :raises core.stored_files.FileNotStored: the storage refused one of them, and the record keeps its bytes
    """
    suffix = SUFFIXES[record.content_type]
    if record.unstored_received is not None:
        received = stored_files.store(bytes(record.unstored_received), folder=FOLDER, suffix=suffix)
        record.received_storage_key, record.unstored_received = received.key, None
    if record.unstored_content is not None:
        content = stored_files.store(bytes(record.unstored_content), folder=FOLDER, suffix=suffix)
        record.storage_key, record.unstored_content = content.key, None


def _checked_pdf(received: bytes) -> bytes:
    look = look_into(received)
    if look == Look.BUSY:
        raise ReadersBusy
    if look != Look.PLAIN:
        raise ProofRefused(_AGAINST_A_PDF[look])
    return received


def _redrawn(received: bytes) -> tuple[bytes, str]:
    try:
        return photos.redraw(received)
    except tuple(_AGAINST_A_PICTURE) as problem:
        raise ProofRefused(_AGAINST_A_PICTURE[type(problem)]) from problem
