"""Log lines that give nothing away: whoever reads a log must not be able to sign for a customer or call Light."""

import logging
import re
from datetime import UTC, datetime

from django.core.exceptions import SuspiciousOperation

from core import case_log

_SECRETS_IN_LINES = (
    re.compile(r"(?<=/portal/)\S*[A-Za-z0-9_-]{16,}[^\s?\"']*"),
    re.compile(r"(?i)(?<=bearer )[^\s\"',]+"),
    re.compile(r"(?i)(?<=token )[A-Za-z0-9]{20,}"),
    re.compile(r"(?i)(?<=token=)[^\s&\"']+"),
    re.compile(r"(?i)(?<=token': ')[^']+"),
    re.compile(r'(?i)(?<=token": ")[^"]+'),
    re.compile(r"(?<=://)[^\s/@]*:[^\s/@]*(?=@)"),
)
LEFT_OUT = "[left out]"
LINE_FORMAT = "{asctime} {levelname} {name}: {message}"


def without_secrets(line: str) -> str:
    """Leave out signing links, bearer tokens, tokens in addresses, and passwords in URLs."""
    for pattern in _SECRETS_IN_LINES:
        line = pattern.sub(LEFT_OUT, line)
    return line


class DiscreetFormatter(logging.Formatter):
    """
    Works on the finished line, so that tracebacks are covered too; names the case that it is about.

    Times are UTC with their offset: the lines of all processes sort by them, also in the night the clocks change.
    """

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))

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
