"""Storing a webhook, once, before anything is made of it."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection
from django.db.models import F

from core.dates import chicago_day
from core.transactions import repeatable
from enrollments.light.events import MalformedEvent, parse_event
from enrollments.models import WebhookDelivery, WebhookRefusal, WebhookSender

MAX_HEADER_LENGTH = 500


def store_delivery(*, body: bytes, headers: Mapping[str, str], at: datetime) -> None:
    """
    Store a webhook whose signature is verified, due at once. The same one again changes nothing.

    One insert, and the unique key decides among fifty at the same instant. No message is queued: a queue that hangs
    must not cost an answer, and the sweep finds the row within seconds.
    """
    sha256 = hashlib.sha256(body).hexdigest()
    delivery = WebhookDelivery(
        event_key=_event_id(body) or sha256,
        body=_as_text(body),
        body_sha256=sha256,
        headers={name: _storable(value)[:MAX_HEADER_LENGTH] for name, value in headers.items()},
        received_at=at,
        due_at=at,
    )
    _insert_unless_known(delivery)


def _insert_unless_known(delivery: WebhookDelivery) -> None:
    """
    Send one statement, which commits by itself.

    `bulk_create` would say the same in a transaction, with two more journeys to the database for each webhook.
    """
    fields = [field for field in WebhookDelivery._meta.concrete_fields if not field.primary_key]
    values = [field.get_db_prep_save(getattr(delivery, field.attname), connection) for field in fields]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    table = quote(WebhookDelivery._meta.db_table)
    # Only names of the model's own columns are written into the statement.
    statement = f"INSERT INTO {table} ({columns}) VALUES ({places}) ON CONFLICT (event_key) DO NOTHING"  # noqa: S608  # nosec B608
    _execute(statement, values)


def _execute(statement: str, values: list[Any]) -> None:
    """
    Send a statement that may be sent twice on the kept connection, and on a fresh one if the kept one turns out dead.

    Looking first whether a kept connection lives would cost each webhook a journey of its own.
    """
    connection.health_check_done = True  # type: ignore[attr-defined]  # the stubs lack it
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
    except OperationalError:
        if connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute(statement, values)


@repeatable
def count_refusal(*, sender: WebhookSender, reason: str, at: datetime) -> None:
    """Count a request whose signature is wrong or missing: many of them mean that `sender` has another secret."""
    today, reason = chicago_day(at), reason[:200]
    WebhookRefusal.objects.bulk_create([WebhookRefusal(date=today, sender=sender, last_at=at)], ignore_conflicts=True)
    of_today = WebhookRefusal.objects.filter(date=today, sender=sender)
    of_today.update(count=F("count") + 1, last_at=at, last_reason=reason)


def _event_id(body: bytes) -> str | None:
    """Give the event's own id; an id that is the account's or location's would hide every event but the first."""
    try:
        event = parse_event(body)
    except MalformedEvent:
        return None
    return event.event_id if event.event_id not in {event.account_uuid, event.location_uuid} else None


def _as_text(body: bytes) -> str:
    return _storable(body.decode("utf-8", errors="backslashreplace"))


def _storable(text: str) -> str:
    """Write out the one character that PostgreSQL stores in no text."""
    return text.replace("\x00", "\\x00")
