"""Dates, durations, people and details as text for staff."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from uuid import UUID

from django.contrib.auth import get_user_model

from core.actors import SERVICE_ACCOUNT_MARK, ActorKind
from core.dates import chicago_time, short_date
from core.public_records import parse_public_id

_ACCOUNT_KINDS = frozenset(
    each.value.lower() for each in (ActorKind.STAFF, ActorKind.TECHNICIAN, ActorKind.CLIENT_SYSTEM)
)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}.*")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def describe_details(details: Mapping[str, object], *, leave_out: tuple[str, ...] = ()) -> str:
    """
    Write the plain values of a journal entry in words; empty values, UUIDs and nested values are left out.

    `leave_out` has the endings of names that are left out too.
    """
    shown = (
        (name, _describe(value))
        for name, value in details.items()
        if isinstance(value, str | int) and not (leave_out and name.endswith(leave_out))
    )
    return ", ".join(f"{name.replace('_', ' ')}: {words}" for name, words in shown if words)


def _describe(value: str | int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    if _INSTANT.fullmatch(text):
        return moment(datetime.fromisoformat(text))
    if _DAY.fullmatch(text):
        return short_date(date.fromisoformat(text))
    if _CODE.fullmatch(text):
        return text.replace("_", " ").capitalize()
    return "" if _UUID.fullmatch(text) else text


def describe_event(name: str) -> str:
    """Write a stored event name in words: `enrollment.hold` as “Enrollment: hold”."""
    return name.replace("_", " ").replace(".", ": ").capitalize()


def moment(at: datetime | None) -> str:
    """Return an instant in Chicago time, to the minute."""
    return chicago_time(at) if at else "—"


def age(since: datetime, at: datetime) -> str:
    """Return how long ago or how far ahead an instant is, such as “3 days”."""
    length = abs(at - since)
    if length < timedelta(minutes=1):
        return "under a minute"
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(length.total_seconds() // seconds)
        if count:
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return "under a minute"


def name_actors(references: Iterable[str]) -> dict[str, str]:
    """Return display names for stored actors, with one query. A customer is "Customer": the page says which one."""
    wanted = {reference: _parts(reference) for reference in references}
    public_ids = {public_id for kind, public_id in wanted.values() if kind in _ACCOUNT_KINDS and public_id}
    people = get_user_model()._default_manager.filter(public_id__in=public_ids) if public_ids else ()
    usernames = {each.public_id: each.get_username().removeprefix(SERVICE_ACCOUNT_MARK) for each in people}
    names = {}
    for reference, (kind, public_id) in wanted.items():
        words = kind.replace("_", " ")
        if kind in _ACCOUNT_KINDS and public_id in usernames:
            names[reference] = f"{usernames[public_id]} ({words})"
        elif public_id is None:
            names[reference] = reference.replace("_", " ").replace(":", " ").capitalize()
        else:
            names[reference] = words.capitalize()
    return names


def _parts(reference: str) -> tuple[str, UUID | None]:
    kind, _, identifier = reference.partition(":")
    return kind, parse_public_id(identifier)
