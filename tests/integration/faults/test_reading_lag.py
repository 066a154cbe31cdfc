"""Light may show an acceptance only some time after it happened: not shown yet is not the same as not done."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from enrollments.engine import wiring
from enrollments.light.payloads import Account
from enrollments.models import AcceptAttempt, Enrollment, LightWrite
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteKind, WriteStatus
from tests.integration.enrollments.flow import Flow
from tests.integration.faults.walks import assert_accepted_once, calls, open_hold, ready_to_accept, walk


def lose_the_answer_while_reads_lag(flow: Flow, lag: timedelta) -> Enrollment:
    case = ready_to_accept(flow)
    flow.simulator.control.change_settings(read_lag_seconds=lag.total_seconds())
    flow.simulator.control.inject_fault("accept", "drop_after")
    return case


def test_setting_says_how_long_doubt_lasts(settings: Settings) -> None:
    settings.DOUBT_SETTLING_SECONDS = 1234

    assert wiring.policy().settling_period == timedelta(seconds=1234)


@pytest.mark.parametrize("share", [0.05, 0.99])
def test_G1_acceptance_shown_within_the_settling_period_is_not_repeated(flow: Flow, share: float) -> None:
    case = lose_the_answer_while_reads_lag(flow, flow.policy.settling_period * share)

    walk(flow, case)

    assert_accepted_once(flow, case)
    assert calls(flow, "accept") == 1
    assert AcceptAttempt.objects.get().succeeded
    assert not case.holds.exists()  # nobody is asked about an acceptance shown in time


@pytest.mark.cell("G2")
def test_acceptance_shown_later_is_repeated_at_most_once(flow: Flow) -> None:
    case = lose_the_answer_while_reads_lag(flow, flow.policy.settling_period * 3)

    walk(flow, case)
    flow.live(case, timedelta(hours=3))

    flow.check()
    assert len(flow.acceptances_of(case)) == 1
    assert calls(flow, "accept") <= 2
    assert case.status == EnrollmentStatus.FINALIZED
    assert AcceptAttempt.objects.filter(succeeded=True).count() == 1
    assert not LightWrite.objects.filter(kind=WriteKind.ACCEPT_PLAN, status=WriteStatus.IN_DOUBT).exists()


def test_G2_acceptance_shown_after_days_is_recognized_or_a_hold(flow: Flow) -> None:
    case = lose_the_answer_while_reads_lag(flow, timedelta(days=2))

    walk(flow, case, span=timedelta(days=5))

    assert len(flow.acceptances_of(case)) == 1
    assert calls(flow, "accept") <= 2
    flow.live(case, timedelta(days=3))
    assert case.status == EnrollmentStatus.FINALIZED
    assert open_hold(case) is None


# A reading that lags in parts, or says nothing


def with_a_stale_flag(_account: Account) -> dict[str, Any]:
    return {
        "has_accepted_plan": False,
        "is_acceptance_denied": True,
        "status": "enrollment_pending_client_agent",
    }


def with_a_bare_location(account: Account) -> dict[str, Any]:
    bare = {"plan_uuid": None, "service_start_date": None}
    return {"locations": tuple(place.model_copy(update=bare) for place in account.locations)}


def without_a_word(_account: Account) -> dict[str, Any]:
    """As when the whole part about the enrollment is missing."""
    return {"has_accepted_plan": False, "locations": (), "status": None}


def show_for_hours(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, change: Callable[[Account], dict[str, Any]], hours: int = 3
) -> None:
    """After the acceptance, show accounts with one change."""
    read_account, end = flow.light.read_account, flow.clock.at + timedelta(hours=hours)

    def shown(account_uuid: str) -> Account:
        account = read_account(account_uuid)
        is_changed = calls(flow, "accept") > 0 and flow.clock.at < end
        return account.model_copy(update=change(account)) if is_changed else account

    monkeypatch.setattr(flow.light, "read_account", shown)


@pytest.mark.cell("G3")
def test_G3_location_with_our_plan_proves_the_acceptance(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = lose_the_answer_while_reads_lag(flow, timedelta(0))
    show_for_hours(flow, monkeypatch, with_a_stale_flag)

    walk(flow, case)

    assert_accepted_once(flow, case)
    assert calls(flow, "accept") == 1


@pytest.mark.cell("G3")
@pytest.mark.parametrize("change", [with_a_bare_location, without_a_word])
def test_G3_silent_account_is_read_again_and_settles_nothing(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, change: Callable[[Account], dict[str, Any]]
) -> None:
    case = lose_the_answer_while_reads_lag(flow, timedelta(0))
    show_for_hours(flow, monkeypatch, change)

    flow.live(case, timedelta(hours=2))

    assert LightWrite.objects.get(kind=WriteKind.ACCEPT_PLAN).status == WriteStatus.IN_DOUBT
    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.OUTCOME_UNKNOWN, HoldOwner.OPERATIONS)
    assert "Check the account at Light" in hold.because
    flow.live(case, timedelta(hours=4))
    assert_accepted_once(flow, case)
    assert calls(flow, "accept") == 1
    assert open_hold(case) is None


@pytest.mark.cell("G3", "L26")
def test_G3_nothing_is_accepted_over_a_location_whose_flag_lags(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    flow.simulator.control.accept_own_plan(str(case.light_account_uuid))
    read_account = flow.light.read_account
    monkeypatch.setattr(
        flow.light,
        "read_account",
        lambda uuid: (account := read_account(uuid)).model_copy(update=with_a_stale_flag(account)),
    )

    walk(flow, case)

    hold = open_hold(case)
    assert hold is not None
    assert hold.code == HoldCode.SELF_ENROLLED
    assert calls(flow, "accept") == 0
