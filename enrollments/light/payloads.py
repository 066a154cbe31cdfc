"""
What we send to Light and what we read from its answers.

Answers are read field by field. Missing, null or unreadable values are None, unknown keys are ignored, and `raw` keeps
the original (fractions as text), ready for `json.dumps`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from enrollments.light.dialect import FROZEN_STATUS, READY_STATUS, Dialect, normalize_word
from enrollments.light.json_text import Fields, as_plain_json, is_web_address, read_identifier
from enrollments.light.reasons import reasons_from

_ESI_ID = re.compile(r"[0-9]{17,22}", re.ASCII)
_MAX_TERM_MONTHS = 600
_MAX_SHOWN_LENGTH = 64
MAX_NAMED = 5
_UNSHOWN = re.compile(r"[^\x21-\x7e]")
_FLAGS = (
    "has_accepted_plan",
    "has_payment_method",
    "is_billing_address_confirmed",
    "is_identity_verified",
    "is_enrollment_finalized",
    "is_service_active",
)


class UnreadableResponse(ValueError):
    """The answer is JSON, but not what was asked for."""


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)


def _check_esi_id(text: str) -> str:
    if not _ESI_ID.fullmatch(text):
        raise ValueError("an ESI ID has 17 to 22 digits and nothing else")
    return text


EsiId = Annotated[str, AfterValidator(_check_esi_id)]
Identifier = Annotated[str, AfterValidator(read_identifier)]


class NewAccount(_Payload):
    """A customer for whom an account is created. The last two fields are optional for Light too."""

    email: str = Field(repr=False, min_length=3)
    first_name: str = Field(repr=False)
    last_name: str = Field(repr=False)
    phone_number: str | None = Field(default=None, repr=False)
    date_of_birth: date | None = Field(default=None, repr=False)


class Acceptance(_Payload):
    """The plan to accept, its meter, and the first day of service."""

    plan_uuid: Identifier
    esi_id: EsiId
    service_start_date: date


class Location(_Payload):
    """A meter under contract, as shown on the account."""

    uuid: str
    esi_id: str | None = None
    service_start_date: date | None = None
    final_service_date: date | None = None
    is_service_active: bool = False
    plan_uuid: str | None = None
    plan_name: str | None = None

    @property
    def names_contract(self) -> bool:
        """Whether it names a plan or a first day of service, which exist only after an acceptance."""
        return bool(self.plan_uuid or self.service_start_date)


class Account(_Payload):
    """
    One of Light's accounts. A missing flag is False, except `client_agent_accepted`, which is None.

    `is_acceptance_denied` is true only if Light explicitly says that no plan is accepted. `is_canceled` comes from the
    status, because the webhook may be lost. `unreadable_fields` names fields that were present but made no sense;
    `derive_stage` takes them into account.
    """

    uuid: str
    email: str | None = Field(default=None, repr=False)
    status: str | None = None
    has_accepted_plan: bool = False
    is_acceptance_denied: bool = False
    has_payment_method: bool = False
    is_billing_address_confirmed: bool = False
    is_identity_verified: bool = False
    is_enrollment_finalized: bool = False
    is_service_active: bool = False
    is_canceled: bool = False
    client_agent_accepted: bool | None = None
    client_agent_accepted_at: datetime | None = None
    locations: tuple[Location, ...] = ()
    created_at: datetime | None = None
    unreadable_fields: tuple[str, ...] = ()
    raw: dict[str, object] = Field(default_factory=dict, repr=False)

    def for_meter(self, esi_id: str) -> Account:
        """
        Return the account as it applies to one meter.

        Flags and status describe the whole account. If the customer has a contract at another meter, they say nothing
        about this one, and only its own location counts.
        """
        others = [place for place in self.locations if place.esi_id not in (None, "", esi_id)]
        if not any(place.names_contract for place in others):
            return self
        ours = tuple(place for place in self.locations if place not in others)
        return self.model_copy(
            update={
                "locations": ours,
                "has_accepted_plan": any(place.names_contract for place in ours),
                "is_enrollment_finalized": False,
                "is_service_active": any(place.is_service_active for place in ours),
                "is_canceled": False,
            }
        )

    @property
    def last_day_of_service(self) -> date | None:
        """The latest last day of its locations; None while any of them has no end."""
        ends = [place.final_service_date for place in self.locations]
        return max((end for end in ends if end is not None), default=None) if None not in ends else None

    @property
    def shows_acceptance(self) -> bool:
        """
        Whether a plan is accepted, by flag or by location. Either may lag behind the other.

        Source: light-api notes, section 2.6: there is no location before an acceptance.
        """
        return self.has_accepted_plan or any(place.names_contract for place in self.locations)


class Plan(_Payload):
    """
    One priced offer for one meter at one moment. None: missing or unreadable.

    `rate_kind` is one of `RATE_KINDS`, or Light's own value if the dialect does not know it.
    """

    uuid: str
    group_uuid: str | None = None
    name: str | None = None
    term_months: int | None = None
    energy_rate_cents_per_kwh: Decimal | None = None
    export_rate_cents_per_kwh: Decimal | None = None
    plan_monthly_cost_dollars: Decimal | None = None
    delivery_rate_cents_per_kwh: Decimal | None = None
    delivery_monthly_cost_dollars: Decimal | None = None
    avg_cents_per_kwh_500: Decimal | None = None
    avg_cents_per_kwh_1000: Decimal | None = None
    avg_cents_per_kwh_2000: Decimal | None = None
    early_termination_fee_dollars: Decimal | None = None
    rate_kind: str | None = None
    tdu_shortname: str | None = None
    expires_at: datetime | None = None
    efl_url: str | None = None
    tos_url: str | None = None
    yrac_url: str | None = None
    unreadable_fields: tuple[str, ...] = ()
    raw: dict[str, object] = Field(default_factory=dict, repr=False)


class Unusable(_Payload):
    """A list entry that cannot be used because its identifier is missing or not a UUID."""

    place: int
    identifier: str = ""
    email: str | None = Field(default=None, repr=False)

    @property
    def named(self) -> str:
        """How to recognize it, wherever it is in the list."""
        return f"identifier “{self.identifier}”" if self.identifier else "no identifier"

    def __str__(self) -> str:
        return f"number {self.place} ({self.named})"


class PlanList(_Payload):
    """The offers in Light's order, and the entries that cannot be accepted."""

    plans: tuple[Plan, ...]
    unusable: tuple[Unusable, ...] = ()

    @property
    def dropped(self) -> int:
        return len(self.unusable)


class AccountList(_Payload):
    """Accounts from one of Light's lists, and the entries that cannot be used."""

    accounts: tuple[Account, ...]
    unusable: tuple[Unusable, ...] = ()


class HostedLink(_Payload):
    """A customer's one-time link to Light's own pages. Pass it on at once; never store, mail or log it."""

    login_link: str = Field(repr=False)
    expires_at: datetime | None = None

    def __str__(self) -> str:
        return repr(self)


class WriteResult(_Payload):
    """
    Light's 2xx answer to a write: `account` and `locations` if it shows them, and `error_text` if it reports an error.

    A 2xx alone proves nothing. The caller compares the answer with what was asked for.
    """

    status: int
    account: Account | None = None
    locations: tuple[Location, ...] = ()
    error_text: str = ""
    raw: dict[str, object] = Field(default_factory=dict, repr=False)

    @property
    def summary(self) -> str:
        """What Light answered, in a phrase for staff."""
        return (
            f"Light answered {self.status}: {self.error_text}" if self.error_text else f"Light answered {self.status}"
        )


class Documents(_Payload):
    """The URLs of the documents of a location's plan."""

    efl: str | None = None
    tos: str | None = None
    yrac: str | None = None


class LightStage(Enum):
    """How far an account has come, derived without relying on undocumented status texts."""

    ACTIVE = "ACTIVE"
    ENDED = "ENDED"
    FINALIZED = "FINALIZED"
    ACCEPTED = "ACCEPTED"
    FROZEN = "FROZEN"
    READY = "READY"
    COLLECTING = "COLLECTING"
    UNKNOWN = "UNKNOWN"


BEYOND_ACCEPTANCE = frozenset({LightStage.ACCEPTED, LightStage.FINALIZED, LightStage.ACTIVE})


def derive_stage(
    account: Account,
    today: date,
    *,
    known_statuses: tuple[str, ...] = Dialect().known_statuses,
    has_cancel_event: bool = False,
) -> LightStage:
    """
    Derive the stage. The first matching rule wins; UNKNOWN means that a person should look.

    `today` is the Chicago day. An unknown status matters only after a day, which the caller keeps track of. An
    unreadable flag makes everything before the acceptance UNKNOWN, because it may be the one that says "accepted". If
    Light shows no status at all, READY follows from the flags alone; see `AccountFacts.is_stage_derived`.

    Source: light-api notes, section 3, and section 8, row 3.
    """
    rules = (
        (account.is_service_active or any(place.is_service_active for place in account.locations), LightStage.ACTIVE),
        (has_cancel_event or _has_ended(account, today), LightStage.ENDED),
        (account.is_enrollment_finalized, LightStage.FINALIZED),
        (account.shows_acceptance, LightStage.ACCEPTED),
        (_is_state_unreadable(account), LightStage.UNKNOWN),
        (account.status == FROZEN_STATUS, LightStage.FROZEN),
        (account.status == READY_STATUS, LightStage.READY),
        (account.status is not None and account.status not in known_statuses, LightStage.UNKNOWN),
        (account.status is None and not missing_prerequisites(account), LightStage.READY),
    )
    return next((stage for fits, stage in rules if fits), LightStage.COLLECTING)


def _is_state_unreadable(account: Account) -> bool:
    return any(name.startswith(("enrollment", "locations", "status")) for name in account.unreadable_fields)


def _has_ended(account: Account, today: date) -> bool:
    """Whether service is over. A canceled service still runs to its last day, if one is shown."""
    if account.is_canceled:
        return account.last_day_of_service is None or account.last_day_of_service < today
    return any(place.final_service_date is not None and place.final_service_date < today for place in account.locations)


def missing_prerequisites(account: Account) -> tuple[str, ...]:
    """
    List what the customer still has to do on Light's pages: `identity`, `payment_method`, `billing_address`.

    The credit check has no flag; it shows only in the status.
    """
    steps = (
        ("identity", account.is_identity_verified),
        ("payment_method", account.has_payment_method),
        ("billing_address", account.is_billing_address_confirmed),
    )
    return tuple(name for name, is_done in steps if not is_done)


def parse_account(source: object, *, dialect: Dialect) -> Account:
    """:raises UnreadableResponse: not an object with a UUID"""
    fields, whole = _open(source, "account")
    uuid = fields.uuid("uuid")
    if uuid is None:
        raise UnreadableResponse("the account has no valid uuid")

    flags: dict[str, bool] = {}
    enrollment = whole.get("enrollment")
    if isinstance(enrollment, Mapping):
        inner = Fields(enrollment, within="enrollment.")
        told = {name: inner.boolean(name) for name in _FLAGS}
        flags = {name: flag or False for name, flag in told.items()}
        flags["is_acceptance_denied"] = told["has_accepted_plan"] is False
        fields.adopt(inner)
    elif enrollment is not None:
        fields.mark_unreadable("enrollment")

    status = _find_status(whole, dialect.status_lookup, fields)
    values: dict[str, object] = {
        "status": status,
        "is_canceled": status in dialect.canceled_statuses,
        "client_agent_accepted": fields.boolean("client_agent_accepted"),
        "client_agent_accepted_at": fields.instant("client_agent_accepted_at"),
        "locations": _parse_locations(whole.get("locations"), fields),
        "email": fields.text("email"),
        "created_at": fields.instant("created_at"),
    }
    return Account.model_validate(
        {"uuid": uuid, "raw": _raw(whole), "unreadable_fields": fields.unreadable, **flags, **values}
    )


def _find_status(whole: Mapping[str, object], lookup: tuple[str, ...], fields: Fields) -> str | None:
    return _find_text(whole, lookup, fields, name="status")


def _find_rate_kind(whole: Mapping[str, object], dialect: Dialect, fields: Fields) -> str | None:
    text = _find_text(whole, dialect.rate_kind_lookup, fields, name="rate_kind")
    if text is None:
        return None
    word = normalize_word(text)
    return dict(dialect.rate_kind_spellings).get(word, word)


def _find_text(whole: Mapping[str, object], lookup: tuple[str, ...], fields: Fields, *, name: str) -> str | None:
    """Return the first text found along the lookup. If only other values are found, mark `name` as unreadable."""
    is_unreadable = False
    for path in lookup:
        found: object = whole
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        if isinstance(found, str) and found.strip():
            return found[:200]
        is_unreadable = is_unreadable or found not in (None, "")
    if is_unreadable:
        fields.mark_unreadable(name)
    return None


def _parse_locations(source: object, fields: Fields) -> tuple[Location, ...]:
    if source is None:
        return ()
    if not isinstance(source, list):
        fields.mark_unreadable("locations")
        return ()
    locations = []
    for index, entry in enumerate(source):
        within = f"locations[{index}]"
        if not isinstance(entry, Mapping):
            fields.mark_unreadable(within)
            continue
        inner = Fields(entry, within=f"{within}.")
        uuid = inner.identifier("uuid")
        location = {
            "esi_id": inner.digits("esi_id") or inner.digits("utility_number"),
            "service_start_date": inner.day("service_start_date"),
            "final_service_date": inner.day("final_service_date"),
            "is_service_active": inner.boolean("is_service_active") or False,
            "plan_uuid": inner.identifier("plan_uuid"),
            "plan_name": inner.text("plan_name"),
        }
        if entry.get("uuid") is None:
            inner.mark_unreadable("uuid")
        fields.adopt(inner)
        locations.append(Location.model_validate({"uuid": uuid or "", **location}))
    return tuple(locations)


def parse_plans(source: object, *, dialect: Dialect) -> PlanList:
    """
    Read the offers from an object with `plans` or from a bare array. An empty list is valid.

    :raises UnreadableResponse: neither of the two
    """
    entries = source.get("plans", source.get("data")) if isinstance(source, Mapping) else source
    if not isinstance(entries, list):
        raise UnreadableResponse("the answer has no list of plans")
    plans, unusable = [], []
    for place, entry in enumerate(entries, start=1):
        plan = _parse_plan(entry, dialect)
        if plan is None:
            unusable.append(describe_unusable(entry, place=place))
        else:
            plans.append(plan)
    return PlanList(plans=tuple(plans), unusable=tuple(unusable))


def parse_accounts(entries: list[object], *, dialect: Dialect) -> AccountList:
    """Read the accounts in a list. An unreadable one does not affect the others."""
    accounts, unusable = [], []
    for place, entry in enumerate(entries, start=1):
        try:
            accounts.append(parse_account(entry, dialect=dialect))
        except UnreadableResponse:
            unusable.append(describe_unusable(entry, place=place))
    return AccountList(accounts=tuple(accounts), unusable=tuple(unusable))


def name_unusable(entries: Sequence[Unusable]) -> str:
    """Name the first few entries for staff, and count the others."""
    named = ", ".join(map(str, entries[:MAX_NAMED]))
    more = len(entries) - MAX_NAMED
    return f"{named} and {more} more" if more > 0 else named


def describe_unusable(entry: object, *, place: int) -> Unusable:
    """Keep what staff need to find an entry at Light: its place in the list and its identifier, if any."""
    if not isinstance(entry, Mapping):
        return Unusable(place=place)
    identifier = "" if entry.get("uuid") is None else _UNSHOWN.sub("?", str(entry["uuid"]))[:_MAX_SHOWN_LENGTH]
    email = entry.get("email")
    return Unusable(place=place, identifier=identifier, email=email if isinstance(email, str) else None)


def _parse_plan(source: object, dialect: Dialect) -> Plan | None:
    if not isinstance(source, Mapping):
        return None
    fields = Fields(source)
    uuid = fields.uuid("uuid")
    if uuid is None:
        return None
    links = source.get("links")
    documents = Fields(links if isinstance(links, Mapping) else {}, within="links.")
    if links is not None and not isinstance(links, Mapping):
        fields.mark_unreadable("links")
    values: dict[str, object] = {
        "group_uuid": fields.identifier("group_uuid"),
        "term_months": fields.whole_number("term_months", maximum=_MAX_TERM_MONTHS),
        "expires_at": fields.expiry("expires_at"),
        "efl_url": documents.url("efl"),
        "tos_url": documents.url("tos"),
        "yrac_url": documents.url("yrac"),
        "rate_kind": _find_rate_kind(source, dialect, fields),
    }
    for name, kind in Plan.model_fields.items():
        if kind.annotation == Decimal | None:
            values[name] = fields.amount(name)
    for name in ("name", "tdu_shortname"):
        values[name] = fields.text(name)
    fields.adopt(documents)
    return Plan.model_validate({"uuid": uuid, "unreadable_fields": fields.unreadable, "raw": _raw(source), **values})


def parse_hosted_link(source: object) -> HostedLink:
    """:raises UnreadableResponse: it contains no web URL"""
    fields, _ = _open(source, "link")
    login_link = fields.text("login_link")
    if login_link is None or not is_web_address(login_link):
        raise UnreadableResponse("the answer has no usable login_link")
    return HostedLink(login_link=login_link, expires_at=fields.instant("expires_at"))


def parse_documents(source: object) -> Documents:
    """:raises UnreadableResponse: not an object"""
    fields, _ = _open(source, "list of documents")
    return Documents(efl=fields.url("efl"), tos=fields.url("tos"), yrac=fields.url("yrac"))


def parse_write_answer(source: object, *, status: int, dialect: Dialect) -> WriteResult:
    """
    Read the answer to a write: an account or a location, at the top level or under its own key, or nothing.

    :raises UnreadableResponse: JSON, but not an object
    """
    if source is None:
        return WriteResult(status=status)
    _, whole = _open(source, "answer")
    error_text = "; ".join(reasons_from(whole)) if _names_failure(whole) else ""
    account = _account_in(whole, dialect)
    locations = account.locations if account is not None else _location_in(whole)
    return WriteResult(
        status=status, account=account, locations=locations, error_text=error_text[:500], raw=_raw(whole)
    )


def _names_failure(whole: Mapping[str, object]) -> bool:
    """Whether an answer names an error, says that it did not succeed, or contains a message."""
    is_failure = any(whole.get(key) for key in ("error", "errors")) or whole.get("success") is False
    return is_failure or any(isinstance(whole.get(key), str) for key in ("detail", "message"))


def _account_in(whole: Mapping[str, object], dialect: Dialect) -> Account | None:
    inner = whole.get("account")
    for source in (inner if isinstance(inner, Mapping) else None, whole):
        if source is not None and any(key in source for key in ("enrollment", "locations", "email")):
            try:
                return parse_account(source, dialect=dialect)
            except UnreadableResponse:
                continue
    return None


def _location_in(whole: Mapping[str, object]) -> tuple[Location, ...]:
    inner = whole.get("location")
    source = inner if isinstance(inner, Mapping) else whole
    found = _parse_locations([source], Fields({}))
    return tuple(location for location in found if location.names_contract or location.esi_id)


def _open(source: object, what: str) -> tuple[Fields, Mapping[str, object]]:
    if not isinstance(source, Mapping):
        raise UnreadableResponse(f"the {what} is not an object")
    return Fields(source), source


def _raw(source: Mapping[str, object]) -> dict[str, object]:
    return cast("dict[str, object]", as_plain_json(source))
