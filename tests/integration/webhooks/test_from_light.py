"""Webhooks that the simulator really sends to our server, and what the engine does with them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
from django.db import connection
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from enrollments.actions import holds
from enrollments.decision.steps import Waiting
from enrollments.models import Enrollment, RemoteCall, WebhookDelivery
from enrollments.states import EnrollmentStatus, HoldCode
from tests.integration.enrollments.flow import OFFICE, Flow
from tests.integration.webhooks.deliveries import event, settle_due, signature

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def heard(flow: Flow, live_server: LiveServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flow]:
    """A flow whose simulator calls our live server, both on the same clock and in the same dialect."""
    settings.LIGHT_WEBHOOK_SECRETS = [flow.simulator.webhook_secret]
    settings.LIGHT_DIALECT = flow.pair.client
    monkeypatch.setattr("core.clock.configured_clock", lambda: flow.clock)
    flow.simulator.control.switch_webhooks(url=f"{live_server.url}/webhooks/light/")
    yield flow
    flow.simulator.control.switch_webhooks(url="")


def listen(flow: Flow, case: Enrollment) -> None:
    """Let sent webhooks arrive and be settled, and the engine do only what they made due."""
    assert flow.simulator.control.wait_for_webhooks()
    settle_due(flow.clock.at)
    flow.engine.advance(case.pk)
    case.refresh_from_db()


def test_webhook_reads_the_account_long_before_its_turn(heard: Flow) -> None:
    case = heard.case()
    assert heard.run(case) == Waiting.CUSTOMER_TO_FINISH
    listen(heard, case)
    assert case.next_step == Waiting.CUSTOMER_TO_FINISH
    next_reading = case.due_at

    heard.finish_at_light(case)
    listen(heard, case)

    assert next_reading is not None
    assert heard.clock.at < next_reading
    assert case.next_step == Waiting.GO_LIVE
    assert WebhookDelivery.objects.filter(enrollment=case, event_name="account.payment_method_added").exists()
    assert not WebhookDelivery.objects.filter(settled_at=None).exists()


@pytest.mark.cell("W2")
def test_W2_duplicate_and_disordered_news_ends_right(heard: Flow) -> None:
    heard.simulator.control.switch_webhooks(duplicate=2, reorder=True)
    case = heard.case()
    heard.run(case)
    heard.finish_at_light(case)
    heard.report_pto(case)
    listen(heard, case)
    listen(heard, case)
    assert case.status == EnrollmentStatus.FINALIZED

    heard.pass_time(timedelta(days=31))
    listen(heard, case)

    assert case.status == EnrollmentStatus.ACTIVE
    assert len(heard.acceptances_of(case)) == 1
    keys = list(WebhookDelivery.objects.values_list("event_key", flat=True))
    assert len(keys) == len(set(keys))


@pytest.mark.cell("W3")
def test_W3_old_news_moves_nothing_back(heard: Flow) -> None:
    case = heard.case()
    heard.run(case)
    heard.finish_at_light(case)
    heard.simulator.control.switch_webhooks(off=True)
    heard.report_pto(case)
    heard.run(case)
    heard.live(case, timedelta(days=31))
    assert case.status == EnrollmentStatus.ACTIVE

    heard.simulator.control.resend_webhooks()
    listen(heard, case)

    assert WebhookDelivery.objects.filter(event_name="enrollment.plan_requested").exists()
    assert (case.status, case.next_step) == (EnrollmentStatus.ACTIVE, "FINISHED")


@pytest.mark.cell("W8")
def test_W8_polling_alone_reaches_the_same_end(heard: Flow) -> None:
    heard.simulator.control.switch_webhooks(off=True)
    case = heard.case()
    heard.run(case)
    heard.finish_at_light(case)
    heard.report_pto(case)

    heard.live(case, timedelta(days=31))

    assert case.status == EnrollmentStatus.ACTIVE
    assert not WebhookDelivery.objects.exists()


def test_canceled_service_ends_the_case_or_asks_a_person(heard: Flow) -> None:
    case = heard.case()
    heard.run(case)
    heard.finish_at_light(case)
    heard.report_pto(case)
    listen(heard, case)
    listen(heard, case)
    assert case.status == EnrollmentStatus.FINALIZED

    heard.simulator.control.send_event("location.service_canceled", str(case.light_account_uuid))
    listen(heard, case)

    assert case.status == EnrollmentStatus.FINALIZED
    assert case.holds.get().code == HoldCode.CANCEL_REPORTED


@pytest.mark.cell("L10")
def test_account_gone_at_light_is_not_polled_continuously(heard: Flow) -> None:
    case = heard.case()
    heard.run(case)
    listen(heard, case)
    heard.simulator.control.inject_fault("read", "not_found", times=100)
    before = RemoteCall.objects.count()

    heard.simulator.control.send_event("account.payment_failed", str(case.light_account_uuid))
    listen(heard, case)
    listen(heard, case)

    assert case.holds.get().code == HoldCode.REFUSED_BY_LIGHT
    assert RemoteCall.objects.count() <= before + 1


@pytest.mark.cell("L10")
def test_refused_reading_is_repeated_hourly_until_release(heard: Flow) -> None:
    case = heard.case()
    heard.run(case)
    reads = len(heard.simulator.control.requests("read"))
    heard.simulator.control.inject_fault("read", "not_found", times=1000)

    heard.live(case, timedelta(hours=5))

    assert case.next_step == "HOLD"
    assert 2 <= len(heard.simulator.control.requests("read")) - reads <= 6
    heard.simulator.control.clear_faults()
    holds.release_hold(hold_id=case.holds.get().pk, reason="Light fixed it.", by=OFFICE, at=heard.clock.at)
    assert heard.engine.advance(case.pk) == Waiting.CUSTOMER_TO_FINISH


@pytest.mark.cell("W1")
def test_W1_fifty_simultaneous_webhooks_are_one_row(live_server: LiveServer) -> None:
    body = event("enrollment.finalized", "11111111-1111-4111-8111-111111111111")
    headers = {**signature(body), "Content-Type": "application/json"}

    def send(tries_left: int) -> int:
        """Repeat what was not accepted, as Light does: the test server queues only a few."""
        try:
            sent = requests.post(f"{live_server.url}/webhooks/light/", data=body, headers=headers, timeout=60)
        except requests.ConnectionError:
            if not tries_left:
                raise
            return send(tries_left - 1)
        return sent.status_code

    with ThreadPoolExecutor(max_workers=50) as pool:
        statuses = list(pool.map(send, [5] * 50))
    connection.close()

    assert set(statuses) == {200}
    assert WebhookDelivery.objects.count() == 1
