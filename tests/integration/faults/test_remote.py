"""Cells L1 to L26: whatever fails at Light or on the network, a case is accepted once or needs a named person."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import formatdate
from typing import Any
from uuid import UUID

import pytest

from enrollments.decision.steps import Waiting
from enrollments.models import AcceptAttempt, Enrollment, LightWrite, PlanOffer
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteKind, WriteStatus
from tests.contract.dialects import REFERENCE
from tests.integration.enrollments.flow import Flow
from tests.integration.faults.walks import (
    assert_accepted_once,
    calls,
    open_hold,
    ready_to_accept,
    release,
    walk,
    walk_past_lost_acceptance,
)
from tests.invariants import differences_from_light

WRITES = ("create", "record", "request_plans", "accept", "finalize")
READS = ("request_plans", "token", "read")
BINDING = ("create", "record", "accept", "finalize")


in_one_dialect = pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)


@pytest.fixture
def impatient(flow: Flow) -> Iterator[Flow]:
    """A flow whose client waits one second for an answer."""
    patient = flow.light._transport._timeout
    flow.light._transport._timeout = (patient[0], 1.0)
    yield flow
    flow.light._transport._timeout = patient


# No answer, or a meaningless one: L1 to L5, L13, L14


@in_one_dialect
@pytest.mark.parametrize("operation", WRITES)
def test_L1_timeout_without_effect_is_repeated_once_after_reading(impatient: Flow, operation: str) -> None:
    impatient.simulator.control.inject_fault(operation, "hang", seconds=1.3)
    case = impatient.case()

    walk_past_lost_acceptance(impatient, case)

    assert_accepted_once(impatient, case)
    assert calls(impatient, operation) == 2


@in_one_dialect
@pytest.mark.cell("L21")
@pytest.mark.parametrize("operation", WRITES)
def test_L2_L22_L23_timeout_after_the_effect_is_settled_by_reading(impatient: Flow, operation: str) -> None:
    impatient.simulator.control.inject_fault(operation, "delay", seconds=1.3)
    case = impatient.case()

    walk(impatient, case)

    assert_accepted_once(impatient, case)
    assert calls(impatient, operation) == _calls_after_an_effect(impatient, operation)


@in_one_dialect
def test_L27_dripping_answer_is_settled_by_reading(flow: Flow) -> None:
    flow.light._transport._timeout = (0.5, 1.0)
    flow.simulator.control.inject_fault("accept", "drip", seconds=0.5)
    case = flow.case()

    walk(flow, case)

    assert_accepted_once(flow, case)
    assert calls(flow, "accept") == 1


# tests/contract proves for every write that each of these is the same to the engine: in doubt.
@pytest.mark.parametrize(
    ("operation", "kind", "happened"),
    [
        *(
            pytest.param(each, "drop_after", True, marks=pytest.mark.cell("L3", "L21", "L22", "L23"))
            for each in BINDING
        ),
        pytest.param("accept", "error_before", False, marks=pytest.mark.cell("L4")),
    ],
)
def test_L3_L4_missing_answer_is_settled_by_reading(
    flow: Flow,
    operation: str,
    kind: str,
    happened: bool,  # noqa: FBT001
) -> None:
    flow.simulator.control.inject_fault(operation, kind)
    case = flow.case()

    walk_past_lost_acceptance(flow, case)

    assert_accepted_once(flow, case)
    assert calls(flow, operation) == (_calls_after_an_effect(flow, operation) if happened else 2)


@in_one_dialect
@pytest.mark.parametrize(
    ("operation", "kind", "happened"),
    [
        *(pytest.param(each, "nulls", True, marks=pytest.mark.cell("L15")) for each in BINDING),
        *(pytest.param(each, "numbers_as_text", True, marks=pytest.mark.cell("L15")) for each in BINDING),
        pytest.param("accept", "error_after", True, marks=pytest.mark.cell("L5")),
        pytest.param("accept", "truncate_after", True, marks=pytest.mark.cell("L13")),
        pytest.param("accept", "html", False, marks=pytest.mark.cell("L14")),
    ],
)
def test_L5_L13_L14_L15_meaningless_answer_is_settled_by_reading(
    flow: Flow,
    operation: str,
    kind: str,
    happened: bool,  # noqa: FBT001
) -> None:
    flow.simulator.control.inject_fault(operation, kind)
    case = flow.case()

    walk_past_lost_acceptance(flow, case)

    assert_accepted_once(flow, case)
    assert calls(flow, operation) == (_calls_after_an_effect(flow, operation) if happened else 2)


@in_one_dialect
@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        *(pytest.param(each, "error_before", marks=pytest.mark.cell("L4")) for each in READS),
        *(pytest.param(each, "numbers_as_text", marks=pytest.mark.cell("L15")) for each in READS),
    ],
)
def test_read_without_a_usable_answer_is_repeated(flow: Flow, operation: str, kind: str) -> None:
    """Every other lost answer to a read is the same to the engine: tests/contract proves that for each of them."""
    flow.simulator.control.inject_fault(operation, kind, times=4)
    case = flow.case()

    walk(flow, case)

    assert_accepted_once(flow, case)


@in_one_dialect
@pytest.mark.cell("L15", "L17")
def test_all_null_plans_count_as_no_plans(flow: Flow) -> None:
    flow.simulator.control.inject_fault("request_plans", "nulls")
    case = flow.case()

    walk(flow, case)

    assert _held_for(case) == (HoldCode.NO_PLANS, HoldOwner.OFFICE)
    release(flow, case)
    walk(flow, case)
    assert_accepted_once(flow, case)


@pytest.mark.cell("L21")
def test_L21_account_is_found_under_the_corrected_address(flow: Flow) -> None:
    flow.simulator.control.inject_fault("create", "drop_after")
    flow.simulator.control.inject_fault("list", "error_before", status=503, times=3)
    case = flow.case()
    flow.run(case)
    flow.correct_address(case, "corrected@example.com")
    flow.prove_corrected_address(case)

    walk(flow, case)

    assert_accepted_once(flow, case)
    assert calls(flow, "create") == 1


def _calls_after_an_effect(flow: Flow, operation: str) -> int:
    """One; but plans nobody saw, and an attestation Light does not show, are sent again and commit to nothing."""
    if operation == "request_plans":
        return 2
    is_unseen = operation == "record" and not flow.pair.simulator.client_agent_read_back
    lost = LightWrite.objects.filter(kind=WriteKind.RECORD_CLIENT_AGENT, status=WriteStatus.NOT_DONE).exists()
    return 2 if is_unseen and lost else 1


# Asked to wait, or refused: L6 to L12


@in_one_dialect
@pytest.mark.parametrize(
    ("operation", "asked", "least"),
    [
        *(
            pytest.param(each, "3600", timedelta(hours=1), marks=pytest.mark.cell("L6"))
            for each in (*WRITES, "list", "read", "token")
        ),
        # tests/contract proves for every write how long the client understands that it should wait.
        pytest.param("accept", "a date", timedelta(hours=2), marks=pytest.mark.cell("L7")),
        pytest.param("accept", None, timedelta(seconds=5), marks=pytest.mark.cell("L8")),
    ],
)
def test_L6_L7_busy_light_is_left_alone_as_long_as_asked(
    flow: Flow, operation: str, asked: str | None, least: timedelta
) -> None:
    if asked == "a date":  # unlike the date of the answer, which is that of the machine
        asked = formatdate(time.time() + timedelta(hours=2, minutes=5).total_seconds(), usegmt=True)
    flow.simulator.control.inject_fault(operation, "rate_limit", retry_after=asked)
    case = flow.case()

    walk(flow, case)

    assert_accepted_once(flow, case)
    refused_at = next(at for at, fault in _calls_of(flow) if fault == "rate_limit")
    next_call_at = next(at for at, fault in _calls_of(flow) if at > refused_at)
    assert next_call_at - refused_at >= least


@in_one_dialect
@pytest.mark.cell("L6", "L8")
def test_rate_limited_cases_return_at_different_times(flow: Flow) -> None:
    flow.simulator.control.inject_fault("create", "rate_limit", retry_after="60", times=6)

    cases = [flow.case() for _ in range(6)]
    for case in cases:
        flow.run(case)

    waits = {case.due_at for case in cases}
    assert len(waits) == len(cases)


@in_one_dialect
@pytest.mark.cell("L9")
@pytest.mark.parametrize("operation", ["accept", "finalize"])
def test_expired_token_is_renewed_once(flow: Flow, operation: str) -> None:
    flow.simulator.control.inject_fault(operation, "unauthorized")
    case = flow.case()

    walk(flow, case)

    assert_accepted_once(flow, case)
    assert calls(flow, operation) == 2


@pytest.mark.cell("L9")
@pytest.mark.parametrize("operation", WRITES)
def test_permanently_refused_token_is_a_hold_for_operations(flow: Flow, operation: str) -> None:
    flow.simulator.control.inject_fault(operation, "unauthorized", times=None)
    case = flow.case()

    walk(flow, case, span=timedelta(days=3))

    assert _held_for(case) == (HoldCode.NOT_AUTHORIZED, HoldOwner.OPERATIONS)
    by_account_token = operation == "accept" or (operation == "finalize" and flow.pair.name == "reference")
    assert calls(flow, operation) == (2 if by_account_token else 1)
    flow.simulator.control.clear_faults()
    release(flow, case)
    walk(flow, case)
    assert_accepted_once(flow, case)


@in_one_dialect
@pytest.mark.parametrize(
    ("operation", "kind"),
    [*((each, "forbidden") for each in WRITES), ("accept", "not_found"), ("finalize", "not_found")],
)
def test_L10_forbidden_or_unknown_call_is_made_once(flow: Flow, operation: str, kind: str) -> None:
    flow.simulator.control.inject_fault(operation, kind, times=None)
    case = flow.case()

    walk(flow, case, span=timedelta(days=3))
    flow.live(case, timedelta(days=3))

    hold = open_hold(case)
    assert hold is not None
    assert hold.owner in {HoldOwner.OFFICE, HoldOwner.OPERATIONS}
    assert calls(flow, operation) == 1
    flow.simulator.control.clear_faults()
    release(flow, case)
    walk(flow, case)
    assert_accepted_once(flow, case)


@in_one_dialect
@pytest.mark.cell("L10")
@pytest.mark.parametrize("kind", ["forbidden", "not_found"])
def test_unreadable_account_is_not_polled_continuously(flow: Flow, kind: str) -> None:
    flow.simulator.control.inject_fault("read", kind, times=None)
    case = flow.case()

    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(days=2))

    hold = open_hold(case)
    assert hold is not None
    assert hold.code == HoldCode.REFUSED_BY_LIGHT
    assert calls(flow, "read") <= 50
    assert flow.acceptances_of(case) == []


@pytest.mark.cell("L11")
def test_acceptance_of_the_same_plan_counts_as_done(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    accept = flow.light.accept_plan

    def sent_twice_below_us(*args: Any, **kwargs: Any) -> Any:
        accept(*args, **kwargs)
        return accept(*args, **kwargs)

    monkeypatch.setattr(flow.light, "accept_plan", sent_twice_below_us)

    walk(flow, case)

    assert_accepted_once(flow, case)
    assert AcceptAttempt.objects.get().succeeded


@in_one_dialect
@pytest.mark.cell("L12")
@pytest.mark.parametrize(
    ("operation", "fault", "status"),
    [
        *((operation, "unprocessable", 422) for operation in WRITES),
        *((operation, "conflict", 409) for operation in ("request_plans", "finalize")),
    ],
)
def test_refused_call_shows_the_office_lights_reason(flow: Flow, operation: str, fault: str, status: int) -> None:
    """A field that Light does not accept, or a call that is not possible now."""
    flow.simulator.control.inject_fault(operation, fault)
    case = flow.case()

    walk(flow, case, span=timedelta(days=3))

    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.REFUSED_BY_LIGHT, HoldOwner.OFFICE)
    assert f"({status})" in hold.because
    assert "Refused on order" in hold.because
    assert "release the hold" in hold.because
    assert calls(flow, operation) == 1
    release(flow, case)
    walk(flow, case)
    assert_accepted_once(flow, case)


@pytest.mark.cell("L12", "L20")
def test_L12_refused_acceptance_is_retried_with_new_plans(flow: Flow) -> None:
    flow.simulator.control.inject_fault("accept", "conflict")
    case = flow.case()

    walk(flow, case)

    assert_accepted_once(flow, case)
    assert (calls(flow, "request_plans"), calls(flow, "accept")) == (2, 2)
    refused = LightWrite.objects.filter(kind=WriteKind.ACCEPT_PLAN).earliest("pk")
    assert refused.status == WriteStatus.NOT_DONE
    assert "Refused on order" in refused.outcome


@pytest.mark.cell("L11")
@pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)
def test_L11_attestation_recorded_but_not_shown_is_a_hold(flow: Flow) -> None:
    flow.simulator.control.inject_fault("record", "conflict")
    case = flow.case()

    walk(flow, case)

    assert _held_for(case) == (HoldCode.REFUSED_BY_LIGHT, HoldOwner.OFFICE)
    assert case.attested_at is None
    assert calls(flow, "record") == 1
    release(flow, case)
    walk(flow, case)
    assert_accepted_once(flow, case)
    assert calls(flow, "record") == 2


@pytest.mark.cell("L12")
def test_L12_acceptance_refused_again_is_a_hold(flow: Flow) -> None:
    flow.simulator.control.inject_fault("accept", "conflict", times=2)
    case = flow.case()

    walk(flow, case, span=timedelta(days=3))

    assert _held_for(case) == (HoldCode.REFUSED_BY_LIGHT, HoldOwner.OFFICE)
    hold = open_hold(case)
    assert hold is not None
    assert "(409)" in hold.because
    assert "Refused on order." in hold.because
    assert calls(flow, "accept") == 2
    release(flow, case)
    walk(flow, case)
    assert_accepted_once(flow, case)


@in_one_dialect
@pytest.mark.cell("L11")
def test_already_finalized_is_not_a_refusal(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    flow.simulator.control.set_dialect(finalize_repeat="conflict")
    finalize = flow.light.finalize

    def sent_twice_below_us(*args: Any, **kwargs: Any) -> Any:
        finalize(*args, **kwargs)
        return finalize(*args, **kwargs)

    monkeypatch.setattr(flow.light, "finalize", sent_twice_below_us)
    case = flow.case()

    walk(flow, case)

    assert_accepted_once(flow, case)
    write = LightWrite.objects.get(kind=WriteKind.FINALIZE)
    assert (write.status, write.hold_code) == (WriteStatus.DONE, "")
    assert open_hold(case) is None


# Unexpected answers of Light: L16 to L20


@pytest.mark.cell("L16")
def test_unknown_status_is_shown_raw_and_tolerated(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.simulator.control.show_status(str(case.light_account_uuid), "moon_phase_pending")

    flow.live(case, timedelta(hours=3))
    flow.check()
    assert "moon_phase_pending" in case.because
    assert case.next_step == Waiting.LIGHT_TO_FINISH
    flow.simulator.control.show_status(str(case.light_account_uuid), None)
    walk(flow, case)

    assert_accepted_once(flow, case)


def test_L16_status_unknown_for_a_day_is_a_hold(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.simulator.control.show_status(str(case.light_account_uuid), "moon_phase_pending")

    walk(flow, case)

    hold = open_hold(case)
    assert hold is not None
    assert (hold.code, hold.owner) == (HoldCode.UNKNOWN_LIGHT_STATUS, HoldOwner.OFFICE)
    assert "moon_phase_pending" in hold.because


@in_one_dialect
def test_L17_no_plan_on_offer_is_a_hold(flow: Flow) -> None:
    case = flow.case(tags="+noplans")

    walk(flow, case, span=timedelta(days=5))

    assert _held_for(case) == (HoldCode.NO_PLANS, HoldOwner.OFFICE)
    assert calls(flow, "request_plans") == 1


@in_one_dialect
def test_L18_choice_between_identical_plans_is_stable_and_recorded(flow: Flow) -> None:
    case = flow.case(tags="+twins")

    walk(flow, case)

    assert_accepted_once(flow, case)
    chosen = case.accepted_offer
    assert chosen is not None
    alike = PlanOffer.objects.filter(enrollment=case, name=chosen.name, term_months=chosen.term_months)
    assert alike.count() == 2
    assert chosen.light_plan_uuid == min(alike.values_list("light_plan_uuid", flat=True), key=str)


@in_one_dialect
def test_L19_raised_price_is_judged_again(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    pause = flow.pause()
    walk(flow, case, span=timedelta(hours=2))
    first = {offer.light_plan_uuid: offer for offer in PlanOffer.objects.filter(enrollment=case)}
    assert first
    assert any(offer.fits for offer in first.values())
    monkeypatch.setattr("simulator.pricing.uuid4", _repeating(list(first)))
    flow.simulator.control.change_settings(price_factor="9")

    flow.live(case, timedelta(days=9))
    flow.resume(pause)
    walk(flow, case)

    assert _held_for(case) == (HoldCode.OUTSIDE_LIMITS, HoldOwner.OFFICE)
    assert flow.acceptances_of(case) == []
    again = PlanOffer.objects.filter(enrollment=case, light_plan_uuid__in=first)
    assert again.count() == 2 * len(first)


def _repeating(identifiers: list[UUID]) -> Callable[[], UUID]:
    line = itertools.cycle(identifiers)
    return lambda: next(line)


@in_one_dialect
def test_L20_withdrawn_plan_is_requested_and_judged_again(flow: Flow) -> None:
    case = ready_to_accept(flow)
    pause = flow.pause()
    walk(flow, case, span=timedelta(hours=2))
    for account in flow.simulator.world.accounts.values():
        for uuid, plan in account.plans.items():
            account.plans[uuid] = replace(plan, expires_at=flow.clock.at - timedelta(minutes=1))
    flow.resume(pause)

    walk(flow, case)

    assert_accepted_once(flow, case)
    assert calls(flow, "request_plans") == 2
    assert case.accepted_offer is not None
    assert case.accepted_offer.write == LightWrite.objects.filter(kind=WriteKind.REQUEST_PLANS).latest("pk")


# Longer outages: L24 to L26


@in_one_dialect
def test_L24_cases_catch_up_one_by_one_after_an_outage(flow: Flow) -> None:
    at_the_start, ready, accepted = flow.case(), ready_to_accept(flow), ready_to_accept(flow)
    flow.simulator.control.inject_fault("finalize", "drop_before")
    flow.run(accepted)
    cases = (at_the_start, ready, accepted)
    flow.simulator.control.inject_fault("*", "drop_before", times=None)
    before = len(flow.simulator.control.requests())

    end = flow.clock.at + timedelta(days=3)
    while flow.clock.at < end:
        _let_all_live(flow, cases, timedelta(hours=12))
        flow.check()
        assert all(case.next_step in {Waiting.BACKING_OFF, Waiting.CALL_IN_PROGRESS} for case in cases)
    probes = len(flow.simulator.control.requests()) - before
    assert probes <= 3 * len(cases) * 3 * 24 * 4.5
    assert ready.act_by_date is not None

    flow.simulator.control.clear_faults()
    _let_all_live(flow, cases, timedelta(hours=1))
    walk(flow, at_the_start)
    for case in cases:
        walk(flow, case)

    assert all(case.status == EnrollmentStatus.FINALIZED for case in cases)
    assert all(len(flow.acceptances_of(case)) == 1 for case in cases)
    assert differences_from_light(flow.simulator.control.acceptances()) == []


def _let_all_live(flow: Flow, cases: Sequence[Enrollment], span: timedelta) -> None:
    end = flow.clock.at + span
    while flow.clock.at < end:
        for case in cases:
            case.refresh_from_db()
        wakes = [moment for case in cases for moment in (case.due_at, case.lease_until) if moment is not None]
        flow.pass_time(max(min([*wakes, end]) - flow.clock.at, timedelta(seconds=1)))
        for case in cases:
            flow.engine.advance(case.pk)


def test_L25_refused_finalize_is_a_hold_and_keeps_the_acceptance(flow: Flow) -> None:
    flow.simulator.control.inject_fault("finalize", "unprocessable", times=None)
    case = flow.case()

    walk(flow, case, span=timedelta(days=1))

    assert _held_for(case) == (HoldCode.REFUSED_BY_LIGHT, HoldOwner.OFFICE)
    assert case.status == EnrollmentStatus.ACCEPTED
    assert len(flow.acceptances_of(case)) == 1
    flow.simulator.control.clear_faults()
    release(flow, case)
    walk(flow, case)
    assert_accepted_once(flow, case)


def test_L26_plan_chosen_by_the_customer_is_never_replaced(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    accept = flow.light.accept_plan

    def too_late(*args: Any, **kwargs: Any) -> Any:
        flow.simulator.control.accept_own_plan(str(case.light_account_uuid))
        return accept(*args, **kwargs)

    monkeypatch.setattr(flow.light, "accept_plan", too_late)

    walk(flow, case)

    assert _held_for(case) == (HoldCode.SELF_ENROLLED, HoldOwner.OFFICE)
    assert [row["by_customer"] for row in flow.acceptances_of(case)] == [True]
    assert not AcceptAttempt.objects.filter(succeeded=True).exists()


# Small questions


def _held_for(case: Enrollment) -> tuple[str, str]:
    hold = open_hold(case)
    assert hold is not None, (case.status, case.next_step, case.because)
    return hold.code, hold.owner


def _calls_of(flow: Flow) -> list[tuple[datetime, str | None]]:
    rows = flow.simulator.control.requests()
    return [(datetime.fromisoformat(row["at"]), row["fault"]) for row in rows]
