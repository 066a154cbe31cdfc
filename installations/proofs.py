"""
Proof files: judged by their content, cleaned, and kept under names of our own.

Photos are drawn anew, which drops EXIF data (place, device, owner) and anything hidden behind the picture. PDFs stay as
they came, often signed by the utility, but may do nothing except be read.
"""

import hashlib
import io
import logging
import re
import threading
import unicodedata
import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from django.db import transaction
from PIL import ExifTags, Image

from core import stored_files
from core.tidying import delete_in_parts
from installations.models import KeptProof, ProofFile, StoredProof
from installations.pdf_files import MOST_PAGES, Look, look_into
from installations.states import InstallationStatus

logger = logging.getLogger(__name__)

LARGEST_BYTES = 15 * 1024 * 1024
LARGEST_PIXELS = 60_000_000
MOST_SCANS = 1000
"""Layers of one JPEG. Cameras write ten or so; each costs its reader milliseconds, and 15 MB hold 100,000 of them."""
LONGEST_SIDE = 4000
LONGEST_NAME = 120
ABANDONED_KEPT_FOR = timedelta(days=90)
FOLDER = "proofs"

JPEG = "image/jpeg"
PNG = "image/png"
PDF = "application/pdf"
SUFFIXES = {JPEG: ".jpg", PNG: ".png", PDF: ".pdf"}

_AGAINST_A_PDF = {
    Look.DAMAGED: "This PDF is incomplete or damaged. Download it again, or send a photo of the page.",
    Look.LOCKED: "This PDF opens with a password only. Print it to a PDF without one, or send a photo of the page.",
    Look.ACTIVE: "This PDF contains programs or attachments. Print it to a plain PDF, or send a photo.",
    Look.TWO_KINDS: "This PDF is a file of another kind at the same time. Print it to a plain PDF, or send a photo.",
    Look.TOO_MANY_PAGES: f"This PDF has more than {MOST_PAGES} pages. Send only the pages that matter.",
    Look.TOO_MUCH: "This PDF unpacks to far more than a letter. Print it to a plain PDF, or send a photo of the page.",
}

# Begins a layer. What lies behind the picture, such as a film, has these two bytes by chance some two hundred times.
_SCAN = b"\xff\xda"
_TOO_MANY_PIXELS = "This picture has too many pixels. Take the photo with a lower resolution."

# How the EXIF data says that the camera was held.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_ONE_PICTURE = threading.Lock()
"""A large picture takes most of a gigabyte while it is drawn, so a process draws one after the other."""

_JPEG_START = b"\xff\xd8\xff"
_HEIC_BRANDS = (b"heic", b"heix", b"mif1", b"heim", b"hevc")


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class ProofRefused(Exception):
    """The file cannot be a proof; the text says why and what to do."""


@dataclass(frozen=True)
class CheckedProof:
    """A proof that passed: its cleaned content, and the hash of the bytes as they came."""

    content: bytes
    content_type: str
    original_name: str
    received_sha256: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def check_proof(upload: Readable, *, name: str, size_bytes: int) -> CheckedProof:
    """
    Judge a file by its content and clean it. Reads nothing of a file that is too large.

    :raises ProofRefused: too large, empty, not a JPEG, PNG or PDF, broken, a picture of absurd size, or a PDF that can
        do more than be read
    """
    if size_bytes > LARGEST_BYTES:
        raise ProofRefused(too_large(name))
    received = upload.read(LARGEST_BYTES + 1)
    if len(received) > LARGEST_BYTES:
        raise ProofRefused(too_large(name))
    if not received:
        raise ProofRefused("The file is empty. Choose it again, or take the photo again.")
    if received.startswith(b"%PDF-"):
        content, content_type = _checked_pdf(received), PDF
    elif received.startswith((_JPEG_START, b"\x89PNG\r\n\x1a\n")):
        with _ONE_PICTURE:
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
        received_sha256=hashlib.sha256(received).hexdigest(),
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
    try:
        stored = stored_files.store(proof.content, folder=FOLDER, suffix=SUFFIXES[proof.content_type])
    except stored_files.FileNotStored:
        logger.warning("The storage did not take proof %s; it waits in the database.", record.sha256, exc_info=True)
        record.unstored_content = proof.content
    else:
        record.storage_key = stored.key


def read_content(record: StoredProof) -> bytes:
    """:raises core.stored_files.FileAltered: the stored bytes are missing or changed"""
    if record.unstored_content is not None:
        return bytes(record.unstored_content)
    return stored_files.read(
        stored_files.StoredFile(key=record.storage_key, sha256=record.sha256, size_bytes=record.size_bytes)
    )


def store_waiting() -> int:
    """Store the proofs that wait in the database because the storage was down. Give how many were stored."""
    stored_count = 0
    for model in (ProofFile, KeptProof):
        for key in model.objects.filter(unstored_content__isnull=False).values_list("pk", flat=True):
            stored_count += _store_one(model, key)
    return stored_count


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
    if record is None or record.unstored_content is None:
        return False
    try:
        stored = stored_files.store(bytes(record.unstored_content), folder=FOLDER, suffix=SUFFIXES[record.content_type])
    except stored_files.FileNotStored:
        logger.warning("The storage still refuses proof %s.", record.sha256, exc_info=True)
        return False
    with transaction.atomic():
        model.objects.filter(pk=key).update(storage_key=stored.key, unstored_content=None)
    return True


def _checked_pdf(received: bytes) -> bytes:
    look = look_into(received)
    if look != Look.PLAIN:
        raise ProofRefused(_AGAINST_A_PDF[look])
    return received


def _redrawn(received: bytes) -> tuple[bytes, str]:
    try:
        drawn, content_type = _drawn(received)
    except ProofRefused:
        raise
    except Image.DecompressionBombError as problem:
        raise ProofRefused(_TOO_MANY_PIXELS) from problem
    except Exception as problem:
        # Not only OSError: on damaged data Pillow stumbles with TypeError, struct.error and others.
        raise ProofRefused("This photo is incomplete or damaged. Take it again, or choose another one.") from problem
    clean = Image.new(drawn.mode, drawn.size)
    clean.paste(drawn)
    written = io.BytesIO()
    if content_type == JPEG:
        clean.save(written, "JPEG", quality=88)
    else:
        clean.save(written, "PNG")
    return written.getvalue(), content_type


def _drawn(received: bytes) -> tuple[Image.Image, str]:
    if received.startswith(_JPEG_START) and received.count(_SCAN) > MOST_SCANS:
        raise ProofRefused("This picture has too many layers. Take the photo again, or send a screenshot of it.")
    with warnings.catch_warnings(), Image.open(io.BytesIO(received), formats=("JPEG", "PNG")) as picture:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is stricter
        if picture.width * picture.height > LARGEST_PIXELS:
            raise ProofRefused(_TOO_MANY_PIXELS)
        # Phones put a second picture behind the first, which Pillow calls MPO: it is a photo all the same.
        content_type = PNG if picture.format == "PNG" else JPEG
        turn = _turn_of(picture)
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))  # first: each further step makes a copy
        upright = picture.transpose(turn) if turn is not None else picture
        return upright.convert("RGB" if content_type == JPEG else "RGBA"), content_type


def _turn_of(picture: Image.Image) -> Image.Transpose | None:
    """
    Say how a photo must be turned to stand upright.

    Read here, and not by Pillow's `exif_transpose`: that writes the rest of the EXIF data anew, and fails on odd ones.
    """
    try:
        return _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - Pillow stumbles over EXIF data in many ways, and the photo is good without
        return None
