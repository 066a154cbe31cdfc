"""Outgoing webhooks: signed, sent at least once, and retried on the stand-in's clock until a 2xx response."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import requests

from simulator.clock import SimulatorClock, iso_instant
from simulator.dialect import Dialect

__all__ = ["EVENTS", "RETRY_AFTER", "Delivery", "WebhookSender", "WebhookSwitches", "event_body", "signed_headers"]

EVENTS = (
    "enrollment.plan_requested",
    "enrollment.plan_accepted",
    "enrollment.identity_updated",
    "enrollment.finalized",
    "account.payment_method_added",
    "account.billing_address_updated",
    "account.payment_failed",
    "account.payment_successful",
    "location.service_active",
    "location.service_canceled",
    "location.usage_history_available",
    "comparison_invoice.processed",
)

RETRY_AFTER = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720))

_TIMEOUT_SECONDS = 10
_IDLE_SECONDS = 0.1
_REORDER_SECONDS = 0.3


@dataclass
class WebhookSwitches:
    duplicate: int = 0
    """Extra copies of each event, with the same id."""
    reorder: bool = False
    """Collect due events for a moment and send the newest first."""
    delay_seconds: float = 0.0
    """On the stand-in's clock."""
    off: bool = False
    """Store events without sending them. A resend still sends."""


@dataclass
class Delivery:
    uuid: str
    event: str
    account_uuid: str | None
    body: bytes
    created_at: datetime
    due_at: datetime | None
    answers: list[dict[str, Any]] = field(default_factory=list)
    retries: int = 0
    is_delivered: bool = False

    def as_json(self) -> dict[str, object]:
        return {
            "uuid": self.uuid,
            "event": self.event,
            "account_uuid": self.account_uuid,
            "created_at": iso_instant(self.created_at),
            "due_at": iso_instant(self.due_at) if self.due_at else None,
            "is_delivered": self.is_delivered,
            "answers": self.answers,
            "body": self.body.decode(),
        }


class WebhookSender:
    """Stores every event and sends due ones in its own thread."""

    def __init__(self, *, clock: SimulatorClock, dialect: Callable[[], Dialect], secret: str, url: str) -> None:
        self.url = url
        self.secret = secret
        self.switches = WebhookSwitches()
        self.deliveries: list[Delivery] = []
        self._clock = clock
        self._dialect = dialect
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._sending = 0
        self._generation = 0
        self._session = requests.Session()
        self._session.trust_env = False
        self._thread = threading.Thread(target=self._run, name="webhook-sender", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._wake.set()
        self._thread.join(timeout=_TIMEOUT_SECONDS + 1)
        self._session.close()

    def wake(self) -> None:
        self._wake.set()

    def clear(self) -> None:
        """Delete all events. One that is being sent may still arrive until `wait_until_quiet` returns."""
        with self._lock:
            self._generation += 1
            self.deliveries.clear()
            self.switches = WebhookSwitches()

    def queue(self, *, event: str, account_uuid: str | None, body: dict[str, Any], event_uuid: str) -> None:
        now = self._clock.now()
        raw = json.dumps(body, separators=(",", ":")).encode()
        due_at = None if self.switches.off or not self.url else now + timedelta(seconds=self.switches.delay_seconds)
        with self._lock:
            for _ in range(1 + self.switches.duplicate):
                self.deliveries.append(Delivery(event_uuid, event, account_uuid, raw, now, due_at))
        self._wake.set()

    def resend(self, *, event_uuid: str | None, event: str | None, account_uuid: str | None, times: int) -> int:
        """Send matching events again now, with the same ID and body. Return the number of copies."""
        now = self._clock.now()
        with self._lock:
            matching = {
                delivery.uuid: delivery
                for delivery in self.deliveries
                if event_uuid in (None, delivery.uuid)
                and event in (None, delivery.event)
                and account_uuid in (None, delivery.account_uuid)
            }
            copies = [
                Delivery(found.uuid, found.event, found.account_uuid, found.body, found.created_at, now)
                for found in matching.values()
                for _ in range(times)
            ]
            self.deliveries.extend(copies)
        self._wake.set()
        return len(copies)

    def pending_count(self) -> int:
        """Count events that are due now and not answered yet."""
        with self._lock:
            return len(self._due()) + self._sending

    def wait_until_quiet(self, timeout_seconds: float) -> bool:
        """Wait until nothing is due. Return whether that happened in time."""
        waiter = threading.Event()
        for _ in range(max(1, int(timeout_seconds / 0.02))):
            if not self.pending_count():
                return True
            waiter.wait(0.02)
        return False

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait(_IDLE_SECONDS)
            self._wake.clear()
            if self.switches.reorder and self.pending_count():
                self._stopped.wait(_REORDER_SECONDS)
            generation, claimed = self._claim_due()
            for delivery in claimed:
                if self._stopped.is_set() or generation != self._generation:
                    break
                self._send(delivery)
            with self._lock:
                self._sending = 0

    def _due(self) -> list[Delivery]:
        if not self.url:
            return []
        now = self._clock.now()
        return [delivery for delivery in self.deliveries if delivery.due_at is not None and delivery.due_at <= now]

    def _claim_due(self) -> tuple[int, list[Delivery]]:
        with self._lock:
            due = self._due()
            for delivery in due:
                delivery.due_at = None
            self._sending = len(due)
            return self._generation, due[::-1] if self.switches.reorder else due

    def _send(self, delivery: Delivery) -> None:
        sent_at = self._clock.now()
        headers = signed_headers(self._dialect(), self.secret, delivery.body, sent_at)
        outcome: dict[str, Any] = {"sent_at": iso_instant(sent_at), "headers": headers}
        try:
            response = self._session.post(
                self.url, data=delivery.body, headers=headers, timeout=_TIMEOUT_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            outcome["error"] = type(error).__name__
        else:
            outcome["status"] = response.status_code
            delivery.is_delivered = response.ok
        with self._lock:
            delivery.answers.append(outcome)
            if not delivery.is_delivered and delivery.retries < len(RETRY_AFTER):
                delivery.due_at = sent_at + RETRY_AFTER[delivery.retries]
                delivery.retries += 1
            self._sending -= 1


def event_body(
    dialect: Dialect,
    *,
    event: str,
    event_uuid: str,
    at: datetime,
    app_uuid: str,
    account_uuid: str | None,
    location_uuid: str | None,
    extra: dict[str, Any],
) -> dict[str, Any]:
    """Return an event in the dialect's payload format."""
    if dialect.webhook_payload == "nested":
        body: dict[str, Any] = {
            "uuid": event_uuid,
            "event": event,
            "created_at": iso_instant(at),
            "app": {"uuid": app_uuid},
            "data": extra,
        }
        if account_uuid:
            body["account"] = {"uuid": account_uuid}
        if location_uuid:
            body["location"] = {"uuid": location_uuid}
        return body
    references = {"account_uuid": account_uuid, "location_uuid": location_uuid}
    given = {key: value for key, value in references.items() if value}
    if dialect.webhook_payload == "flat":
        return {"id": event_uuid, "event_type": event, "occurred_at": iso_instant(at), **given, "data": extra}
    return {"id": event_uuid, "type": event, "created": iso_instant(at), "data": {**given, **extra}}


def signed_headers(dialect: Dialect, secret: str, body: bytes, at: datetime) -> dict[str, str]:
    """Sign a raw body as the dialect requires."""
    timestamp = str(int(at.timestamp()))
    signed_text = timestamp.encode() + b"." + body if dialect.webhook_signed_text == "timestamp.body" else body
    digest = hmac.new(secret.encode(), signed_text, getattr(hashlib, dialect.webhook_hash)).digest()
    signature = digest.hex() if dialect.webhook_encoding == "hex" else base64.b64encode(digest).decode()
    if dialect.webhook_format == "prefixed":
        signature = f"{dialect.webhook_hash}={signature}"
    elif dialect.webhook_format == "list":
        signature = f"t={timestamp},v1={signature}"
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "light-simulator",
        dialect.webhook_header: signature,
    }
    if dialect.webhook_timestamp_header:
        headers[dialect.webhook_timestamp_header] = timestamp
    return headers
