"""
PDFs that somebody hands in: a letter may be read and printed, and do nothing else.

Names can be spelled in digits and objects packed into streams, so searching the bytes as they came sees little. The
file is read as PDF programs read it, in a process of its own, because a file can be made to keep its reader busy for
hours. That process runs this very module, which is why nothing of ours is imported here.
"""

import io
import re
import subprocess
import sys
import zipfile
from contextlib import suppress
from enum import StrEnum

MOST_PAGES = 200
MOST_UNPACKED_BYTES = 32 * 1024 * 1024
MOST_CPU_SECONDS = 8
MOST_SECONDS = 20
MOST_MEMORY_BYTES = 1024 * 1024 * 1024

_ENDS_A_NAME = rb"(?=[\x00\t\n\x0c\r ()<>\[\]{}/%]|$)"
_ACTIVE = re.compile(
    rb"/(?:JavaScript|JS|Launch|EmbeddedFiles?|EF|RichMedia|XFA|SubmitForm|ImportData|GoToE|Movie|Sound|Rendition)"
    + _ENDS_A_NAME
)
_PAGE = re.compile(rb"/Type[\x00\t\n\x0c\r ]*/Page" + _ENDS_A_NAME)
_PACKED = re.compile(rb"/ObjStm" + _ENDS_A_NAME)
_MARKUP = re.compile(rb"<(?:!doctype\s+html|html|script|svg|iframe)[\s>]", re.IGNORECASE)
_SPELLED = re.compile(rb"#([0-9A-Fa-f]{2})")


class Look(StrEnum):
    PLAIN = "PLAIN"
    DAMAGED = "DAMAGED"
    LOCKED = "LOCKED"
    ACTIVE = "ACTIVE"
    TWO_KINDS = "TWO_KINDS"
    TOO_MANY_PAGES = "TOO_MANY_PAGES"
    TOO_MUCH = "TOO_MUCH"


def look_into(content: bytes) -> Look:
    """Say whether this is a plain PDF, or what is against it. Takes about half a second, and never much longer."""
    if not _has_both_ends(content):
        return Look.DAMAGED
    try:
        said = subprocess.run(  # noqa: S603
            [sys.executable, "-I", __file__], input=content, capture_output=True, timeout=MOST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Look.TOO_MUCH
    with suppress(ValueError):
        return Look(said.stdout.decode("ascii", "replace"))
    # It was stopped by its limits: a reader that merely stumbles says so.
    return Look.TOO_MUCH


def _has_both_ends(content: bytes) -> bool:
    return content.startswith(b"%PDF-") and b"%%EOF" in content[-1024:] and b"startxref" in content[-2048:]


# In the process of its own


def _look(content: bytes) -> Look:
    from pyhanko.pdf_utils.misc import PdfDecodeLimitError

    try:
        parts = _texts_of(content)
    except (PdfDecodeLimitError, MemoryError, _TooMuch):
        return Look.TOO_MUCH
    except _Locked:
        return Look.LOCKED
    except Exception:  # noqa: BLE001 - whatever a reader stumbles over, it could not read the file
        return Look.DAMAGED
    if zipfile.is_zipfile(io.BytesIO(content)) or _MARKUP.search(parts[0]):
        return Look.TWO_KINDS
    texts = [_spelled_out(part) for part in parts]
    if any(_ACTIVE.search(text) for text in texts):
        return Look.ACTIVE
    pages = sum(len(_PAGE.findall(text)) for text in texts)
    if pages > MOST_PAGES:
        return Look.TOO_MANY_PAGES
    return Look.PLAIN if pages else Look.DAMAGED


class _Locked(Exception):
    """It opens with a password only."""


class _TooMuch(Exception):
    """It unpacks to more than any letter."""


def _texts_of(content: bytes) -> list[bytes]:
    """
    Give everything in the file that can be an instruction: first what stands outside its streams, then each stream in
    which objects are packed, unpacked. Old revisions are included: some programs show them.
    """
    from pyhanko.pdf_utils.decode_limits import DecodePurpose
    from pyhanko.pdf_utils.generic import StreamObject
    from pyhanko.pdf_utils.reader import PdfFileReader

    reader = PdfFileReader(io.BytesIO(content), strict=False)
    if reader.encrypted and reader.decrypt("").status.name == "FAILED":
        raise _Locked
    starts: set[int] = set()
    insides: set[tuple[int, int]] = set()
    packed: dict[int, bytes] = {}
    for revision in range(reader.total_revisions):
        packing = reader.xrefs.object_streams_used_in(revision)
        for ref in reader.xrefs.explicit_refs_in_revision(revision):
            start = reader.xrefs.get_historical_ref(ref, revision)
            if not isinstance(start, int) or start in starts:
                continue
            starts.add(start)
            found = reader.get_object(ref, revision=revision, never_decrypt=True)
            if not isinstance(found, StreamObject):
                continue
            end = content.rfind(b"endstream", start, reader.stream.tell())
            insides.add((content.rfind(found.encoded_data, start, end), end))
            if ref in packing or found.get("/Type") == "/ObjStm":
                unpacked = reader.get_object(ref, revision=revision).read_data(DecodePurpose.OBJECT_STREAM)
                packed[start] = unpacked
                if sum(map(len, packed.values())) > MOST_UNPACKED_BYTES:
                    raise _TooMuch
    outside = _outside(content, insides, starts)
    if len(_PACKED.findall(_spelled_out(outside))) > len(packed):
        raise ValueError("Objects are packed into a stream that no table names.")
    return [outside, *packed.values()]


def _outside(content: bytes, insides: set[tuple[int, int]], starts: set[int]) -> bytes:
    """Leave out what lies inside of streams; no object may lie there, seen by one program and not by another."""
    kept = []
    position = 0
    waiting = sorted(starts, reverse=True)
    for before, after in sorted(insides):
        while waiting and waiting[-1] < before:
            waiting.pop()
        if before < position or (waiting and waiting[-1] < after):
            raise ValueError("Streams and objects lie inside of each other.")
        kept.append(content[position:before])
        position = after
    return b" ".join([*kept, content[position:]])


def _spelled_out(text: bytes) -> bytes:
    return _SPELLED.sub(lambda digits: bytes((int(digits[1], 16),)), text)


def _limit_this_process() -> None:
    import resource

    # Where a system does not know a limit, the one who started this process still ends it in time.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_SECONDS, MOST_CPU_SECONDS + 1))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))


if __name__ == "__main__":
    _limit_this_process()
    sys.stdout.write(_look(sys.stdin.buffer.read()))
