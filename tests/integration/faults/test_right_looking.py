"""Cells R1 to R5 and R9: Light's answer looks right; the account, or a closer look, shows whether it was."""

from datetime import timedelta

import pytest

from enrollments.models import AcceptAttempt, LightWrite, PlanOffer
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteKind, WriteStatus
from poa_documents.models import CustomerMail, MailKind
from tests.contract.dialects import REFERENCE
from tests.integration.enrollments.flow import Flow
from tests.integration.faults.walks import (
    assert_accepted_once,
    calls,
    open_hold,
    ready_to_accept,
    release,
    walk,
)

in_one_dialect = pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)
without_effect = pytest.mark.parametrize("kind", ["says_error", "queued", "empty_before"])


@without_effect
def test_R1_acceptance_without_effect_is_never_believed(flow: Flow, kind: str) -> None:
    flow.simulator.control.inject_fault("accept", kind)
    case = ready_to_accept(flow)

    walk(flow, case)

    assert case.status == EnrollmentStatus.OPEN
    assert (calls(flow, "accept"), calls(flow, "finalize")) == (1, 0)
    assert not CustomerMail.objects.filter(kind=MailKind.PLAN_ACCEPTED).exists()
    assert not AcceptAttempt.objects.filter(succeeded=True).exists()
    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.OUTCOME_UNKNOWN, HoldOwner.OPERATIONS)
    release(flow, case, "Light has no acceptance.")
    walk(flow, case)
    assert_accepted_once(flow, case)


@in_one_dialect
def test_R1_empty_answer_is_settled_by_reading(flow: Flow) -> None:
    flow.simulator.control.inject_fault("accept", "empty_after")
    case = ready_to_accept(flow)

    walk(flow, case)

    assert_accepted_once(flow, case)
    assert calls(flow, "accept") == 1
    write = LightWrite.objects.get(kind=WriteKind.ACCEPT_PLAN)
    assert write.doubt_since is not None


@pytest.mark.parametrize("kind", ["another_plan", "another_start", "another_meter"])
def test_R2_acceptance_of_something_else_stops_the_case(flow: Flow, kind: str) -> None:
    flow.simulator.control.inject_fault("accept", kind)
    case = ready_to_accept(flow)

    walk(flow, case)
    flow.live(case, timedelta(days=2))

    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.ACCEPTED_DIFFERENTLY, HoldOwner.OFFICE)
    asked, shown = AcceptAttempt.objects.get(), flow.simulator.control.acceptances()[0]
    for side in (str(asked.offer.light_plan_uuid), str(asked.service_start_date), asked.esi_id):
        assert side in hold.because
    for side in (shown["plan_uuid"], shown["service_start_date"], shown["esi_id"]):
        assert side in hold.because
    assert (calls(flow, "accept"), calls(flow, "finalize")) == (1, 0)
    assert not CustomerMail.objects.filter(kind=MailKind.PLAN_ACCEPTED).exists()
    release(flow, case, "Looked at it.")
    walk(flow, case)
    assert (calls(flow, "accept"), calls(flow, "finalize")) == (1, 0)
    assert open_hold(case) is not None


@in_one_dialect
def test_R2_account_showing_another_plan_later_stops_finalizing(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    read_account = flow.light.read_account

    def with_another_start(account_uuid: str) -> object:
        account = read_account(account_uuid)
        places = tuple(
            place.model_copy(update={"service_start_date": place.service_start_date + timedelta(days=3)})
            for place in account.locations
            if place.service_start_date
        )
        return account.model_copy(update={"locations": places})

    monkeypatch.setattr(flow.light, "read_account", with_another_start)

    walk(flow, case)

    hold = open_hold(case)
    assert hold is not None
    assert hold.code == HoldCode.ACCEPTED_DIFFERENTLY
    assert calls(flow, "finalize") == 0
    monkeypatch.setattr(flow.light, "read_account", read_account)
    flow.live(case, timedelta(days=2))
    assert_accepted_once(flow, case)
    assert open_hold(case) is None


@without_effect
def test_R3_finalize_without_effect_is_read_and_repeated_once(flow: Flow, kind: str) -> None:
    flow.simulator.control.inject_fault("finalize", kind)
    case = ready_to_accept(flow)
    flow.run(case)
    assert case.status == EnrollmentStatus.ACCEPTED

    walk(flow, case)

    assert_accepted_once(flow, case)
    assert calls(flow, "finalize") == 2


@in_one_dialect
def test_R3_finalize_that_never_works_goes_to_a_person(flow: Flow) -> None:
    flow.simulator.control.inject_fault("finalize", "says_error", times=None)
    case = ready_to_accept(flow)

    walk(flow, case)

    assert case.status == EnrollmentStatus.ACCEPTED
    assert open_hold(case) is not None
    assert calls(flow, "finalize") == 2


@without_effect
def test_R3_attestation_without_visible_effect_is_not_believed(flow: Flow, kind: str) -> None:
    flow.simulator.control.inject_fault("record", kind)
    case = flow.case()

    walk(flow, case)

    if kind == "empty_before" and not flow.pair.simulator.client_agent_read_back:
        hold = open_hold(case)
        assert hold is not None
        assert hold.code == HoldCode.REFUSED_BY_LIGHT
        assert flow.acceptances_of(case) == []
        return
    assert_accepted_once(flow, case)
    assert calls(flow, "record") == 2
    assert LightWrite.objects.filter(kind=WriteKind.RECORD_CLIENT_AGENT, status=WriteStatus.NOT_DONE).exists()


@in_one_dialect
@without_effect
def test_R3_account_not_created_is_created_once(flow: Flow, kind: str) -> None:
    flow.simulator.control.inject_fault("create", kind)
    case = flow.case()

    walk(flow, case)

    assert_accepted_once(flow, case)
    assert calls(flow, "create") == 2


@in_one_dialect
def test_R3_account_under_another_address_is_not_used(flow: Flow) -> None:
    flow.simulator.control.inject_fault("create", "another_email")
    case = flow.case()

    walk(flow, case)

    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.ACCOUNT_UNCLEAR, HoldOwner.OFFICE)
    assert case.light_account_uuid is None


# Plausible-looking plans


@in_one_dialect
@pytest.mark.parametrize("kind", ["plans_expired", "plans_short_lived"])
def test_R4_expired_plans_are_requested_again_once(flow: Flow, kind: str) -> None:
    flow.simulator.control.inject_fault("request_plans", kind, times=None)
    case = ready_to_accept(flow)
    flow.pass_time(timedelta(minutes=1))

    walk(flow, case)
    flow.live(case, timedelta(days=2))

    if kind == "plans_short_lived" and flow.acceptances_of(case):
        assert_accepted_once(flow, case)  # thirty seconds were enough
        return
    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.OFFERS_EXPIRED, HoldOwner.OFFICE)
    assert calls(flow, "request_plans") == 1
    assert case.because == hold.because
    flow.simulator.control.clear_faults()
    release(flow, case, "Light corrected its clock.")
    walk(flow, case)
    assert_accepted_once(flow, case)


@in_one_dialect
def test_R5_impossible_price_is_never_accepted(flow: Flow) -> None:
    flow.simulator.control.inject_fault("request_plans", "plans_in_dollars")
    case = ready_to_accept(flow)

    walk(flow, case)

    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.IMPLAUSIBLE_OFFER, HoldOwner.OFFICE)
    assert "average price" in hold.because
    assert calls(flow, "accept") == 0
    assert PlanOffer.objects.filter(fits=True).exclude(implausible_because="").exists()
    release(flow, case, "Light corrected its prices.")
    walk(flow, case)
    assert_accepted_once(flow, case)
