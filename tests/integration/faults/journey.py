"""A case on its way while things break: everybody does his part, and every promise is checked after every step."""

from datetime import timedelta

from enrollments.actions import holds
from enrollments.models import Enrollment, Hold
from enrollments.states import EnrollmentStatus, HoldCode
from tests.integration.enrollments.road import OFFICE, Road
from tests.invariants import differences_from_light

ARRIVED = frozenset({EnrollmentStatus.FINALIZED, EnrollmentStatus.ACTIVE, EnrollmentStatus.ENDED})


def walk(road: Road, case: Enrollment, *, span: timedelta = timedelta(days=2)) -> None:
    """Let the customer and the technician do their part and the machine the rest, until it arrives or must stop."""
    end = road.clock.at + span
    while road.clock.at < end and case.status not in ARRIVED:
        road.engine.advance(case.pk)
        case.refresh_from_db()
        road.check()
        if case.light_account_uuid is not None and not case.installations.get().reports.exists():
            road.finish_at_light(case)
            road.report_pto(case)
            continue
        if open_hold(case) is not None and case.due_at is None:
            break
        wake = min(case.due_at or end, case.lease_until or end, end)
        road.pass_time(max(wake - road.clock.at, timedelta(seconds=1)))
    road.check()


def ready_to_accept(road: Road, *, tags: str = "") -> Enrollment:
    """A case in which everybody has done his part; the next turn accepts a plan."""
    case = road.case(tags=tags)
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)
    road.pass_time(timedelta(hours=1))
    return case


def walk_past_lost_acceptance(road: Road, case: Enrollment, *, span: timedelta = timedelta(days=2)) -> None:
    """The same; where an acceptance did not happen and its answer was lost, a person compares and releases."""
    walk(road, case, span=span)
    hold = open_hold(case)
    if hold is not None and hold.code == HoldCode.DOUBT_UNSETTLED and not road.acceptances_of(case):
        assert calls(road, "accept") == 1, "an acceptance was repeated without a person"
        release(road, case, "Light has no acceptance.")
        walk(road, case, span=span)


def open_hold(case: Enrollment) -> Hold | None:
    return case.holds.filter(released_at=None).first()


def release(road: Road, case: Enrollment, reason: str = "The cause is mended.") -> None:
    hold = open_hold(case)
    assert hold is not None
    road.pass_time(timedelta(minutes=1))
    holds.release_hold(hold_id=hold.pk, reason=reason, by=OFFICE, at=road.clock.at)
    case.refresh_from_db()


def assert_accepted_once(road: Road, case: Enrollment) -> None:
    assert case.status in ARRIVED, (case.status, case.next_step, case.because)
    assert len(road.acceptances_of(case)) == 1
    assert len(road.simulator.control.state()["accounts"]) == 1
    assert differences_from_light(road.simulator.control.acceptances()) == []


def calls(road: Road, operation: str) -> int:
    return len(road.simulator.control.requests(operation))
