"""What the endpoint stores and answers, before any processing."""

import hashlib
import json
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from django.test import Client
from kombu.exceptions import OperationalError
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from enrollments.light.dialect import Dialect
from enrollments.light.webhook_events import KnownEvent
from enrollments.light.webhook_signatures import Encoding, WebhookScheme
from enrollments.models import Enrollment, WebhookDelivery, WebhookRefusal, WebhookSender
from enrollments.webhooks.views import MAX_BODY_BYTES
from tests.integration.webhooks.deliveries import ADDRESS, deliver, event, only_delivery, settle_due, signature

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", [known.value for known in KnownEvent])
def test_every_published_event_is_stored_and_reads_the_account(
    name: str, enrollment: Enrollment, account_uuid: UUID
) -> None:
    response = deliver(event(name, account_uuid))

    assert response.status_code == 200
    assert settle_due() == ["matched"]
    delivery = only_delivery()
    assert (delivery.event_name, delivery.enrollment) == (name, enrollment)
    enrollment.refresh_from_db()
    assert enrollment.due_at is not None
    assert enrollment.readings_asked == 1


def test_row_has_body_hash_and_headers_without_signature() -> None:
    body = b'{"uuid": "e-1",  "event": "account.payment_failed", "n": 1.10}'

    deliver(body, **{"X-Request-Id": "abc", "Authorization": "Bearer secret", "Cookie": "s=1"})

    delivery = only_delivery()
    assert delivery.body == body.decode()
    assert delivery.body_sha256 == hashlib.sha256(body).hexdigest()
    assert delivery.headers["X-Request-Id"] == "abc"
    assert not {"X-Light-Signature", "Authorization", "Cookie"} & set(delivery.headers)


@pytest.mark.cell("W4")
def test_W4_forged_webhook_is_refused_and_only_counted(enrollment: Enrollment, account_uuid: UUID) -> None:
    body = event("enrollment.finalized", account_uuid)

    wrong = deliver(body, secret="somebody else's secret")
    missing = deliver(body, **{"X-Light-Signature": ""})
    altered = deliver(body + b" ", **signature(body))

    assert [response.status_code for response in (wrong, missing, altered)] == [401, 401, 401]
    assert not WebhookDelivery.objects.exists()
    enrollment.refresh_from_db()
    assert enrollment.due_at is None
    refusal = WebhookRefusal.objects.get()
    assert (refusal.sender, refusal.count) == (WebhookSender.LIGHT, 3)
    assert "matches none of our secrets" in refusal.last_reason


@pytest.mark.cell("W5")
def test_W5_replay_adds_no_row_and_no_reading(enrollment: Enrollment, account_uuid: UUID) -> None:
    body = event("enrollment.finalized", account_uuid)
    deliver(body)
    settle_due()

    replayed = deliver(body)

    assert replayed.status_code == 200
    assert settle_due() == []
    enrollment.refresh_from_db()
    assert (WebhookDelivery.objects.count(), enrollment.readings_asked) == (1, 1)


def test_repeated_event_id_counts_once_despite_another_body(account_uuid: UUID) -> None:
    deliver(event("enrollment.finalized", account_uuid, uuid="event-1", tries=1))
    deliver(event("enrollment.finalized", account_uuid, uuid="event-1", tries=2))

    assert only_delivery().event_key == "event-1"


def test_without_event_id_repeats_are_recognized_by_body() -> None:
    body = b'{"event": "enrollment.finalized", "account_uuid": "a"}'

    deliver(body)
    deliver(body)
    deliver(body.replace(b"finalized", b"plan_accepted"))

    assert WebhookDelivery.objects.count() == 2
    assert WebhookDelivery.objects.filter(event_key=hashlib.sha256(body).hexdigest()).exists()


def test_account_id_as_event_id_hides_no_later_event(account_uuid: UUID) -> None:
    for name in ("enrollment.plan_accepted", "enrollment.finalized"):
        deliver(event(name, account_uuid, uuid=str(account_uuid)))

    assert WebhookDelivery.objects.count() == 2


@pytest.mark.cell("W10")
def test_W10_during_rotation_both_secrets_are_valid_then_one(settings: Settings) -> None:
    settings.LIGHT_WEBHOOK_SECRETS = ["the old secret of the app", "the new secret of the app"]
    answers = [deliver(event("x", uuid4()), secret=secret).status_code for secret in settings.LIGHT_WEBHOOK_SECRETS]
    settings.LIGHT_WEBHOOK_SECRETS = ["the new secret of the app"]
    answers.append(deliver(event("x", uuid4()), secret="the old secret of the app").status_code)

    assert answers == [200, 200, 401]


def test_endpoint_is_off_without_a_secret(settings: Settings) -> None:
    body = event("enrollment.finalized")
    headers = signature(body)
    settings.LIGHT_WEBHOOK_SECRETS = []

    response = deliver(body, secret="x", **headers)

    assert response.status_code == 503
    assert b"LIGHT_WEBHOOK_SECRET" in response.content
    assert not WebhookDelivery.objects.exists()
    assert not WebhookRefusal.objects.exists()


def test_only_the_configured_scheme_is_tried(settings: Settings) -> None:
    settings.LIGHT_DIALECT = Dialect(webhook=WebhookScheme(encoding=Encoding.BASE64))

    assert deliver(event("enrollment.finalized")).status_code == 401


@pytest.mark.cell("W9")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b'{"event": "enrollment.fin',
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe\x00\x01",
        b'{"event": "a\x00b"}',
        b"[" * 100_000,
        b'{"uuid": {"a": 1}, "event": ["x"], "account": 7, "data": null}',
        json.dumps({"uuid": "x" * 500, "event": "y" * 5000, "account_uuid": "z" * 500}).encode(),
    ],
    ids=range(11),
)
def test_W9_signed_malformed_webhook_is_kept_as_failed(body: bytes) -> None:
    response = deliver(body)

    assert response.status_code == 200
    assert settle_due() == ["failed"]
    delivery = only_delivery()
    assert delivery.last_error
    assert delivery.settled_at is None
    assert delivery.due_at is None
    assert delivery.body_sha256 == hashlib.sha256(body).hexdigest()


def test_oversized_body_is_refused_unread() -> None:
    body = b" " * (MAX_BODY_BYTES + 1)

    assert deliver(body).status_code == 413
    assert not WebhookDelivery.objects.exists()


def test_endpoint_accepts_only_post_and_needs_no_trailing_slash() -> None:
    body = event("enrollment.finalized")

    without_slash = Client().post(
        ADDRESS.rstrip("/"), data=body, content_type="application/json", headers=signature(body)
    )

    assert without_slash.status_code == 200
    assert Client().get(ADDRESS).status_code == 405


def test_storing_is_one_insert(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        deliver(event("enrollment.finalized", uuid4()))


def test_receiving_never_depends_on_the_queue() -> None:
    with patch("core.queue.current_app.send_task", side_effect=OperationalError("the queue is down")) as send:
        response = deliver(event("enrollment.finalized", uuid4()))

    assert response.status_code == 200
    send.assert_not_called()


@pytest.mark.parametrize("address", ["/webhooks/light/", "/webhooks/light"])
def test_webhook_skips_page_middleware_and_is_fully_answered(address: str) -> None:
    body = event("enrollment.finalized", uuid4())

    with patch("django.contrib.sessions.middleware.SessionMiddleware.process_request") as begin_session:
        response = Client().post(address, data=body, content_type="application/json", headers=signature(body))

    begin_session.assert_not_called()
    assert (response.status_code, response["Content-Length"]) == (200, str(len(response.content)))
    assert response["X-Content-Type-Options"] == "nosniff"
