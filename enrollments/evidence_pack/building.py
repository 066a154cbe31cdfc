"""
Building the pack: a snapshot of the records, their files, a readable story, and a manifest of everything.

The same facts produce the same bytes: fixed times, fixed order, no compression, and no record of who made it or when.
Downloads are recorded elsewhere (`enrollments.models.EvidencePackRead`), so that a download does not change the pack.
"""

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO

from django.db import connection, transaction

from core import stored_files
from core.stored_files import FileAltered, StoredFile
from enrollments.evidence_pack import anchors, contents, story, verify_pack
from enrollments.evidence_pack.spool import Missing, Spool, id_of, instant
from enrollments.models import Enrollment

CHUNK_BYTES = 65536
FIRST_ZIP_DAY = (1980, 1, 1, 0, 0, 0)
PLAIN_FILE = 0o100600 << 16
ZIP_VERSION = 20
UNIX = 3

README = """This is an evidence pack of Switchyard: everything on record about one enrollment.

story.pdf        read this first: what happened, in order, in Chicago time
authority/       each power of attorney: the sealed file as stored, the words agreed to, the journal of evidence
authority/anchors/ files kept outside the database that saw the journals
case/            customer, site, enrollment, what was decided last, its events, holds, and which rule bound which date
go-live/         the hardware, its reports and their proofs, as stored and as they were received
light/           every call to Light, every offer as received and with our verdict, every webhook
plan/            the plan's documents as fetched when it was accepted
manifest.json    path, size and SHA-256 of every other file
verify_pack.py   checks all of it: python3 verify_pack.py PACK.zip

If you do not trust the pack, get verify_pack.py from someone you trust. Times are UTC unless stated
otherwise. "staff:" with an ID is a person; the office knows their names. The story numbers them.
"""


class PackNotMade(Exception):
    """The pack could not be built now; the message says what to do."""


@dataclass(frozen=True)
class PackSummary:
    """The key facts of a finished pack."""

    sha256: str
    size_bytes: int
    newest_fact_at: datetime
    missing: tuple[Missing, ...]


def build(enrollment_id: int, target: BinaryIO) -> PackSummary:
    """
    Write the evidence pack of a case to `target`, a seekable, readable file.

    A stored file that is missing or altered is left out and named in the manifest and in the result. Call it without an
    open transaction: the storage may be slow.

    :raises PackNotMade: the storage does not answer
    """
    with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
        spool = Spool(Path(folder))
        with _snapshot():
            enrollment = Enrollment.objects.select_related("customer", "site", "accepted_offer").get(pk=enrollment_id)
            contents.collect(enrollment, spool)
            anchors.collect(contents.poas_of(enrollment), spool)
            told = story.gather(enrollment, spool)
        newest = spool.newest_fact_at or enrollment.opened_at
        spool.write_bytes("story.pdf", story.render(told, newest_fact_at=newest))
        spool.write_bytes("verify_pack.py", Path(verify_pack.__file__).read_bytes())
        spool.write_bytes("README.txt", README.encode())
        missing = _write_archive(enrollment, spool, target, newest=newest)
    sha256, size = _measured(target)
    target.seek(0)
    return PackSummary(sha256=sha256, size_bytes=size, newest_fact_at=newest, missing=missing)


@contextmanager
def _snapshot() -> Iterator[None]:
    """Read everything as of one instant, regardless of concurrent writes."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def _write_archive(enrollment: Enrollment, spool: Spool, target: BinaryIO, *, newest: datetime) -> tuple[Missing, ...]:
    listed: list[dict[str, object]] = []
    missing: list[Missing] = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for path in spool.paths():
            if path in spool.stored:
                problem = _add_stored(archive, path, spool.stored[path], listed)
                if problem is not None:
                    missing.append(problem)
            else:
                with (spool.folder / path).open("rb") as file:
                    _add(archive, path, file, listed)
        manifest = {
            "format": verify_pack.FORMAT,
            "enrollment": id_of(enrollment),
            "newest_fact_at": instant(newest),
            "files": listed,
            "missing": [vars(each) for each in missing],
        }
        with archive.open(file_info(verify_pack.MANIFEST), "w") as entry:
            entry.write(verify_pack.canonical(manifest))
    return tuple(missing)


def _add_stored(
    archive: zipfile.ZipFile, path: str, file: StoredFile, listed: list[dict[str, object]]
) -> Missing | None:
    try:
        content = stored_files.read(file)
    except FileAltered as problem:
        return Missing(path=path, sha256=file.sha256, why=str(problem))
    except Exception as problem:
        raise PackNotMade(
            f"The storage does not answer ({type(problem).__name__}): try again in a few minutes."
        ) from problem
    with archive.open(file_info(path), "w") as entry:
        entry.write(content)
    listed.append({"path": path, "sha256": file.sha256, "size_bytes": len(content)})
    return None


def _add(archive: zipfile.ZipFile, path: str, file: IO[bytes], listed: list[dict[str, object]]) -> None:
    with archive.open(file_info(path), "w") as entry:
        shutil.copyfileobj(file, entry, CHUNK_BYTES)
    sha256, size = _measured(file)
    listed.append({"path": path, "sha256": sha256, "size_bytes": size})


def _measured(file: IO[bytes]) -> tuple[str, int]:
    """Return hash and size of a file, read in chunks from its beginning."""
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest(), file.tell()


def file_info(path: str) -> zipfile.ZipInfo:
    """Return metadata for a file in the archive that is the same on every machine and at any time."""
    info = zipfile.ZipInfo(path, date_time=FIRST_ZIP_DAY)
    info.compress_type = zipfile.ZIP_STORED
    info.create_system, info.create_version, info.extract_version = UNIX, ZIP_VERSION, ZIP_VERSION
    info.external_attr = PLAIN_FILE
    return info
