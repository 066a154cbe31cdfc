"""Remove secrets and personal data from logs, records and messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MASK = "[removed]"

_SENSITIVE_PARTS = (
    "token", "secret", "password", "authorization", "signature", "login_link", "email", "e_mail", "phone", "birth",
    "first_name", "last_name", "full_name", "address", "ssn", "card",
)  # fmt: skip
_SENSITIVE_WHOLE = frozenset({"dob", "postal_code"})
_HARMLESS_TYPES = (bool, type(None))

_E_MAIL = re.compile(r"[^\s@<>\"'(),:;]{1,64}@[^\s@<>\"'(),:;]{1,255}")
_BEARER = re.compile(r"(?i)\bbearer\s+\S+")
_QUERY_SECRET = re.compile(r"(?i)\b(token|secret|signature|code|key)=[^&\s\"'<>]+")
_LONG_HEX = re.compile(r"\b[0-9a-fA-F]{32,}\b")
_PHONE = re.compile(r"(?<![\w-])\+?1?[ .-]?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])|\+\d{10,15}\b")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\s]+")


def is_sensitive(key: str) -> bool:
    """Whether a value under this key is a secret or personal data."""
    name = key.lower().replace("-", "_")
    return name in _SENSITIVE_WHOLE or any(part in name for part in _SENSITIVE_PARTS)


def redact(value: object) -> object:
    """
    Copy a JSON-like value with secrets and personal data masked. Booleans and nulls stay readable.

    Values are masked by the name of their key; other texts are searched for anything that looks sensitive.
    """
    if isinstance(value, Mapping):
        return {str(key): _redact_entry(str(key), entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(entry) for entry in value]
    if isinstance(value, str):
        return redact_text(value)
    return value


def _redact_entry(key: str, entry: object) -> object:
    if is_sensitive(key) and not isinstance(entry, _HARMLESS_TYPES):
        return MASK
    return redact(entry)


def redact_text(text: str, *, also: Iterable[str] = (), limit: int = 500) -> str:
    """Mask secrets, personal data and every text in `also`. The result is one line of at most `limit` characters."""
    for known in sorted({entry for entry in also if entry.strip()}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(known)}(?!\w)", MASK, text, flags=re.IGNORECASE)
    for pattern in (_E_MAIL, _BEARER, _LONG_HEX, _PHONE):
        text = pattern.sub(MASK, text)
    text = _QUERY_SECRET.sub(lambda match: f"{match.group(1)}={MASK}", text)
    text = _UNPRINTABLE.sub(" ", text).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def sensitive_texts(value: object) -> tuple[str, ...]:
    """List the texts in a payload that must not appear in a message, for `redact_text(also=...)`."""
    found: list[str] = []
    if isinstance(value, Mapping):
        for key, entry in value.items():
            if isinstance(entry, str) and is_sensitive(str(key)):
                found.append(entry)
            else:
                found.extend(sensitive_texts(entry))
    elif isinstance(value, (list, tuple)):
        for entry in value:
            found.extend(sensitive_texts(entry))
    return tuple(found)
