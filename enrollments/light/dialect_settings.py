"""
How an operator says which dialect Light speaks: a name or a file, and environment variables that override it.

A dialect file is TOML with the names of `VALUES`. The two named dialects are files in `dialects/`, and `reference`
lists every name with its default.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

from enrollments.light.dialect import RATE_KINDS, AccountSearch, Dialect, TokenKind, normalize_word
from enrollments.light.webhook_signatures import Algorithm, Encoding, Prefix, SignedText, WebhookScheme

OVERRIDE_PREFIX = "LIGHT_DIALECT_"
FOLDER = Path(__file__).parent / "dialects"
NAMED_DIALECTS = {file.stem: file for file in sorted(FOLDER.glob("*.toml"))}
DEFAULT_NAME = "reference"

_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_LOOKUP_PATH = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*", re.ASCII)
_RATE_SPELLING = re.compile(rf"[A-Za-z0-9_ -]+=({'|'.join(RATE_KINDS)})", re.ASCII)
_STATUS_NAME = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
_API_PATH = re.compile(r"/v1/(?:[A-Za-z0-9_/-]|\{account_uuid\})+", re.ASCII)
_MAX_PAGE_SIZE = 1000
_MAX_TOLERANCE_SECONDS = 86_400

EnumValue = TypeVar("EnumValue", bound=Enum)


class DialectNotUnderstood(ValueError):
    """A value cannot work; `place` names the variable, or the name and the file."""

    def __init__(self, *, place: str, problem: str) -> None:
        super().__init__(f"{place} {problem}")
        self.place = place


@dataclass(frozen=True, kw_only=True)
class DialectValue:
    """One value of a dialect: its name in a file, its default as text, and what it means."""

    name: str
    default: str
    meaning: str

    @property
    def override(self) -> str:
        return OVERRIDE_PREFIX + self.name.upper()


_DEFAULT = Dialect()

VALUES: dict[str, DialectValue] = {
    name: DialectValue(name=name, default=default, meaning=meaning)
    for name, default, meaning in (
        (
            "finalize_path",
            _DEFAULT.finalize_path,
            "Path of the finalize call. `{account_uuid}` is replaced by the account.",
        ),
        ("finalize_token", _DEFAULT.finalize_token.value, "Token of the finalize call: `account` or `app`."),
        (
            "update_account_path",
            _DEFAULT.update_account_path,
            "Path of the call (PATCH) that corrects an account's e-mail address. `{account_uuid}` is the account.",
        ),
        (
            "status_lookup",
            ",".join(_DEFAULT.status_lookup),
            "Fields of the account that may hold the status, tried in this order.",
        ),
        (
            "known_statuses",
            ",".join(_DEFAULT.known_statuses),
            "Statuses that need no person. Any other status is shown as unknown.",
        ),
        (
            "canceled_statuses",
            ",".join(_DEFAULT.canceled_statuses),
            "Statuses that mean the service was canceled, before or after it began.",
        ),
        (
            "rate_kind_lookup",
            ",".join(_DEFAULT.rate_kind_lookup),
            "Fields of a plan that may hold the kind of rate. The first one that is set counts.",
        ),
        (
            "rate_kind_spellings",
            ",".join(f"{spelling}={kind}" for spelling, kind in _DEFAULT.rate_kind_spellings),
            f"Light's words for {', '.join(RATE_KINDS)}. Case, hyphens and spaces make no difference.",
        ),
        (
            "already_recorded_statuses",
            ",".join(str(status) for status in _DEFAULT.already_recorded_statuses),
            "HTTP statuses that mean the client agent was recorded before; `none` for no such status.",
        ),
        ("phone_field", "phone_number", "Name of the phone field when an account is created; `none` leaves it out."),
        (
            "birth_date_field",
            "date_of_birth",
            "Name of the birth date field when an account is created; `none` leaves it out.",
        ),
        (
            "account_search",
            _DEFAULT.account_search.value,
            "`email`: Light filters the account list by e-mail address. `all`: we read the whole list.",
        ),
        ("page_size", str(_DEFAULT.page_size), "Accounts per page of the account list."),
        ("webhook_algorithm", _DEFAULT.webhook.algorithm.value, "Hash of the webhook signature: `sha256` or `sha512`."),
        ("webhook_encoding", _DEFAULT.webhook.encoding.value, "Encoding of the signature: `hex` or `base64`."),
        (
            "webhook_prefix",
            _DEFAULT.webhook.prefix.value,
            "Format of the signature: `none`, `algorithm` (`sha256=...`) or `list` (`t=...,v1=...`).",
        ),
        (
            "webhook_signed_text",
            _DEFAULT.webhook.signed_text.value,
            "What is signed: `body`, or `timestamp.body` (timestamp, a dot, the raw body).",
        ),
        ("webhook_header", _DEFAULT.webhook.header, "Header with the signature."),
        (
            "webhook_timestamp_header",
            _DEFAULT.webhook.timestamp_header,
            "Header with the timestamp, if it is signed and not in a list.",
        ),
        (
            "webhook_tolerance_seconds",
            str(_DEFAULT.webhook.tolerance_seconds),
            "How many seconds a signed timestamp may differ from now.",
        ),
    )
}
OVERRIDES = {value.override: value for value in VALUES.values()}


def read_dialect(choice: str, overrides: Mapping[str, str]) -> Dialect:
    """
    Build the dialect that `choice`, a name or the path of a file, describes; overrides win.

    :raises DialectNotUnderstood: no such dialect or file, a value cannot work, or a name is unknown
    """
    for name in overrides:
        if name not in OVERRIDES:
            raise DialectNotUnderstood(
                place=name, problem=f"is not a setting. Known are: {', '.join(sorted(OVERRIDES))}."
            )
    given = {name: _Given(text, place=_place(name, choice)) for name, text in _values_in(choice).items()}
    given |= {
        OVERRIDES[name].name: _Given(text.strip(), place=name) for name, text in overrides.items() if text.strip()
    }
    return _dialect(_Reader(given))


def _values_in(choice: str) -> dict[str, str]:
    file = NAMED_DIALECTS.get(choice) or Path(choice)
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        names = ", ".join(NAMED_DIALECTS)
        raise DialectNotUnderstood(
            place="LIGHT_DIALECT", problem=f"cannot be used. It should be {names}, or the path of a TOML file."
        ) from problem
    except ValueError as problem:  # also bytes that are not UTF-8
        raise DialectNotUnderstood(place=choice, problem=f"is not TOML: {problem}.") from problem
    for name in values:
        if name not in VALUES:
            raise DialectNotUnderstood(
                place=f"{name} in {choice}",
                problem=f"is not a value of a dialect. Known are: {', '.join(sorted(VALUES))}.",
            )
    return {name: _as_text(value, place=_place(name, choice)) for name, value in values.items()}


def _place(name: str, choice: str) -> str:
    """Name what the operator can change: the file of their own, or the variable that overrides a named dialect."""
    return VALUES[name].override if choice in NAMED_DIALECTS else f"{name} in {choice}"


def _as_text(value: object, *, place: str) -> str:
    """Write a TOML value as an override would be written: lists with commas, tables as name=value."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and value:
        return ",".join(_as_text(item, place=place) for item in value)
    if isinstance(value, dict) and value:
        return ",".join(f"{name}={_as_text(item, place=place)}" for name, item in value.items())
    raise DialectNotUnderstood(place=place, problem="must be a text, a number, a list of them or a table of them.")


def _dialect(read: _Reader) -> Dialect:
    finalize_path = read.matching("finalize_path", _API_PATH, "a path that begins with /v1/")
    finalize_token = read.one_of("finalize_token", TokenKind)
    if finalize_token is TokenKind.APP and "{account_uuid}" not in finalize_path:
        raise read.wrong(
            "finalize_path", "contain {account_uuid} when the app token is used: nothing else says which account"
        )
    update_account_path = read.matching("update_account_path", _API_PATH, "a path that begins with /v1/")
    if "{account_uuid}" not in update_account_path:
        raise read.wrong("update_account_path", "contain {account_uuid}: nothing else says which account")
    return Dialect(
        finalize_path=finalize_path,
        update_account_path=update_account_path,
        finalize_token=finalize_token,
        status_lookup=read.many("status_lookup", _LOOKUP_PATH, "fields such as enrollment.status"),
        known_statuses=read.many("known_statuses", _STATUS_NAME, "status names"),
        canceled_statuses=read.many("canceled_statuses", _STATUS_NAME, "status names"),
        rate_kind_lookup=read.many("rate_kind_lookup", _LOOKUP_PATH, "fields such as rate_structure"),
        rate_kind_spellings=read.rate_kind_spellings("rate_kind_spellings"),
        already_recorded_statuses=read.http_statuses("already_recorded_statuses"),
        phone_field=read.optional_field("phone_field"),
        birth_date_field=read.optional_field("birth_date_field"),
        account_search=read.one_of("account_search", AccountSearch),
        page_size=read.whole_number("page_size", maximum=_MAX_PAGE_SIZE),
        webhook=WebhookScheme(
            algorithm=read.one_of("webhook_algorithm", Algorithm),
            encoding=read.one_of("webhook_encoding", Encoding),
            prefix=read.one_of("webhook_prefix", Prefix),
            signed_text=read.one_of("webhook_signed_text", SignedText),
            header=read.matching("webhook_header", _HEADER_NAME, "a header name"),
            timestamp_header=read.matching("webhook_timestamp_header", _HEADER_NAME, "a header name"),
            tolerance_seconds=read.whole_number("webhook_tolerance_seconds", maximum=_MAX_TOLERANCE_SECONDS),
        ),
    )


@dataclass(frozen=True)
class _Given:
    text: str
    place: str


class _Reader:
    """Reads one value after the other, and names its place when it cannot be understood."""

    def __init__(self, given: Mapping[str, _Given]) -> None:
        self._given = given

    def matching(self, name: str, pattern: re.Pattern[str], wanted: str) -> str:
        text = self._text(name)
        if not pattern.fullmatch(text):
            raise self.wrong(name, f"be {wanted}")
        return text

    def one_of(self, name: str, kind: type[EnumValue]) -> EnumValue:
        for member in kind:
            if member.value == self._text(name).lower():
                return member
        raise self.wrong(name, "be one of " + ", ".join(str(member.value) for member in kind))

    def many(self, name: str, pattern: re.Pattern[str], wanted: str) -> tuple[str, ...]:
        return self._split(name, lambda part: bool(pattern.fullmatch(part)), f"be {wanted}, separated by commas")

    def rate_kind_spellings(self, name: str) -> tuple[tuple[str, str], ...]:
        pairs = self.many(name, _RATE_SPELLING, "words such as FLAT=FIXED")
        spellings = [(normalize_word(spelling), kind) for spelling, _, kind in (pair.partition("=") for pair in pairs)]
        if len(dict(spellings)) < len(set(spellings)):
            raise self.wrong(name, "be without one word for two kinds")
        return tuple(spellings)

    def http_statuses(self, name: str) -> tuple[int, ...]:
        if self._text(name).lower() == "none":
            return ()
        wanted = "be HTTP statuses from 400 to 499 other than 401 and 429, separated by commas, or none"
        parts = self._split(name, lambda part: bool(re.fullmatch("4[0-9][0-9]", part)), wanted)
        if {"401", "429"} & set(parts):
            raise self.wrong(name, wanted)
        return tuple(int(part) for part in parts)

    def optional_field(self, name: str) -> str | None:
        text = self._text(name)
        return None if text.lower() == "none" else self.matching(name, _FIELD_NAME, "a field name, or none")

    def whole_number(self, name: str, *, maximum: int) -> int:
        text = self._text(name)
        if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= maximum:
            raise self.wrong(name, f"be a whole number from 1 to {maximum}")
        return int(text)

    def wrong(self, name: str, wanted: str) -> DialectNotUnderstood:
        given = self._given.get(name)
        place = given.place if given else VALUES[name].override
        return DialectNotUnderstood(place=place, problem=f"is {self._text(name)!r}; it must {wanted}.")

    def _text(self, name: str) -> str:
        given = self._given.get(name)
        return given.text if given else VALUES[name].default

    def _split(self, name: str, fits: Callable[[str], bool], wanted: str) -> tuple[str, ...]:
        parts = tuple(part.strip() for part in self._text(name).split(","))
        if not all(fits(part) for part in parts):
            raise self.wrong(name, wanted)
        return parts
