"""Read untrusted JSON and the values in it without assuming their types."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{0,12})?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_BOOLEANS = {"true": True, "false": False}
_MAX_AMOUNT = Decimal(1_000_000)
_MAX_NUMERIC_ID = 10**30
_MAX_TEXT_LENGTH = 2000
_MAX_DIGITS = 12


class UnreadableJson(ValueError):
    """The bytes are not valid JSON."""


class UnreadableValue(ValueError):
    """The value is present but not valid for its field."""


def load_json(body: bytes) -> object:
    """
    Parse JSON. Fractions become `Decimal`, never `float`. Characters that a database cannot store are replaced.

    :raises UnreadableJson: not JSON, truncated, or nested too deeply
    """
    try:
        return _storable(json.loads(body, parse_float=_decimal, parse_constant=str))
    except (ValueError, RecursionError) as cause:
        raise UnreadableJson("not JSON") from cause


def _decimal(digits: str) -> Decimal | str:
    try:
        return Decimal(digits)
    except InvalidOperation:
        return digits


def _storable(value: object) -> object:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(entry) for entry in value]
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("\ufffd", key): _storable(entry) for key, entry in value.items()}
    return value


def as_plain_json(value: object) -> object:
    """Copy a parsed value so that `json.dumps` accepts it: a fraction becomes text."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): as_plain_json(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain_json(entry) for entry in value]
    return value


def read_identifier(value: object) -> str:
    """Return an identifier that is safe inside a path; :raises UnreadableValue: it is not."""
    if isinstance(value, str) and _IDENTIFIER.fullmatch(value):
        return value
    raise UnreadableValue("not an identifier")


class Fields:
    """
    The fields of one JSON object. Missing or null values are None; unreadable values are None and noted.

    One bad value never hides the good ones.
    """

    def __init__(self, source: Mapping[str, object], *, within: str = "") -> None:
        self._source = source
        self._within = within
        self._unreadable: list[str] = []

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The names of fields that were present but could not be read, in the order of reading."""
        return tuple(self._unreadable)

    def mark_unreadable(self, name: str) -> None:
        """Note that this field could not be read."""
        self._unreadable.append(f"{self._within}{name}")

    def adopt(self, other: Fields) -> None:
        """Add the unreadable fields of another reader."""
        self._unreadable.extend(other.unreadable)

    def identifier(self, name: str) -> str | None:
        """Read an identifier such as a UUID."""
        value = self._source.get(name)
        if value is None:
            return None
        try:
            return read_identifier(value)
        except UnreadableValue:
            self.mark_unreadable(name)
            return None

    def uuid(self, name: str) -> str | None:
        """Read a UUID in its canonical form, which is also the form in which we send it."""
        identifier = self.identifier(name)
        if identifier is None or _UUID.fullmatch(identifier):
            return identifier
        self.mark_unreadable(name)
        return None

    def text(self, name: str) -> str | None:
        """Read a text; empty counts as absent."""
        value = self._source.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str) and len(value) <= _MAX_TEXT_LENGTH:
            return value
        self.mark_unreadable(name)
        return None

    def digits(self, name: str) -> str | None:
        """Read an identifier made of digits, such as an ESI ID. It may be a string or an integer."""
        value = self._source.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_NUMERIC_ID:
            return str(value)
        return self.text(name)

    def url(self, name: str) -> str | None:
        """Read an http or https URL."""
        text = self.text(name)
        if text is None or is_web_address(text):
            return text
        self.mark_unreadable(name)
        return None

    def boolean(self, name: str) -> bool | None:
        """Read yes or no, also written as the text true or false."""
        value = self._source.get(name)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in _BOOLEANS:
            return _BOOLEANS[value.lower()]
        self.mark_unreadable(name)
        return None

    def amount(self, name: str) -> Decimal | None:
        """Read a price or rate from digits or a number: not negative, below a million, at most 12 places."""
        value = self._source.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
            self.mark_unreadable(name)
            return None
        # The digits of a float are taken from its shortest text, so no binary fraction comes in.
        digits = _plain_digits(value) if isinstance(value, Decimal) else str(value).strip()
        if not _NUMBER.fullmatch(digits):
            self.mark_unreadable(name)
            return None
        amount = Decimal(digits)
        if not 0 <= amount < _MAX_AMOUNT:
            self.mark_unreadable(name)
            return None
        return amount

    def whole_number(self, name: str, *, maximum: int) -> int | None:
        """Read a whole number from 0 to `maximum`."""
        already_unreadable = len(self._unreadable)
        amount = self.amount(name)
        if amount is None or len(self._unreadable) > already_unreadable:
            return None
        if amount != amount.to_integral_value() or amount > maximum:
            self.mark_unreadable(name)
            return None
        return int(amount)

    def day(self, name: str) -> date | None:
        """Read a calendar day written YYYY-MM-DD."""
        value = self._source.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str) and _DAY.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                self.mark_unreadable(name)
                return None
        self.mark_unreadable(name)
        return None

    def instant(self, name: str) -> datetime | None:
        """Read an ISO 8601 instant, as UTC. One without an offset is unreadable."""
        value = self._source.get(name)
        if value is None or value == "":
            return None
        try:
            return read_instant(value)
        except UnreadableValue:
            self.mark_unreadable(name)
            return None

    def expiry(self, name: str) -> datetime | None:
        """
        Read an expiry in its earliest interpretation: without an offset it is UTC, and a date alone means its midnight.

        UTC is the earlier interpretation: midnight in UTC comes before midnight in Chicago.
        """
        value = self._source.get(name)
        if isinstance(value, str) and value:
            try:
                moment = datetime.fromisoformat(value)
                return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
            except (ValueError, OverflowError):
                self.mark_unreadable(name)
                return None
        return self.instant(name)


def _plain_digits(value: Decimal) -> str:
    # Written out in full, 1E+999999999 would exhaust memory.
    is_writable = value.is_finite() and -_MAX_DIGITS <= value.adjusted() <= _MAX_DIGITS
    return f"{value:f}" if is_writable else str(value)


def read_instant(value: object) -> datetime:
    """Return the instant in UTC; :raises UnreadableValue: not an ISO 8601 instant with an offset"""
    if not isinstance(value, str):
        raise UnreadableValue("not an instant")
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise UnreadableValue("an instant without an offset")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as cause:
        raise UnreadableValue("not an instant") from cause


def is_web_address(text: str) -> bool:
    """Whether the text is an absolute http or https URL without a user name."""
    if not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False
