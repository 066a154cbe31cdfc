"""Webhooks as Light sends them: built, signed and posted to our endpoint."""

import json
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

import simulator.dialect as simulated
from core import clock
from enrollments.actions import webhook_processing
from enrollments.models import WebhookDelivery
from simulator.webhooks import signed_headers

ADDRESS = "/webhooks/light/"


def event(name: str, account_uuid: object = None, **changes: Any) -> bytes:
    """The body of an event in the shape of the stand-in's reference dialect."""
    body: dict[str, Any] = {"uuid": str(uuid4()), "event": name, "data": {}}
    if account_uuid is not None:
        body["account"] = {"uuid": str(account_uuid)}
    return json.dumps(body | changes).encode()


def signature(body: bytes, *, secret: str = "", dialect: simulated.Dialect = simulated.REFERENCE) -> dict[str, str]:
    headers = signed_headers(dialect, secret or settings.LIGHT_WEBHOOK_SECRETS[0], body, timezone.now())
    return {"X-Light-Signature": headers["X-Light-Signature"]}


def deliver(body: bytes, *, secret: str = "", **headers: str) -> HttpResponse:
    """Post a signed body; `headers` replace the default ones."""
    sent = {**signature(body, secret=secret), **headers}
    response = Client(enforce_csrf_checks=True).post(ADDRESS, data=body, content_type="application/json", headers=sent)
    assert isinstance(response, HttpResponse)
    return response


def settle_due(at: datetime | None = None) -> list[str]:
    """Process deliveries as the sweep does."""
    moment = at or clock.now()
    due = webhook_processing.due_deliveries(at=moment, limit=100)
    return [webhook_processing.settle_delivery(delivery_id=delivery_id, at=moment).value for delivery_id in due]


def only_delivery() -> WebhookDelivery:
    return WebhookDelivery.objects.get()
