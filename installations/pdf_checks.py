"""
Checks that an uploaded PDF is a passive document, which can only be read and printed.

A separate process parses the file, because a malicious file can keep a parser busy for hours or crash it. Only one such
process runs at a time, with a low priority.
"""

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from installations.pdf_structure import MAX_LOCK_WAIT_SECONDS, MAX_OBJECTS, PdfVerdict

MAX_SECONDS = 15 + MAX_LOCK_WAIT_SECONDS
READER = Path(__file__).with_name("pdf_structure.py")

# Mail programs and converters put spaces and byte order marks before the header. The standard allows even more there.
_START = re.compile(rb"(?:\xef\xbb\xbf|[\x00\t\n\x0c\r ]){0,1019}%PDF-")


def is_pdf(content: bytes) -> bool:
    return _START.match(content) is not None


def check_pdf(content: bytes) -> PdfVerdict:
    """Return whether this is a plain PDF, or the first problem with it. Takes about half a second, at most 19."""
    if not is_pdf(content) or b"%%EOF" not in content[-1024:] or b"startxref" not in content[-2048:]:
        return PdfVerdict.DAMAGED
    if content.count(b"endobj") > MAX_OBJECTS:
        return PdfVerdict.TOO_LARGE
    try:
        said = subprocess.run(  # noqa: S603
            [sys.executable, "-I", str(READER)], input=content, capture_output=True, timeout=MAX_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        # The CPU limit is much lower, so the machine was too busy to run it.
        return PdfVerdict.BUSY
    with suppress(ValueError):
        return PdfVerdict(said.stdout.decode("ascii", "replace"))
    # The process was killed by its limits. When it fails in any other way, it prints a verdict.
    return PdfVerdict.TOO_LARGE
