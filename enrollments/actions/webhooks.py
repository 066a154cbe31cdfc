"""Storing a webhook once, before it is processed."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection
from django.db.models import F

from core.dates import chicago_day
from core.transactions import repeatable
from enrollments.light.webhook_events import MalformedEvent, parse_event
from enrollments.models import WebhookDelivery, WebhookRefusal, WebhookSender

MAX_HEADER_LENGTH = 500


def store_delivery(*, body: bytes, headers: Mapping[str, str], at: datetime) -> None:
    """
    Store a webhook whose signature was verified, due immediately. A repeat changes nothing.

    This is one insert; the unique key resolves concurrent repeats. No message is queued, so that a hanging queue cannot
    delay the response. The sweep finds the row within seconds.
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
    Insert the row in one statement, in autocommit mode.

    `bulk_create` would do the same in a transaction, with two more round trips for each webhook.
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
    Execute an idempotent statement on the open connection, or on a new one if the open one is dead.

    Checking the connection first would cost each webhook another round trip.
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
    """Count a request whose signature is wrong or missing. Many of them mean that `sender` has a different secret."""
    today, reason = chicago_day(at), reason[:200]
    WebhookRefusal.objects.bulk_create([WebhookRefusal(date=today, sender=sender, last_at=at)], ignore_conflicts=True)
    of_today = WebhookRefusal.objects.filter(date=today, sender=sender)
    of_today.update(count=F("count") + 1, last_at=at, last_reason=reason)


def _event_id(body: bytes) -> str | None:
    """Return the event's own ID. An account or location ID would make all events but the first look like repeats."""
    try:
        event = parse_event(body)
    except MalformedEvent:
        return None
    return event.event_id if event.event_id not in {event.account_uuid, event.location_uuid} else None


def _as_text(body: bytes) -> str:
    return _storable(body.decode("utf-8", errors="backslashreplace"))


def _storable(text: str) -> str:
    """Escape the null character, which PostgreSQL cannot store in text."""
    return text.replace("\x00", "\\x00")
