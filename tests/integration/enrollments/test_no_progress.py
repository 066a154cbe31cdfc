"""Steps that succeed and change nothing, and turns that never come to rest."""

import itertools
from collections.abc import Callable
from copy import copy
from datetime import timedelta
from typing import Any

import pytest

from enrollments.actions.account_reading import ask_for_reading
from enrollments.decision.steps import ReadAccount, Waiting
from enrollments.engine import engine as engine_module
from enrollments.engine.engine import MAX_FAILURES, MAX_READINGS_IN_A_ROW
from enrollments.light.client import READING
from enrollments.models import RemoteCall
from enrollments.states import HoldCode, HoldOwner
from tests.contract.dialects import REFERENCE
from tests.integration.enrollments.road import Road
from tests.integration.faults.journey import calls, open_hold, ready_to_accept, release, walk

pytestmark = pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)


def decide_always(monkeypatch: pytest.MonkeyPatch, *chosen: Any) -> None:
    """Let the machine find the same steps due again and again, whatever it has done."""
    endless = itertools.cycle(chosen)
    monkeypatch.setattr(engine_module, "decide", lambda *_args, **_kwargs: next(endless))


def test_reading_that_changes_nothing_is_not_repeated_for_ever(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(road)
    before = calls(road, "read")
    decide_always(monkeypatch, ReadAccount(because="It is read for a test."))

    road.engine.advance(case.pk)

    case.refresh_from_db()
    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.NO_PROGRESS, HoldOwner.OPERATIONS)
    assert "It is read for a test." in hold.because
    assert calls(road, "read") - before == MAX_READINGS_IN_A_ROW
    assert (case.next_step, case.because, case.whose_turn) == ("HOLD", hold.because, HoldOwner.OPERATIONS)


def test_turn_that_goes_in_circles_backs_off_and_ends_with_a_person(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = ready_to_accept(road)
    decide_always(monkeypatch, ReadAccount(because="One."), ReadAccount(because="The other."))

    assert road.engine.advance(case.pk) == "goes on"

    case.refresh_from_db()
    assert case.due_at is not None
    assert case.due_at > road.clock.at
    assert (case.next_step, case.failures) == (Waiting.TRYING_AGAIN, 1)
    assert "once since" in case.because
    for _ in range(MAX_FAILURES - 1):
        road.pass_time(timedelta(hours=2))
        road.engine.advance(case.pk)
    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.KEEPS_FAILING, HoldOwner.OPERATIONS)


def test_case_that_fails_says_since_when_and_how_often(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(road)
    monkeypatch.setattr(road.light, "read_account", _raise_something)
    began = road.clock.at

    road.engine.advance(case.pk)
    road.pass_time(timedelta(minutes=30))
    road.engine.advance(case.pk)

    case.refresh_from_db()
    assert case.failing_since == began
    assert (case.failures, case.next_step) == (2, Waiting.TRYING_AGAIN)
    assert "2 times since" in case.because


def test_call_that_light_answers_all_day_is_made_for_a_person(road: Road) -> None:
    case = road.case()
    road.run(case)
    answered = RemoteCall(enrollment=case, purpose=READING, method="GET", path="/", http_status=200, seconds=0.1)
    answered.at = road.clock.at
    RemoteCall.objects.bulk_create([copy(answered) for _ in range(road.policy.max_calls_a_day + 1)])
    before = calls(road, "read")

    ask_for_reading(enrollment_id=case.pk, at=road.clock.at)
    road.run(case)

    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.TOO_MANY_CALLS, HoldOwner.OPERATIONS)
    assert READING in hold.because
    assert calls(road, "read") == before
    release(road, case, "A webhook was sent again and again.")
    walk(road, case)
    assert open_hold(case) is None
    assert calls(road, "read") > before


def test_requests_that_fail_for_an_hour_become_operations_turn(road: Road) -> None:
    road.simulator.control.inject_fault("request_plans", "error_before", status=503, times=None)
    case = ready_to_accept(road)

    road.live(case, timedelta(hours=3))

    assert case.whose_turn == HoldOwner.OPERATIONS
    assert case.next_step == Waiting.BACKING_OFF
    assert "Request plans" in case.because
    assert "times since" in case.because
    assert case.act_by_date is not None
    road.simulator.control.clear_faults()
    walk(road, case)
    assert case.accepted_at is not None


def _raise_something(*_args: object, **_kwargs: object) -> Callable[[], None]:
    raise RuntimeError("Something of ours broke.")


def test_flood_of_news_is_answered_by_few_readings(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(road)
    read_account, before = road.light.read_account, calls(road, "read")

    def read_while_news_arrives(account_uuid: str) -> Any:
        ask_for_reading(enrollment_id=case.pk, at=road.clock.at)
        return read_account(account_uuid)

    ask_for_reading(enrollment_id=case.pk, at=road.clock.at)
    with monkeypatch.context() as flood:
        flood.setattr(road.light, "read_account", read_while_news_arrives)
        road.run(case)

    assert open_hold(case) is None
    assert case.due_at is not None
    assert calls(road, "read") - before == MAX_READINGS_IN_A_ROW
    road.live(case, timedelta(hours=2))
    assert case.accepted_at is not None
