"""
Log lines that reveal nothing: a reader of the log must not be able to sign for a customer or call Light.

Part of a line may come from anyone who asks, so each pattern below takes time in proportion to the line: no two of its
parts can match the same character.
"""

import logging
import re
from datetime import UTC, datetime
from itertools import pairwise
from urllib.parse import unquote

from django.core.exceptions import SuspiciousOperation

from core import case_log

LEFT_OUT = "[left out]"
LONGEST_LINE = 40_000
TOKEN_LENGTH = 40
"""A signing link ends in 43 characters of `secrets.token_urlsafe`."""
PART_OF_TOKEN_LENGTH = 16

_AFTER_PORTAL = re.compile(r"(?i)(?<=portal)(?:/|%2f)[^\s\"']+")
_PIECES = re.compile(r"[A-Za-z0-9_%-]+")
_RUNS = re.compile(r"[A-Za-z0-9_-]+")
_API_KEYS = re.compile(r"(?i)(?<=swy_)[A-Za-z0-9]{11,}|(?<=swy%5f)[A-Za-z0-9]{11,}")
"""All of an API key but its mark. A shorter beginning, as pages show it, is left, so that a line can name the key."""
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
    Leave out signing links, API keys, bearer tokens, tokens in addresses, and passwords in URLs.

    A signing link is known by its shape wherever it is, since a mail program may have mangled the address around it.
    """
    line = _AFTER_PORTAL.sub(_without_link, line)
    is_about_portal = "portal" in line.lower()
    line = _API_KEYS.sub(LEFT_OUT, line)
    line = _PIECES.sub(_without_part_of_token if is_about_portal else _without_token, line)
    for pattern in _NAMED_SECRETS:
        line = pattern.sub(LEFT_OUT, line)
    return _USER_INFO.sub(_without_password, line)


def _without_link(found: re.Match[str]) -> str:
    path = found[0]
    has_secret = any(len(run) >= PART_OF_TOKEN_LENGTH for run in _RUNS.findall(unquote(path)))
    return f"/{LEFT_OUT}" if has_secret else path


def _without_token(found: re.Match[str]) -> str:
    return _without_random(found[0], shortest=TOKEN_LENGTH)


def _without_part_of_token(found: re.Match[str]) -> str:
    return _without_random(found[0], shortest=PART_OF_TOKEN_LENGTH)


def _without_random(piece: str, *, shortest: int) -> str:
    """Leave out what looks drawn at random: identifiers, UUIDs, hashes and names of tests have no such mixture."""
    if len(piece) < shortest:
        return piece
    is_random = any(len(run) >= shortest and _is_mixed(run) for run in _RUNS.findall(unquote(piece)))
    return LEFT_OUT if is_random else piece


def _is_mixed(run: str) -> bool:
    if not any(map(str.islower, run)) or not any(map(str.isupper, run)):
        return False
    changes = sum(one.isupper() != other.isupper() for one, other in pairwise(run))
    return any(map(str.isdigit, run)) or changes > len(run) / 3  # names in capitals change less often


def _without_password(found: re.Match[str]) -> str:
    return LEFT_OUT if ":" in found[0] else found[0]


class DiscreetFormatter(logging.Formatter):
    """
    Works on the finished line, so that tracebacks are covered too; names the case that it is about.

    Times are UTC with their offset: the lines of all processes sort by them, also in the night the clocks change.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = without_secrets(super().format(record))
        if len(line) <= LONGEST_LINE:
            return line
        half = LONGEST_LINE // 2
        return f"{line[:half]} [… {len(line) - 2 * half} characters left out …] {line[-half:]}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is the parent's
        case = getattr(record, "case", None)
        return super().formatMessage(record) + (f" [case {case}]" if case else case_log.suffix())

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - as above
        return datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds")


class RefusalsInOneLine(logging.Filter):
    """Take the traceback from what Django refuses as suspicious, such as a wrong Host: it shows only our own code."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], SuspiciousOperation):
            record.exc_info = record.exc_text = None
        return True
