"""A case in progress while things break: everyone does their part, and every promise is checked after every step."""

from datetime import timedelta

from enrollments.actions import holds
from enrollments.models import Enrollment, Hold
from enrollments.states import EnrollmentStatus, HoldCode
from tests.integration.enrollments.flow import OFFICE, Flow
from tests.invariants import differences_from_light

ARRIVED = frozenset({EnrollmentStatus.FINALIZED, EnrollmentStatus.ACTIVE, EnrollmentStatus.ENDED})


def walk(flow: Flow, case: Enrollment, *, span: timedelta = timedelta(days=2)) -> None:
    """Let the customer, the technician and the engine do their parts until the case is active or must stop."""
    end = flow.clock.at + span
    while flow.clock.at < end and case.status not in ARRIVED:
        flow.engine.advance(case.pk)
        case.refresh_from_db()
        flow.check()
        if case.light_account_uuid is not None and not case.installations.get().reports.exists():
            flow.finish_at_light(case)
            flow.report_pto(case)
            continue
        if open_hold(case) is not None and case.due_at is None:
            break
        wake = min(case.due_at or end, case.lease_until or end, end)
        flow.pass_time(max(wake - flow.clock.at, timedelta(seconds=1)))
    flow.check()


def ready_to_accept(flow: Flow, *, tags: str = "") -> Enrollment:
    """A case in which everyone did their part; the next turn accepts a plan."""
    case = flow.case(tags=tags)
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.pass_time(timedelta(hours=1))
    return case


def walk_past_lost_acceptance(flow: Flow, case: Enrollment, *, span: timedelta = timedelta(days=2)) -> None:
    """The same; if an acceptance did not happen and its answer was lost, a person compares and releases."""
    walk(flow, case, span=span)
    hold = open_hold(case)
    if hold is not None and hold.code == HoldCode.OUTCOME_UNKNOWN and not flow.acceptances_of(case):
        assert calls(flow, "accept") == 1, "an acceptance was repeated without a person"
        release(flow, case, "Light has no acceptance.")
        walk(flow, case, span=span)


def open_hold(case: Enrollment) -> Hold | None:
    return case.holds.filter(released_at=None).first()


def release(flow: Flow, case: Enrollment, reason: str = "The cause is fixed.") -> None:
    hold = open_hold(case)
    assert hold is not None
    flow.pass_time(timedelta(minutes=1))
    holds.release_hold(hold_id=hold.pk, reason=reason, by=OFFICE, at=flow.clock.at)
    case.refresh_from_db()


def assert_accepted_once(flow: Flow, case: Enrollment) -> None:
    assert case.status in ARRIVED, (case.status, case.next_step, case.because)
    assert len(flow.acceptances_of(case)) == 1
    assert len(flow.simulator.control.state()["accounts"]) == 1
    assert differences_from_light(flow.simulator.control.acceptances()) == []


def calls(flow: Flow, operation: str) -> int:
    return len(flow.simulator.control.requests(operation))
