"""
PDFs that somebody hands in: a letter may be read and printed, and do nothing else.

The file is read as PDF programs read it, in a process of its own, because a file can be made to keep its reader busy
for hours, or to break it. Only one such process runs at a time, with a low priority.
"""

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from installations.pdf_structure import MAX_OBJECTS, MAX_TURN_SECONDS, Look

MAX_SECONDS = 15 + MAX_TURN_SECONDS
READER = Path(__file__).with_name("pdf_structure.py")

# Mail programs and converters put blanks and byte order marks before the header. The standard allows even more there.
_START = re.compile(rb"(?:\xef\xbb\xbf|[\x00\t\n\x0c\r ]){0,1019}%PDF-")


def is_pdf(content: bytes) -> bool:
    return _START.match(content) is not None


def look_into(content: bytes) -> Look:
    """Say whether this is a plain PDF, or what is against it. Takes about half a second, and never much longer."""
    if not is_pdf(content) or b"%%EOF" not in content[-1024:] or b"startxref" not in content[-2048:]:
        return Look.DAMAGED
    if content.count(b"endobj") > MAX_OBJECTS:
        return Look.TOO_MUCH
    try:
        said = subprocess.run(  # noqa: S603
            [sys.executable, "-I", str(READER)], input=content, capture_output=True, timeout=MAX_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        # Its limit of processor time is much lower, so it is the machine that had no time for it.
        return Look.BUSY
    with suppress(ValueError):
        return Look(said.stdout.decode("ascii", "replace"))
    # It was stopped by its limits: a reader that merely stumbles says so.
    return Look.TOO_MUCH
