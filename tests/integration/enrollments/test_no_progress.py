"""Steps that succeed and change nothing, and turns that never end."""

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from enrollments.actions.account_reading import request_reading
from enrollments.actions.webhook_processing import FLOOD_PAUSE, MAX_READINGS_IN_WINDOW
from enrollments.actions.webhooks import store_delivery
from enrollments.decision.steps import ReadAccount, Waiting
from enrollments.engine import engine as engine_module
from enrollments.engine.engine import MAX_FAILURES, MAX_READINGS_IN_A_ROW
from enrollments.light.client import READING
from enrollments.models import Enrollment, RemoteCall
from enrollments.states import HoldCode, HoldOwner
from tests.contract.dialects import REFERENCE
from tests.integration.enrollments.flow import Flow
from tests.integration.faults.walks import calls, open_hold, ready_to_accept, release, walk
from tests.integration.webhooks.deliveries import event, settle_due, signature

pytestmark = pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)


def reading_of(case: Enrollment, *, at: datetime) -> RemoteCall:
    return RemoteCall(enrollment=case, purpose=READING, method="GET", path="/", http_status=200, seconds=0.1, at=at)


def decide_always(monkeypatch: pytest.MonkeyPatch, *chosen: Any) -> None:
    """Make the engine find the same steps due again and again, whatever it did."""
    endless = itertools.cycle(chosen)
    monkeypatch.setattr(engine_module, "decide", lambda *_args, **_kwargs: next(endless))


def test_reading_that_changes_nothing_is_not_repeated_forever(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    before = calls(flow, "read")
    decide_always(monkeypatch, ReadAccount(because="It is read for a test."))

    flow.engine.advance(case.pk)

    case.refresh_from_db()
    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.NO_PROGRESS, HoldOwner.OPERATIONS)
    assert "It is read for a test." in hold.because
    assert calls(flow, "read") - before == MAX_READINGS_IN_A_ROW
    assert (case.next_step, case.because, case.whose_turn) == ("HOLD", hold.because, HoldOwner.OPERATIONS)


def test_circular_turn_backs_off_and_ends_with_a_person(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    decide_always(monkeypatch, ReadAccount(because="One."), ReadAccount(because="The other."))

    assert flow.engine.advance(case.pk) == "continues later"

    case.refresh_from_db()
    assert case.due_at is not None
    assert case.due_at > flow.clock.at
    assert (case.next_step, case.failures) == (Waiting.RETRYING, 1)
    assert "once since" in case.because
    for _ in range(MAX_FAILURES - 1):
        flow.pass_time(timedelta(hours=2))
        flow.engine.advance(case.pk)
    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.REPEATED_FAILURES, HoldOwner.OPERATIONS)


def test_failing_case_says_since_when_and_how_often(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    monkeypatch.setattr(flow.light, "read_account", _raise_something)
    began = flow.clock.at

    flow.engine.advance(case.pk)
    flow.pass_time(timedelta(minutes=30))
    flow.engine.advance(case.pk)

    case.refresh_from_db()
    assert case.failing_since == began
    assert (case.failures, case.next_step) == (2, Waiting.RETRYING)
    assert "2 times since" in case.because


def test_refusals_lasting_a_day_need_a_person(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    RemoteCall.objects.bulk_create([reading_of(case, at=flow.clock.at) for _ in range(flow.policy.max_calls_a_day + 1)])
    before = calls(flow, "read")

    request_reading(enrollment_id=case.pk, at=flow.clock.at)
    flow.run(case)

    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.TOO_MANY_CALLS, HoldOwner.OPERATIONS)
    assert READING in hold.because
    assert calls(flow, "read") == before
    release(flow, case, "A webhook was sent again and again.")
    walk(flow, case)
    assert open_hold(case) is None
    assert calls(flow, "read") > before


def test_requests_failing_for_an_hour_go_to_operations(flow: Flow) -> None:
    flow.simulator.control.inject_fault("request_plans", "error_before", status=503, times=None)
    case = ready_to_accept(flow)

    flow.live(case, timedelta(hours=3))

    assert case.whose_turn == HoldOwner.OPERATIONS
    assert case.next_step == Waiting.BACKING_OFF
    assert "Request plans" in case.because
    assert "times since" in case.because
    assert case.act_by_date is not None
    flow.simulator.control.clear_faults()
    walk(flow, case)
    assert case.accepted_at is not None


def _raise_something(*_args: object, **_kwargs: object) -> Callable[[], None]:
    raise RuntimeError("Something of ours broke.")


def test_many_webhooks_cause_few_readings(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    read_account, before = flow.light.read_account, calls(flow, "read")

    def read_while_news_arrives(account_uuid: str) -> Any:
        request_reading(enrollment_id=case.pk, at=flow.clock.at)
        return read_account(account_uuid)

    request_reading(enrollment_id=case.pk, at=flow.clock.at)
    with monkeypatch.context() as flood:
        flood.setattr(flow.light, "read_account", read_while_news_arrives)
        flow.run(case)

    assert open_hold(case) is None
    assert case.due_at is not None
    assert calls(flow, "read") - before == MAX_READINGS_IN_A_ROW
    flow.live(case, timedelta(hours=2))
    assert case.accepted_at is not None


def test_webhook_every_two_seconds_does_not_stop_the_case(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    read_account = flow.light.read_account

    def read_and_record(account_uuid: str) -> Any:
        reading_of(case, at=flow.clock.at).save()
        return read_account(account_uuid)

    monkeypatch.setattr(flow.light, "read_account", read_and_record)
    for _ in range(10 * 30):
        body = event("account.updated", case.light_account_uuid)
        store_delivery(body=body, headers=signature(body), at=flow.clock.at)
        settle_due(flow.clock.at)
        flow.engine.advance(case.pk)
        flow.pass_time(timedelta(seconds=2))

    assert open_hold(case) is None
    assert MAX_READINGS_IN_WINDOW <= RemoteCall.objects.count() <= MAX_READINGS_IN_WINDOW + 12
    flow.pass_time(FLOOD_PAUSE)
    flow.engine.advance(case.pk)
    case.refresh_from_db()
    assert case.readings_given == case.readings_asked
