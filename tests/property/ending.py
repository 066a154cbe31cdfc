"""The end of every order of events: faults end, two months pass, and Light's records equal ours."""

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q

from core.actors import SYSTEM
from enrollments.actions import case_opening, holds, reconciliation, system_holds
from enrollments.decision.steps import CONSENT_HOLDS, Waiting
from enrollments.models import Difference, Enrollment, Hold, LightWrite, Pause, ReconciliationRun, SystemHold
from enrollments.states import UNSETTLED_WRITE_STATUSES, DifferenceKind, EnrollmentStatus, HoldCode
from installations.states import InstallationStatus
from poa_documents.models import PoaDocument, StopSignal
from tests.integration.enrollments.flow import OFFICE, Flow
from tests.invariants import acceptances_unlike
from tests.property.surroundings import MemoryStorage

if TYPE_CHECKING:
    from tests.property.machine import Cases

A_DAY = timedelta(days=1)
TO_THE_END = (
    *[timedelta(minutes=11)] * 2,
    timedelta(hours=2),
    A_DAY,
    timedelta(days=14),
    timedelta(days=45),
    timedelta(hours=2),
)
"""Steps long enough for every pause, doubt and start of service to end."""

MAX_ROUNDS = 12
MAX_NOTICES = 8
"""Prices change by the day: they do not rise so often in a row."""

SETTLED = frozenset({EnrollmentStatus.ACTIVE, EnrollmentStatus.ENDED})
MOVING = frozenset({EnrollmentStatus.ACCEPTING, EnrollmentStatus.IN_DOUBT})


def settle_everything(cases: "Cases") -> None:
    _end_faults(cases)
    _let_time_pass(cases)
    _let_doubt_end(cases)
    cases.every_promise_holds()
    _records_say_what_light_holds(cases.flow)
    _every_case_has_arrived_or_names_a_person()
    if cases.everybody_helps:
        _help(cases)
        _let_time_pass(cases)
        _let_doubt_end(cases)
        cases.every_promise_holds()
        _records_say_what_light_holds(cases.flow)
        _every_case_that_was_helped_has_arrived_or_is_held(cases)


def reconcile(flow: Flow) -> ReconciliationRun:
    """Compare every account with our records, as operations do by command and the scheduler at night."""
    run = reconciliation.start_run(by=SYSTEM, at=flow.clock.at)
    while not reconciliation.continue_run(run.pk, flow.engine.tools, pause=lambda _seconds: None):
        pass
    return run


def _end_faults(cases: "Cases") -> None:
    """End every fault and drop every message: the sweep alone must finish everything."""
    cases.flow.simulator.control.clear_faults()
    cases.flow.simulator.control.change_settings(read_lag_seconds=0)
    cases.flow.light_is_ahead = timedelta(0)
    MemoryStorage.is_down = False
    cases.queue.waiting.clear()


def _let_time_pass(cases: "Cases") -> None:
    """In steps. A notice ends only on its own days, and is repeated if the price rose."""
    for leap in TO_THE_END:
        cases.flow.pass_time(leap)
        cases.sweep()
        if leap == A_DAY and cases.flow.policy.notice_days:
            for _ in range(MAX_NOTICES):
                cases.live(timedelta(days=cases.flow.policy.notice_days + 2))
                if not Enrollment.objects.filter(next_step=Waiting.NOTICE).exists():
                    break


def _let_doubt_end(cases: "Cases") -> None:
    """
    Settle doubt by reading; if a person is asked, they compare the account and release the case.

    An accepted plan that Light will not finalize, because credit was frozen since then, returns to them every time.
    """
    compared: set[int] = set()
    for _ in range(MAX_ROUNDS):
        held = Hold.objects.filter(released_at=None)
        unsettled = LightWrite.objects.filter(status__in=UNSETTLED_WRITE_STATUSES)
        refused_again = Q(enrollment__status=EnrollmentStatus.ACCEPTED, enrollment__in=compared)
        asked_for = list(held.filter(code=HoldCode.OUTCOME_UNKNOWN).exclude(refused_again))
        if not asked_for and not unsettled.exclude(enrollment__in=held.values("enrollment_id")).exists():
            break
        for hold in asked_for:
            holds.release_hold(hold_id=hold.pk, reason="Compared by hand.", by=OFFICE, at=cases.flow.clock.at)
            compared.add(hold.enrollment_id)
        cases.live(timedelta(hours=2))
    else:
        raise AssertionError("Doubt does not end, although nothing fails any more.")


def _records_say_what_light_holds(flow: Flow) -> None:
    """
    The final comparison.

    An acceptance that shows at Light only after its case was closed, or while a person is asked about it, cannot be in
    the case's records; then the comparison of all accounts must report it.
    """
    unknown, invented = acceptances_unlike(flow.simulator.world.acceptances)
    assert invented == []
    named = set(_named_by_reconciliation(flow)) if unknown else set()
    for row in unknown:
        case = Enrollment.objects.get(light_account_uuid=row[0])
        is_held = case.holds.filter(released_at=None).exclude(owner="").exists()
        assert is_held or case.status == EnrollmentStatus.ENDED, row
        assert row[0] in named, row
    for case in Enrollment.objects.filter(status__in=MOVING):
        assert case.writes.filter(status__in=UNSETTLED_WRITE_STATUSES).exists(), (case, case.because)
    for case in Enrollment.objects.filter(status=EnrollmentStatus.FINALIZED):
        assert flow.simulator.world.accounts[str(case.light_account_uuid)].finalized_at is not None


def _named_by_reconciliation(flow: Flow) -> list[str]:
    kinds = [DifferenceKind.ACCEPTED_UNKNOWN_TO_US, DifferenceKind.ACCEPTED_DIFFERENTLY]
    found = Difference.objects.filter(run=reconcile(flow), kind__in=kinds)
    return list(found.values_list("light_account_uuid", flat=True))


def _every_case_has_arrived_or_names_a_person() -> None:
    for case in Enrollment.objects.exclude(status__in=SETTLED):
        is_held = case.holds.filter(released_at=None).exclude(owner="").exists()
        assert is_held or case.whose_turn, _story(case)


# When everyone does their part


def _help(cases: "Cases") -> None:
    """Operations, office, customer and technician do whatever the case may wait for, in this order."""
    at = cases.flow.clock.at
    for pause in Pause.objects.filter(ended_at=None):
        cases.flow.resume(pause)
    if SystemHold.objects.filter(ended_at=None).exists():
        reconcile(cases.flow)
        system_holds.release_writes(by=OFFICE, at=at)
    cases.prices_move("1")
    for number, job in enumerate(cases.jobs):
        case = case_opening.reconsider_site(site_id=job.site_id, at=at)
        if case is None or case.status != EnrollmentStatus.OPEN or not _is_anything_to_go_live(case):
            continue
        cases.credit_freezes_or_thaws(number, "unfreeze_credit")
        cases.light_shows_another_status(number, None)
        for signal in StopSignal.objects.filter(customer=case.customer_id, ended_at=None):
            cases.end_stop_signal(signal)
        cases.customer_holds_it_or_lets_it_go_on(number, goes_on=True)
        cases.customer_signs(number, "roomy", 1)
        cases.second_person_calls_back(number)
        for hold in case.holds.filter(released_at=None).exclude(code__in=CONSENT_HOLDS):
            holds.release_hold(hold_id=hold.pk, reason="Looked into it.", by=OFFICE, at=at)
        cases.live(timedelta(hours=2))
        cases.customer_finishes_steps_at_light(number, ())
        cases.go_live_is_reported(number, OFFICE, 0, 1)
        cases.go_live_is_looked_at_again(number, "confirm")
    cases.live(timedelta(hours=3))


def _is_anything_to_go_live(case: Enrollment) -> bool:
    """One job may be canceled while another one at the same site continues."""
    return case.installations.exclude(status=InstallationStatus.CANCELLED).exists()


def _every_case_that_was_helped_has_arrived_or_is_held(cases: "Cases") -> None:
    for case in Enrollment.objects.exclude(status__in=SETTLED):
        is_held = case.holds.filter(released_at=None).exclude(owner="").exists()
        assert is_held, _story(case)


def _story(case: Enrollment) -> str:
    """Explain to a developer why a case did not arrive."""
    at_site = {"site": case.site_id, "customer": case.customer_id}
    lines = [
        f"{case} is {case.status}, {case.next_step}: {case.because} (turn of {case.whose_turn or 'nobody'})",
        *(f"job {job.pk}: {job.status}" for job in case.installations.all()),
        *(f"POA {poa.pk}: {poa.status} {poa.ended_because}" for poa in PoaDocument.objects.filter(**at_site)),
        *(f"{event.at:%m-%d %H:%M} {event.name} {event.reason}" for event in case.events.order_by("pk")),
    ]
    return "\n".join(lines)
