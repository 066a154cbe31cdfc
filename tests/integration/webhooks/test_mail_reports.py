"""The mail provider's reports at their endpoint: only correctly signed ones are accepted and take effect once."""

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from core import clock
from enrollments.models import WebhookRefusal, WebhookSender
from poa_documents import actions
from poa_documents.models import AddressFailure, MailReport
from tests.factories.poa_documents import sent_poa

pytestmark = pytest.mark.django_db

ADDRESS = "/webhooks/mail/"


def post(
    settings: LazySettings, body: bytes, *, secret: str = "", at: int | None = None, signed: bytes | None = None
) -> Any:
    moment = str(int(time.time()) if at is None else at)
    key = (secret or settings.MAIL_WEBHOOK_SECRETS[0]).encode()
    signature = hmac.new(key, moment.encode() + b"." + (body if signed is None else signed), hashlib.sha256).hexdigest()
    headers = {"X-Mail-Signature": signature, "X-Mail-Timestamp": moment}
    return Client().post(ADDRESS, body, content_type="application/json", headers=headers)


def test_signed_report_blocks_the_address(settings: LazySettings) -> None:
    poa = sent_poa(at=clock.now())
    message_id = poa.mails.get().message_id
    body = json.dumps({"id": "r1", "event": "bounced", "is_permanent": True, "message_id": message_id}).encode()

    answers = [post(settings, body).status_code for _ in range(2)]
    before_the_sweep = AddressFailure.objects.count()
    actions.sweep_poas(at=clock.now())

    assert answers == [200, 200]
    assert before_the_sweep == 0
    assert MailReport.objects.count() == 1
    assert AddressFailure.objects.get().customer == poa.customer


def test_badly_signed_report_is_refused_and_counted(settings: LazySettings) -> None:
    body = b'{"event": "bounced"}'

    answers = [
        post(settings, body, secret="somebody else's secret of good length").status_code,
        post(settings, body, signed=b"another body").status_code,
        post(settings, body, at=int(time.time()) - 3600).status_code,
        Client().post(ADDRESS, body, content_type="application/json").status_code,
    ]

    assert answers == [401] * 4
    assert not MailReport.objects.exists()
    refusal = WebhookRefusal.objects.get()
    assert (refusal.sender, refusal.count) == (WebhookSender.MAIL, 4)


def test_both_secrets_are_valid_during_a_rotation(settings: LazySettings) -> None:
    settings.MAIL_WEBHOOK_SECRETS = ["the new secret", "the old secret"]

    answers = [post(settings, b"{}", secret=secret).status_code for secret in settings.MAIL_WEBHOOK_SECRETS]

    assert answers == [200, 200]


def test_endpoint_is_closed_without_a_secret(settings: LazySettings) -> None:
    settings.MAIL_WEBHOOK_SECRETS = []

    answer = Client().post(ADDRESS, b"{}", content_type="application/json")

    assert answer.status_code == 503
    assert b"MAIL_WEBHOOK_SECRET" in answer.content


def test_endless_body_is_not_read(settings: LazySettings) -> None:
    answer = post(settings, b"x" * 1_000_001)

    assert answer.status_code == 413
    assert not MailReport.objects.exists()
