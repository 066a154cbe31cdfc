"""Read the few facts that we need from a webhook. It is only a hint; the account is the source of truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from enrollments.light.json_text import UnreadableJson, UnreadableValue, load_json, read_identifier

_MAX_NAME_LENGTH = 200


class KnownEvent(Enum):
    """
    The events that Light documents. Others are possible and are not an error.

    Source: light-api notes, section 6.1.
    """

    PLAN_REQUESTED = "enrollment.plan_requested"
    PLAN_ACCEPTED = "enrollment.plan_accepted"
    IDENTITY_UPDATED = "enrollment.identity_updated"
    FINALIZED = "enrollment.finalized"
    PAYMENT_METHOD_ADDED = "account.payment_method_added"
    BILLING_ADDRESS_UPDATED = "account.billing_address_updated"
    PAYMENT_FAILED = "account.payment_failed"
    PAYMENT_SUCCESSFUL = "account.payment_successful"
    SERVICE_ACTIVE = "location.service_active"
    SERVICE_CANCELED = "location.service_canceled"
    USAGE_HISTORY_AVAILABLE = "location.usage_history_available"
    COMPARISON_INVOICE_PROCESSED = "comparison_invoice.processed"


class MalformedEvent(ValueError):
    """The body is not a JSON object, so nothing can be learned from it."""


@dataclass(frozen=True, kw_only=True)
class ReceivedEvent:
    """What a webhook says about itself. None: missing or unreadable."""

    event_id: str | None
    name: str | None
    account_uuid: str | None
    location_uuid: str | None

    @property
    def known(self) -> KnownEvent | None:
        """The documented event with this name, or None."""
        return next((event for event in KnownEvent if event.value == self.name), None)


def parse_event(body: bytes) -> ReceivedEvent:
    """
    Read a webhook's body. Its format is undocumented, so each fact is looked up in several places.

    :raises MalformedEvent: not JSON, or not an object

    Source: light-api notes, section 6.3, items 3 and 4.
    """
    try:
        source = load_json(body)
    except UnreadableJson as cause:
        raise MalformedEvent("The webhook's body is not JSON.") from cause
    if not isinstance(source, Mapping):
        raise MalformedEvent("The webhook's body is not a JSON object.")

    name = _first_name(source)
    return ReceivedEvent(
        event_id=_first_identifier(source, ("uuid", "id", "event_id", "event_uuid")),
        name=name,
        account_uuid=_subject(source, "account", name),
        location_uuid=_subject(source, "location", name),
    )


def _first_name(source: Mapping[str, object]) -> str | None:
    for key in ("event", "event_type", "type", "name"):
        value = source.get(key)
        if isinstance(value, str) and 0 < len(value) <= _MAX_NAME_LENGTH:
            return value
    return None


def _subject(source: Mapping[str, object], kind: str, name: str | None) -> str | None:
    places = [f"{kind}_uuid", f"{kind}.uuid", f"data.{kind}_uuid", f"data.{kind}.uuid"]
    if name is not None and name.startswith(f"{kind}."):
        places.append("data.uuid")
    return _first_identifier(source, places)


def _first_identifier(source: Mapping[str, object], places: Sequence[str]) -> str | None:
    for place in places:
        found: object = source
        for step in place.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)[:64]
        try:
            return read_identifier(found)
        except UnreadableValue:
            continue
    return None
