"""
Log lines without secrets. A reader of the log must not be able to sign for a customer or call Light.

Anyone can send text that ends up in a line, so each pattern takes linear time: no two of its parts can match the same
character.
"""

import logging
import re
from datetime import UTC, datetime
from itertools import pairwise
from urllib.parse import unquote

from django.core.exceptions import SuspiciousOperation

from core import log_context

REDACTED = "[redacted]"
MAX_LINE_LENGTH = 40_000
TOKEN_LENGTH = 40
"""A signing link ends in 43 characters of `secrets.token_urlsafe`."""
PART_OF_TOKEN_LENGTH = 16

_AFTER_PORTAL = re.compile(r"(?i)(?<=portal)(?:/|%2f)[^\s\"']+")
_PIECES = re.compile(r"[A-Za-z0-9_%-]+")
_RUNS = re.compile(r"[A-Za-z0-9_-]+")
_API_KEYS = re.compile(r"(?i)(?<=swy_)[A-Za-z0-9]{11,}|(?<=swy%5f)[A-Za-z0-9]{11,}")
"""An API key without its prefix. The short start that pages show is kept, so that a line can identify the key."""
_USER_INFO = re.compile(r"(?<=://)[^\s/@]*(?=@)")
_NAMED_SECRETS = (
    re.compile(r"(?i)(?<=bearer )[^\s\"',]+"),
    re.compile(r"(?i)(?<=token )[A-Za-z0-9]{20,}"),
    re.compile(r"(?i)(?<=token=)[^\s&\"']+"),
    re.compile(r"(?i)(?<=token': ')[^']+"),
    re.compile(r'(?i)(?<=token": ")[^"]+'),
)
LINE_FORMAT = "{asctime} {levelname} {name}: {message}"


def without_secrets(line: str) -> str:
    """
    Redact signing links, API keys, bearer tokens, and tokens and passwords in URLs.

    Signing links are recognized by their format anywhere, because a mail program may have mangled the URL.
    """
    line = _AFTER_PORTAL.sub(_without_link, line)
    is_about_portal = "portal" in line.lower()
    line = _API_KEYS.sub(REDACTED, line)
    line = _PIECES.sub(_without_part_of_token if is_about_portal else _without_token, line)
    for pattern in _NAMED_SECRETS:
        line = pattern.sub(REDACTED, line)
    return _USER_INFO.sub(_without_password, line)


def _without_link(found: re.Match[str]) -> str:
    path = found[0]
    has_secret = any(len(run) >= PART_OF_TOKEN_LENGTH for run in _RUNS.findall(unquote(path)))
    return f"/{REDACTED}" if has_secret else path


def _without_token(found: re.Match[str]) -> str:
    return _without_random(found[0], min_length=TOKEN_LENGTH)


def _without_part_of_token(found: re.Match[str]) -> str:
    return _without_random(found[0], min_length=PART_OF_TOKEN_LENGTH)


def _without_random(piece: str, *, min_length: int) -> str:
    """Redact text that looks random. Identifiers, UUIDs, hashes and test names do not mix cases and digits this way."""
    if len(piece) < min_length:
        return piece
    is_random = any(len(run) >= min_length and _is_mixed(run) for run in _RUNS.findall(unquote(piece)))
    return REDACTED if is_random else piece


def _is_mixed(run: str) -> bool:
    if not any(map(str.islower, run)) or not any(map(str.isupper, run)):
        return False
    changes = sum(one.isupper() != other.isupper() for one, other in pairwise(run))
    return any(map(str.isdigit, run)) or changes > len(run) / 3  # CamelCase names change case less often


def _without_password(found: re.Match[str]) -> str:
    return REDACTED if ":" in found[0] else found[0]


class RedactingFormatter(logging.Formatter):
    """
    Redacts the finished line, including tracebacks, and adds the number of the case.

    Times are UTC with an offset, so that the lines of all processes sort by time.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = without_secrets(super().format(record))
        if len(line) <= MAX_LINE_LENGTH:
            return line
        half = MAX_LINE_LENGTH // 2
        return f"{line[:half]} [… {len(line) - 2 * half} characters omitted …] {line[-half:]}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is the parent's
        case = getattr(record, "case", None)
        return super().formatMessage(record) + (f" [case {case}]" if case else log_context.suffix())

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - as above
        return datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds")


class SuspiciousRequestFilter(logging.Filter):
    """Drop the traceback of suspicious requests, such as a wrong Host header, because it shows only our own code."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], SuspiciousOperation):
            record.exc_info = record.exc_text = None
        return True
