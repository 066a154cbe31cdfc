"""Dates, durations, people and details as text for staff."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from django.contrib.auth import get_user_model
from django.utils import timezone
from django.utils.formats import date_format

from core.actors import SERVICE_ACCOUNT_MARK

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
        return date_format(date.fromisoformat(text), "M j, Y")
    if _CODE.fullmatch(text):
        return text.replace("_", " ").capitalize()
    return "" if _UUID.fullmatch(text) else text


def moment(at: datetime | None) -> str:
    """Return an instant in Chicago time, to the minute."""
    return date_format(timezone.localtime(at), "M j, Y, H:i") if at else "—"


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
    """Return display names for stored actors such as `staff:3`, with one query."""
    wanted = set(references)
    user_kinds = ("staff", "technician", "client_system")
    user_ids = {
        int(number)
        for kind, _, number in (reference.partition(":") for reference in wanted)
        if kind in user_kinds and number.isdigit()
    }
    users = get_user_model()._default_manager.in_bulk(user_ids) if user_ids else {}
    names = {}
    for reference in wanted:
        kind, _, number = reference.partition(":")
        words = kind.replace("_", " ").capitalize()
        if kind in user_kinds and number.isdigit() and int(number) in users:
            username = users[int(number)].get_username().removeprefix(SERVICE_ACCOUNT_MARK)
            names[reference] = f"{username} ({kind.replace('_', ' ')})"
        else:
            names[reference] = f"{words} {number}".strip()
    return names
