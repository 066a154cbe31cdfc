"""Webhooks as they reach a receiver: signed, doubled, out of order, repeated."""

import base64
import hashlib
import hmac
import json
import threading
from datetime import timedelta

import pytest

from simulator.server import RunningSimulator
from simulator.webhooks import EVENTS, RETRY_AFTER
from tests.contract.stand_in.light_calls import LightCalls
from tests.contract.stand_in.webhook_inbox import WebhookInbox


def test_whole_flow_events_arrive_in_order(simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox) -> None:
    light.finalized()
    simulator.control.advance(timedelta(days=9))

    assert simulator.control.wait_for_webhooks()
    assert inbox.events == [
        "enrollment.identity_updated",
        "account.payment_method_added",
        "account.billing_address_updated",
        "enrollment.plan_requested",
        "enrollment.plan_accepted",
        "enrollment.finalized",
        "location.service_active",
    ]


def test_plan_accepted_event_can_wait_for_finalize(
    simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox
) -> None:
    simulator.control.set_dialect(plan_accepted_event_at="finalize")
    account_uuid = light.accepted()
    simulator.control.wait_for_webhooks()
    before = list(inbox.events)
    light.finalize(account_uuid)
    simulator.control.wait_for_webhooks()

    assert "enrollment.plan_accepted" not in before
    assert inbox.events[-2:] == ["enrollment.plan_accepted", "enrollment.finalized"]


def test_payload_names_account_and_location(
    simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox
) -> None:
    account_uuid = light.accepted()
    location_uuid = light.read(account_uuid)["locations"][0]["uuid"]
    simulator.control.wait_for_webhooks()

    requested, accepted = inbox.received[-2].json, inbox.received[-1].json

    assert "location" not in requested
    assert requested["account"] == {"uuid": account_uuid}
    assert accepted["location"] == {"uuid": location_uuid}
    assert accepted["created_at"].endswith("Z")


@pytest.mark.parametrize(("payload", "event_key"), [("nested", "event"), ("flat", "event_type"), ("data", "type")])
def test_payload_follows_the_dialect(
    payload: str, event_key: str, simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox
) -> None:
    simulator.control.set_dialect(webhook_payload=payload)
    account_uuid = light.create()

    simulator.control.send_event("account.payment_failed", account_uuid, amount_cents=1200)
    simulator.control.wait_for_webhooks()

    body = inbox.received[0].json
    assert body[event_key] == "account.payment_failed"
    assert body["data"]["amount_cents"] == 1200
    assert account_uuid in json.dumps(body)


@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("form", ["bare", "prefixed", "list"])
@pytest.mark.parametrize("signed_text", ["body", "timestamp.body"])
def test_signature_follows_the_dialect(
    hash_name: str,
    encoding: str,
    form: str,
    signed_text: str,
    simulator: RunningSimulator,
    light: LightCalls,
    inbox: WebhookInbox,
) -> None:
    simulator.control.set_dialect(
        webhook_header="X-Signed",
        webhook_hash=hash_name,
        webhook_encoding=encoding,
        webhook_format=form,
        webhook_signed_text=signed_text,
        webhook_timestamp_header="X-Signed-At",
    )
    simulator.control.send_event("account.payment_failed", light.create())
    simulator.control.wait_for_webhooks()

    (message,) = inbox.received
    timestamp = message.headers["X-Signed-At"]
    text = message.body if signed_text == "body" else timestamp.encode() + b"." + message.body
    digest = hmac.new(simulator.webhook_secret.encode(), text, hash_name).digest()
    signature = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    wanted = {"bare": signature, "prefixed": f"{hash_name}={signature}", "list": f"t={timestamp},v1={signature}"}
    assert message.headers["X-Signed"] == wanted[form]


def test_signature_is_bare_hex_over_the_body_by_default(
    simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox
) -> None:
    simulator.control.send_event("account.payment_failed", light.create())
    simulator.control.wait_for_webhooks()

    (message,) = inbox.received
    wanted = hmac.new(simulator.webhook_secret.encode(), message.body, hashlib.sha256).hexdigest()
    assert message.headers["X-Light-Signature"] == wanted
    assert message.headers["User-Agent"] == "light-simulator"


def test_duplicates_have_the_same_body(simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox) -> None:
    simulator.control.switch_webhooks(duplicate=2)

    simulator.control.send_event("account.payment_failed", light.create())
    simulator.control.wait_for_webhooks()

    assert len(inbox.received) == 3
    assert len({message.body for message in inbox.received}) == 1


def test_reordered_events_arrive_newest_first(
    simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox
) -> None:
    account_uuid = light.create()
    simulator.control.switch_webhooks(reorder=True, delay_seconds=60)
    for event in EVENTS[:3]:
        simulator.control.send_event(event, account_uuid)

    simulator.control.advance(timedelta(seconds=61))
    simulator.control.wait_for_webhooks()

    assert inbox.events == list(EVENTS[:3])[::-1]


def test_delayed_events_follow_the_simulator_clock(
    simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox
) -> None:
    simulator.control.switch_webhooks(delay_seconds=3600)
    simulator.control.send_event("account.payment_failed", light.create())
    simulator.control.wait_for_webhooks()
    before = len(inbox.received)

    simulator.control.advance(timedelta(hours=1))
    simulator.control.wait_for_webhooks()

    assert (before, len(inbox.received)) == (0, 1)


def test_disabled_events_are_kept_and_can_be_sent_later(
    simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox
) -> None:
    simulator.control.switch_webhooks(off=True)
    account_uuid = light.accepted()
    simulator.control.wait_for_webhooks()
    before = len(inbox.received)

    count = simulator.control.resend_webhooks(account_uuid=account_uuid, event="enrollment.plan_accepted")
    simulator.control.wait_for_webhooks()

    assert (before, count, inbox.events) == (0, 1, ["enrollment.plan_accepted"])


def test_resent_event_is_byte_identical(simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox) -> None:
    uuid = simulator.control.send_event("account.payment_failed", light.create())
    simulator.control.wait_for_webhooks()

    simulator.control.resend_webhooks(uuid=uuid, times=4)
    simulator.control.wait_for_webhooks()

    assert len(inbox.received) == 5
    assert len({message.body for message in inbox.received}) == 1


def test_refused_event_is_retried_after_each_pause_then_dropped(
    simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox
) -> None:
    simulator.control.freeze_clock()
    inbox.answer_status = 500
    simulator.control.send_event("account.payment_failed", light.create())
    counts = []
    for pause in (timedelta(), *RETRY_AFTER, timedelta(days=10)):
        simulator.control.advance(pause)
        simulator.control.wait_for_webhooks()
        counts.append(len(inbox.received))

    (delivery,) = simulator.control.webhooks()["deliveries"]

    assert counts == [1, 2, 3, 4, 5, 6, 6]
    assert [answer["status"] for answer in delivery["answers"]] == [500] * 6
    assert delivery["is_delivered"] is False
    assert delivery["due_at"] is None


def test_retries_stop_after_success(simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox) -> None:
    inbox.answer_status = 503
    simulator.control.send_event("account.payment_failed", light.create())
    simulator.control.wait_for_webhooks()
    inbox.answer_status = 204
    simulator.control.advance(timedelta(minutes=1))
    simulator.control.wait_for_webhooks()
    simulator.control.advance(timedelta(days=3))
    simulator.control.wait_for_webhooks()

    assert len(inbox.received) == 2
    assert simulator.control.webhooks()["deliveries"][0]["is_delivered"] is True


def test_unreachable_receiver_is_retried(simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox) -> None:
    simulator.control.switch_webhooks(url="http://127.0.0.1:9/")
    simulator.control.send_event("account.payment_failed", light.create())
    simulator.control.wait_for_webhooks()
    simulator.control.switch_webhooks(url=inbox.url)
    simulator.control.advance(timedelta(minutes=1))
    simulator.control.wait_for_webhooks()

    (delivery,) = simulator.control.webhooks()["deliveries"]
    assert [answer.get("error") or answer["status"] for answer in delivery["answers"]] == ["ConnectionError", 204]


def test_unknown_event_can_be_sent(simulator: RunningSimulator, inbox: WebhookInbox) -> None:
    simulator.control.send_event("meter.sang_a_song")
    simulator.control.wait_for_webhooks()

    assert inbox.events == ["meter.sang_a_song"]
    assert "account" not in inbox.received[0].json


def test_reset_waits_for_a_receiver_that_calls_back(
    simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox
) -> None:
    arrived, seen = threading.Event(), []

    def call_back() -> None:
        arrived.set()
        seen.append(light.call("GET", "/v1/app/accounts").status_code)

    inbox.before_answer = call_back
    simulator.control.send_event("account.payment_failed", light.create())
    assert arrived.wait(5)

    simulator.control.reset()

    assert seen == [200]
    assert simulator.control.webhooks()["pending"] == 0
