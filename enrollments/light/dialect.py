"""
What nobody outside Light knows for certain about its API, as settings with a guess for each.

Source: light-api notes, section 8. Every row there that needs a choice on our side is a field here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from enrollments.light.signatures import Algorithm, Encoding, Prefix, SignedText, WebhookScheme

READY_STATUS = "enrollment_pending_client_agent"
FROZEN_STATUS = "credit_check_frozen"

RATE_KINDS = ("FIXED", "VARIABLE", "INDEXED")
"""The kinds of rate that a customer can sign for. Source: domain notes, on the power of attorney's limits."""

OVERRIDE_PREFIX = "LIGHT_DIALECT_"
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_LOOKUP_PATH = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*", re.ASCII)
_RATE_SPELLING = re.compile(rf"[A-Za-z0-9_ -]+=({'|'.join(RATE_KINDS)})", re.ASCII)
_STATUS_NAME = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
_API_PATH = re.compile(r"/v1/(?:[A-Za-z0-9_/-]|\{account_uuid\})+", re.ASCII)
_HIGHEST_PAGE_SIZE = 1000
_HIGHEST_TOLERANCE_SECONDS = 86_400

EnumValue = TypeVar("EnumValue", bound=Enum)


class DialectNotUnderstood(ValueError):
    """A `LIGHT_DIALECT_...` variable has a value that cannot work; `variable` names it."""

    def __init__(self, *, variable: str, problem: str) -> None:
        super().__init__(f"{variable} {problem}")
        self.variable = variable


class TokenKind(Enum):
    """Which of Light's two tokens a call carries."""

    APP = "app"
    ACCOUNT = "account"


class AccountSearch(Enum):
    """How accounts are looked for: Light filters by e-mail, or we read the whole list."""

    EMAIL = "email"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One consistent set of guesses about Light."""

    finalize_path: str = "/v1/account/enroll/finalize"
    finalize_token: TokenKind = TokenKind.ACCOUNT
    update_account_path: str = "/v1/app/accounts/{account_uuid}"
    status_lookup: tuple[str, ...] = ("enrollment.status", "status", "enrollment_status", "enrollment.state")
    known_statuses: tuple[str, ...] = (
        READY_STATUS,
        FROZEN_STATUS,
        "enrollment_started",
        "credit_check_pending",
        "plan_accepted",
        "enrollment_finalized",
        "service_active",
    )
    canceled_statuses: tuple[str, ...] = ("service_canceled",)
    rate_kind_lookup: tuple[str, ...] = ("rate_structure", "plan_type")
    rate_kind_spellings: tuple[tuple[str, str], ...] = tuple(
        (spelling, kind) for kind in RATE_KINDS for spelling in (kind, f"{kind}_RATE")
    )
    already_recorded_statuses: tuple[int, ...] = (409,)
    phone_field: str | None = "phone_number"
    birth_date_field: str | None = "date_of_birth"
    account_search: AccountSearch = AccountSearch.EMAIL
    page_size: int = 100
    webhook: WebhookScheme = field(default_factory=WebhookScheme)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Dialect:
        """
        Build the dialect from `LIGHT_DIALECT_...` variables; one that is absent or empty keeps its default.

        :raises DialectNotUnderstood: a value cannot work, or a variable with this prefix does not exist
        """
        for name in environment:
            if name.startswith(OVERRIDE_PREFIX) and name not in DIALECT_VARIABLES:
                raise DialectNotUnderstood(
                    variable=name, problem=f"is not a setting. Known are: {', '.join(sorted(DIALECT_VARIABLES))}."
                )

        read = _Reader(environment)
        finalize_path = read.matching("FINALIZE_PATH", _API_PATH, "a path that begins with /v1/")
        finalize_token = read.one_of("FINALIZE_TOKEN", TokenKind)
        if finalize_token is TokenKind.APP and "{account_uuid}" not in finalize_path:
            raise DialectNotUnderstood(
                variable=f"{OVERRIDE_PREFIX}FINALIZE_PATH",
                problem="must contain {account_uuid} when the app token is used: nothing else says which account.",
            )
        update_account_path = read.matching("UPDATE_ACCOUNT_PATH", _API_PATH, "a path that begins with /v1/")
        if "{account_uuid}" not in update_account_path:
            raise DialectNotUnderstood(
                variable=f"{OVERRIDE_PREFIX}UPDATE_ACCOUNT_PATH",
                problem="must contain {account_uuid}: nothing else says which account.",
            )
        return cls(
            finalize_path=finalize_path,
            update_account_path=update_account_path,
            finalize_token=finalize_token,
            status_lookup=read.many("STATUS_LOOKUP", _LOOKUP_PATH, "places such as enrollment.status"),
            known_statuses=read.many("KNOWN_STATUSES", _STATUS_NAME, "status names"),
            canceled_statuses=read.many("CANCELED_STATUSES", _STATUS_NAME, "status names"),
            rate_kind_lookup=read.many("RATE_KIND_LOOKUP", _LOOKUP_PATH, "places such as rate_structure"),
            rate_kind_spellings=read.rate_kind_spellings("RATE_KIND_SPELLINGS"),
            already_recorded_statuses=read.http_statuses("ALREADY_RECORDED_STATUSES"),
            phone_field=read.optional_field("PHONE_FIELD"),
            birth_date_field=read.optional_field("BIRTH_DATE_FIELD"),
            account_search=read.one_of("ACCOUNT_SEARCH", AccountSearch),
            page_size=read.whole_number("PAGE_SIZE", highest=_HIGHEST_PAGE_SIZE),
            webhook=WebhookScheme(
                algorithm=read.one_of("WEBHOOK_ALGORITHM", Algorithm),
                encoding=read.one_of("WEBHOOK_ENCODING", Encoding),
                prefix=read.one_of("WEBHOOK_PREFIX", Prefix),
                signed_text=read.one_of("WEBHOOK_SIGNED_TEXT", SignedText),
                header=read.matching("WEBHOOK_HEADER", _HEADER_NAME, "a header name"),
                timestamp_header=read.matching("WEBHOOK_TIMESTAMP_HEADER", _HEADER_NAME, "a header name"),
                tolerance_seconds=read.whole_number("WEBHOOK_TOLERANCE_SECONDS", highest=_HIGHEST_TOLERANCE_SECONDS),
            ),
        )


def plain_word(text: str) -> str:
    """Write a word of Light's the way the dialect spells it: upper case, with underscores."""
    return re.sub(r"[\s_-]+", "_", text.strip().upper())


@dataclass(frozen=True, kw_only=True)
class DialectVariable:
    """One environment variable of the dialect, as the configuration page lists it."""

    name: str
    default: str
    meaning: str


_DEFAULT = Dialect()

DIALECT_VARIABLES: dict[str, DialectVariable] = {
    f"{OVERRIDE_PREFIX}{name}": DialectVariable(name=f"{OVERRIDE_PREFIX}{name}", default=default, meaning=meaning)
    for name, default, meaning in (
        (
            "FINALIZE_PATH",
            _DEFAULT.finalize_path,
            "Path of the finalize call; `{account_uuid}` is replaced by the account.",
        ),
        (
            "UPDATE_ACCOUNT_PATH",
            _DEFAULT.update_account_path,
            "Path of the call (PATCH) that corrects an account's e-mail address; `{account_uuid}` is the account.",
        ),
        ("FINALIZE_TOKEN", _DEFAULT.finalize_token.value, "Token of the finalize call: `account` or `app`."),
        (
            "STATUS_LOOKUP",
            ",".join(_DEFAULT.status_lookup),
            "Places in the account where the status is looked for, in this order.",
        ),
        (
            "KNOWN_STATUSES",
            ",".join(_DEFAULT.known_statuses),
            "Statuses that need no person; any other one is shown as unknown.",
        ),
        (
            "CANCELED_STATUSES",
            ",".join(_DEFAULT.canceled_statuses),
            "Statuses that mean the service was canceled, before or after it began.",
        ),
        (
            "RATE_KIND_LOOKUP",
            ",".join(_DEFAULT.rate_kind_lookup),
            "Places in a plan where the kind of rate is looked for; the first one that says anything counts.",
        ),
        (
            "RATE_KIND_SPELLINGS",
            ",".join(f"{spelling}={kind}" for spelling, kind in _DEFAULT.rate_kind_spellings),
            f"Light's words for {', '.join(RATE_KINDS)}; upper and lower case, hyphens and blanks make no difference.",
        ),
        (
            "ALREADY_RECORDED_STATUSES",
            ",".join(str(status) for status in _DEFAULT.already_recorded_statuses),
            "HTTP statuses that mean the client agent was recorded before; `none` for no such status.",
        ),
        ("PHONE_FIELD", "phone_number", "Name of the phone field when an account is created; `none` leaves it out."),
        (
            "BIRTH_DATE_FIELD",
            "date_of_birth",
            "Name of the birth date field when an account is created; `none` leaves it out.",
        ),
        (
            "ACCOUNT_SEARCH",
            _DEFAULT.account_search.value,
            "`email`: Light filters the account list by e-mail; `all`: the whole list is read.",
        ),
        ("PAGE_SIZE", str(_DEFAULT.page_size), "Accounts asked for per page of the account list."),
        ("WEBHOOK_ALGORITHM", _DEFAULT.webhook.algorithm.value, "Hash of the webhook signature: `sha256` or `sha512`."),
        ("WEBHOOK_ENCODING", _DEFAULT.webhook.encoding.value, "Writing of the signature: `hex` or `base64`."),
        (
            "WEBHOOK_PREFIX",
            _DEFAULT.webhook.prefix.value,
            "Around the signature: `none`, `algorithm` (`sha256=...`) or `list` (`t=...,v1=...`).",
        ),
        (
            "WEBHOOK_SIGNED_TEXT",
            _DEFAULT.webhook.signed_text.value,
            "What is signed: `body`, or `timestamp.body` (timestamp, a dot, the raw body).",
        ),
        ("WEBHOOK_HEADER", _DEFAULT.webhook.header, "Header that carries the signature."),
        (
            "WEBHOOK_TIMESTAMP_HEADER",
            _DEFAULT.webhook.timestamp_header,
            "Header that carries the timestamp, if it is signed and not in a list.",
        ),
        (
            "WEBHOOK_TOLERANCE_SECONDS",
            str(_DEFAULT.webhook.tolerance_seconds),
            "How far a signed timestamp may be from now.",
        ),
    )
}


class _Reader:
    """Reads one variable after the other and names it when it cannot be understood."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def _text(self, name: str) -> str:
        variable = f"{OVERRIDE_PREFIX}{name}"
        return self._environment.get(variable, "").strip() or DIALECT_VARIABLES[variable].default

    def _fail(self, name: str, wanted: str) -> DialectNotUnderstood:
        return DialectNotUnderstood(
            variable=f"{OVERRIDE_PREFIX}{name}", problem=f"is {self._text(name)!r}; it must be {wanted}."
        )

    def matching(self, name: str, pattern: re.Pattern[str], wanted: str) -> str:
        text = self._text(name)
        if not pattern.fullmatch(text):
            raise self._fail(name, wanted)
        return text

    def one_of(self, name: str, kind: type[EnumValue]) -> EnumValue:
        for member in kind:
            if member.value == self._text(name).lower():
                return member
        raise self._fail(name, "one of " + ", ".join(str(member.value) for member in kind))

    def many(self, name: str, pattern: re.Pattern[str], wanted: str) -> tuple[str, ...]:
        return self._split(name, lambda part: bool(pattern.fullmatch(part)), f"{wanted}, separated by commas")

    def rate_kind_spellings(self, name: str) -> tuple[tuple[str, str], ...]:
        pairs = self.many(name, _RATE_SPELLING, "words such as FLAT=FIXED")
        spellings = [(plain_word(spelling), kind) for spelling, _, kind in (pair.partition("=") for pair in pairs)]
        if len(dict(spellings)) < len(set(spellings)):
            raise self._fail(name, "without one word for two kinds")
        return tuple(spellings)

    def http_statuses(self, name: str) -> tuple[int, ...]:
        if self._text(name).lower() == "none":
            return ()
        wanted = "HTTP statuses from 400 to 499 other than 401 and 429, separated by commas, or none"
        parts = self._split(name, lambda part: bool(re.fullmatch("4[0-9][0-9]", part)), wanted)
        if {"401", "429"} & set(parts):
            raise self._fail(name, wanted)
        return tuple(int(part) for part in parts)

    def optional_field(self, name: str) -> str | None:
        text = self._text(name)
        return None if text.lower() == "none" else self.matching(name, _FIELD_NAME, "a field name, or none")

    def whole_number(self, name: str, *, highest: int) -> int:
        text = self._text(name)
        if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= highest:
            raise self._fail(name, f"a whole number from 1 to {highest}")
        return int(text)

    def _split(self, name: str, fits: Callable[[str], bool], wanted: str) -> tuple[str, ...]:
        parts = tuple(part.strip() for part in self._text(name).split(","))
        if not all(fits(part) for part in parts):
            raise self._fail(name, wanted)
        return parts
