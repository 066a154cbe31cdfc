"""Cells R6 to R8 and L28: part of Light's answer is odd, and the rest of it is used."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from enrollments.models import PlanOffer
from enrollments.states import HoldCode, HoldOwner, WriteKind, WriteStatus
from simulator.fault_middleware import BAD_IDENTIFIER
from tests.contract.dialects import REFERENCE
from tests.integration.enrollments.flow import Flow, tight_promise
from tests.integration.faults.walks import (
    assert_accepted_once,
    calls,
    open_hold,
    ready_to_accept,
    release,
    walk,
)

in_one_dialect = pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)

MAX_SECONDS = 10
"""CPU time on any machine. Work that grows with the square of the plans takes minutes."""


# Identifiers that are not UUIDs: R6


def test_R6_plan_without_a_uuid_is_shown_and_not_used(flow: Flow) -> None:
    flow.simulator.control.inject_fault("request_plans", "bad_identifier", times=None)
    case = flow.case()

    walk(flow, case)

    assert_accepted_once(flow, case)
    asked = case.writes.filter(kind=WriteKind.REQUEST_PLANS, status=WriteStatus.DONE).latest("pk")
    assert f"number 1 (identifier “{BAD_IDENTIFIER}”)" in asked.outcome
    assert asked.answer["unusable_count"] == 1


@in_one_dialect
def test_R6_list_of_only_bad_plans_is_named(flow: Flow) -> None:
    case = ready_to_accept(flow, tags="+noplans")
    flow.simulator.control.inject_fault("request_plans", "bad_identifier")

    walk(flow, case)

    hold = open_hold(case)
    assert hold is not None
    assert hold.code == HoldCode.NO_PLANS
    assert BAD_IDENTIFIER in hold.because


@pytest.mark.parametrize("operation", ["create", "list"])
def test_R6_account_without_a_uuid_is_not_created_twice(flow: Flow, operation: str) -> None:
    flow.simulator.control.inject_fault(operation, "bad_identifier")
    case = flow.case()

    walk(flow, case)

    if operation == "list" and (hold := open_hold(case)):
        assert (hold.code, hold.owner) == (HoldCode.ACCOUNT_UNCLEAR, HoldOwner.OFFICE)
        assert BAD_IDENTIFIER in hold.because
        assert calls(flow, "create") == 0
        release(flow, case, "It is not this customer's.")
        walk(flow, case)
    assert_accepted_once(flow, case)
    assert calls(flow, "create") == 1


# Five thousand plans: R7


@in_one_dialect
def test_R7_five_thousand_plans_are_judged_and_best_kept(flow: Flow) -> None:
    case = ready_to_accept(flow)
    flow.simulator.control.change_settings(offers_per_plan=850)

    began = time.thread_time()
    walk(flow, case)
    spent_seconds = time.thread_time() - began

    assert_accepted_once(flow, case)
    assert PlanOffer.objects.count() == 100
    asked = case.writes.get(kind=WriteKind.REQUEST_PLANS)
    assert (asked.answer["plans"], asked.answer["left_out"]) == (5100, 5000)
    assert "other 5000 were judged but only counted" in asked.outcome
    assert case.accepted_offer is not None
    assert case.accepted_offer.name.startswith("Lone Star Fixed")
    assert spent_seconds < MAX_SECONDS


@in_one_dialect
def test_R7_thousands_of_misses_are_counted_and_nearest_kept(flow: Flow) -> None:
    case = flow.case(promise=tight_promise())
    flow.simulator.control.change_settings(offers_per_plan=850)

    walk(flow, case)

    hold = open_hold(case)
    assert hold is not None
    assert hold.code == HoldCode.OUTSIDE_LIMITS
    assert "None of the 5100 plans" in hold.because
    kept = PlanOffer.objects.filter(enrollment=case)
    assert {offer.name.rpartition(" ")[0] for offer in kept} == {"Lone Star Fixed"}


# No status and no kind of rate: R8


@in_one_dialect
def test_R8_flags_alone_lead_to_the_acceptance(flow: Flow) -> None:
    flow.simulator.control.set_dialect(status_places=[])
    case = flow.case()

    walk(flow, case)

    assert_accepted_once(flow, case)


@in_one_dialect
def test_R8_derived_stage_says_so(flow: Flow) -> None:
    flow.simulator.control.set_dialect(status_places=[])
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.pass_time(timedelta(hours=1))
    flow.run(case)

    readiness = next(gate for gate in case.gates if gate["name"] == "READINESS")

    assert readiness["is_open"]
    assert "Light shows no status" in readiness["because"]
    assert "shows no status" in readiness["because"]


@in_one_dialect
@pytest.mark.parametrize(
    ("light", "ours"),
    [
        ({"rate_place": ""}, {}),
        ({"rate_word": "FLAT"}, {"rate_kind_spellings": (("FLAT", "FIXED"),)}),
        ({"rate_place": "rate_type"}, {"rate_kind_lookup": ("rate_type",)}),
    ],
)
def test_R8_missing_rate_kind_is_a_hold_until_the_dialect_says(
    flow: Flow, light: dict[str, str], ours: dict[str, object]
) -> None:
    flow.simulator.control.set_dialect(**light)
    case = ready_to_accept(flow)

    walk(flow, case)

    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.OFFER_UNCLEAR, HoldOwner.OPERATIONS)
    assert "LIGHT_DIALECT_RATE_KIND_SPELLINGS" in hold.because
    assert "Wait for better prices" not in hold.because
    assert hold.act_by_date is not None

    if ours:
        flow.pair = replace(flow.pair, client=replace(flow.pair.client, **ours))  # type: ignore[arg-type]
        flow.restart_client()
        release(flow, case)
        walk(flow, case)
        assert_accepted_once(flow, case)


# Redirected writes: L28


@in_one_dialect
@pytest.mark.parametrize("operation", ["create", "record", "request_plans", "accept", "finalize", "token"])
def test_L28_redirected_write_goes_to_operations_and_is_not_repeated(flow: Flow, operation: str) -> None:
    flow.simulator.control.inject_fault(operation, "redirect", status=308, times=None)
    case = flow.case()

    walk(flow, case)

    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.REDIRECTED, HoldOwner.OPERATIONS)
    assert "https://elsewhere.invalid" in hold.because
    assert "/v1" not in hold.because
    assert calls(flow, operation) == 1
    sent = calls(flow, operation)
    flow.live(case, timedelta(days=1))
    assert calls(flow, operation) == sent

    flow.simulator.control.clear_faults()
    release(flow, case)
    walk(flow, case)
    assert_accepted_once(flow, case)
