"""
Several cases at once, and everything that people, clock, queue and Light can do to them, in any order.

After every step every promise is checked. At the end the faults are gone and two months pass: what Light holds is then
what our records say, and every case has arrived or stands before a named person.

`INTERLEAVED_EXAMPLES` says how many orders are tried; `make test-long` tries 2,000.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.actors import Actor
from core.dates import chicago_day
from core.moves import MoveNotAllowed
from enrollments.actions import confirming, opening, receiving, settling, stopping
from enrollments.actions.recovering import take_over
from enrollments.leases import due_enrollments
from enrollments.light.events import KnownEvent
from enrollments.models import AcceptAttempt, Enrollment, Hold, LightWrite, Pause
from enrollments.states import UNSETTLED_WRITE_STATUSES, EnrollmentStatus, HoldCode
from installations import actions as installation_actions
from installations.guards import ReportNotCurrent
from installations.models import GoLiveReport, GoLiveSource, Installation
from installations.states import CURRENT_REPORT_STATUSES
from poa_documents import actions as poa_actions
from poa_documents.actions.sweeping import sweep_poas
from poa_documents.models import PlanPromise, PoaDocument
from poa_documents.pdf import SignedDocument
from poa_documents.states import PoaStatus
from simulator.remote_control import ControlRefused
from simulator.server import RunningSimulator, start_simulator
from tests.contract.dialects import DIALECT_PAIRS, DialectPair
from tests.factories import installations as made
from tests.factories.poa_documents import drafted_poa
from tests.integration.enrollments.road import MORNING, OFFICE, Road, SettableClock, roomy_promise
from tests.invariants import broken_invariants, differences_from_light

EXAMPLES = int(os.environ.get("INTERLEAVED_EXAMPLES", "10"))
STEPS = 20
LONG = 1000
"""From so many examples on there is time to look for the shortest failing order."""
TO_THE_END = (
    *[timedelta(minutes=11)] * 3,
    *[timedelta(hours=2)] * 2,
    *[timedelta(days=1)] * 2,
    timedelta(days=14),
    timedelta(days=45),
    timedelta(hours=2),
)
"""Leaps long enough for every pause, doubt and start of service to end."""
TECHNICIAN = Actor.technician(7)
CALLS = ("create_account", "record_client_agent", "request_plans", "accept_plan", "finalize", "read_account")
OPERATIONS = ("create", "record", "request_plans", "accept", "finalize", "read", "list", "token", "*")
FAULTS = (
    "drop_before",
    "drop_after",
    "error_before",
    "error_after",
    "rate_limit",
    "malformed",
    "truncate_after",
    "html",
    "nulls",
    "numbers_as_text",
    "unauthorized",
    "forbidden",
    "not_found",
    "conflict",
    "unprocessable",
)
REFUSALS = (
    MoveNotAllowed,
    ControlRefused,
    stopping.HoldNotOpen,
    stopping.ConsentCannotBeOverridden,
    stopping.CannotClose,
    stopping.NotPaused,
)
"""What a person is told who comes too late or asks for too much: an answer, and nothing has changed."""

which_case = st.integers(min_value=0, max_value=2)


class Killed(BaseException):
    """Stands for signal 9: no handler of ours runs after it."""


class Cases(RuleBasedStateMachine):
    simulators: ClassVar[dict[str, RunningSimulator]] = {}

    @initialize(pair=st.sampled_from(DIALECT_PAIRS), count=st.integers(min_value=2, max_value=3))
    def open_cases(self, pair: DialectPair, count: int) -> None:
        self._undo = _database_to_be_undone()
        self._undo.__enter__()
        running = self.simulators[pair.name]
        running.control.reset()
        running.control.set_now(MORNING)
        running.control.freeze_clock()
        self.road = Road(running, pair, clock=SettableClock(MORNING))
        self._changes_at_last_check = -1
        self.promises: dict[str, PlanPromise] = {
            "roomy": roomy_promise(),
            "tight": roomy_promise(highest_average_cents_per_kwh_1000=Decimal("1.5")),
        }
        self.jobs = [self._sold_job() for _ in range(count)]
        self.road.sign(self.jobs[0], promise=self.promises["roomy"])
        self._sweep_news()

    def _sold_job(self) -> Installation:
        at = self.road.clock.at
        return made.installation(at, customer=made.customer(at), site=made.site(at))

    # The customer

    @rule(number=which_case, promise=st.sampled_from(["roomy", "roomy", "roomy", "tight"]))
    def customer_signs(self, number: int, promise: str) -> None:
        job = self._job(number)
        is_unsigned = [PoaStatus.DRAFT, PoaStatus.SENT, PoaStatus.SEALING]
        for poa in PoaDocument.objects.filter(site=job.site, status__in=is_unsigned):
            poa_actions.void_poa(poa_id=poa.pk, reason="Drawn up anew.", by=OFFICE, at=self.road.clock.at)
        with suppress(poa_actions.CustomerNotAtSite):
            self.road.sign(job, promise=self.promises[promise])

    @rule(number=which_case)
    def customer_revokes(self, number: int) -> None:
        poa = PoaDocument.objects.filter(site=self._job(number).site).order_by("-pk").first()
        if poa is not None:
            with suppress(*REFUSALS):
                poa_actions.revoke_poa(poa_id=poa.pk, by=Actor.customer(poa.customer_id), at=self.road.clock.at)

    @rule(
        number=which_case,
        steps=st.sampled_from([(), (), ("address", "identity"), ("card",), ("identity", "card", "billing_address")]),
    )
    def customer_finishes_steps_at_light(self, number: int, steps: tuple[str, ...]) -> None:
        case = self._case(number)
        if case is not None and case.light_account_uuid is not None:
            self.road.finish_at_light(case, *steps)

    @rule(number=which_case, what=st.sampled_from(["opt_out", "accept_own_plan", "cancel"]))
    def customer_acts_at_light_alone(self, number: int, what: str) -> None:
        case = self._case(number)
        if case is not None and case.light_account_uuid is not None:
            with suppress(*REFUSALS):
                getattr(self.road.simulator.control, what)(str(case.light_account_uuid))

    # The office

    @rule()
    def office_pauses(self) -> None:
        if not Pause.objects.filter(ended_at=None).exists():
            self.road.pause()

    @rule()
    def office_resumes(self) -> None:
        for pause in Pause.objects.filter(ended_at=None):
            self.road.resume(pause)

    @rule(number=which_case)
    def office_releases_a_hold(self, number: int) -> None:
        hold = Hold.objects.filter(enrollment__site=self._job(number).site, released_at=None).first()
        if hold is not None:
            with suppress(*REFUSALS):
                stopping.release_hold(hold_id=hold.pk, reason="Looked into it.", by=OFFICE, at=self.road.clock.at)

    @rule(number=which_case)
    def office_draws_up_a_poa(self, number: int) -> None:
        job = self._job(number)
        with suppress(poa_actions.UnsignedPoaExists, poa_actions.CustomerNotAtSite):
            poa = drafted_poa(
                customer=job.customer, site=job.site, promise=self.promises["roomy"], at=self.road.clock.at
            )
            poa_actions.send_poa(poa_id=poa.pk, by=OFFICE, at=self.road.clock.at)

    @rule(number=which_case)
    def office_voids_a_poa(self, number: int) -> None:
        poa = PoaDocument.objects.filter(site=self._job(number).site).order_by("-pk").first()
        if poa is not None:
            with suppress(*REFUSALS):
                poa_actions.void_poa(poa_id=poa.pk, reason="A mistake.", by=OFFICE, at=self.road.clock.at)

    @rule(number=which_case, resumes=st.booleans())
    def office_suspends_or_resumes_the_authority(self, number: int, *, resumes: bool) -> None:
        poa = PoaDocument.objects.filter(site=self._job(number).site).order_by("-pk").first()
        if poa is not None:
            change = poa_actions.resume_poa if resumes else poa_actions.suspend_poa
            with suppress(*REFUSALS):
                change(poa_id=poa.pk, reason="A call from the family.", by=OFFICE, at=self.road.clock.at)

    @rule(number=which_case)
    def office_closes(self, number: int) -> None:
        case = self._case(number)
        if case is not None:
            with suppress(*REFUSALS):
                stopping.close_enrollment(
                    enrollment_id=case.pk, reason="The customer went abroad.", by=OFFICE, at=self.road.clock.at
                )

    @rule(number=which_case)
    def office_cancels_the_job(self, number: int) -> None:
        with suppress(*REFUSALS):
            installation_actions.cancel_installation(
                installation_id=self._job(number).pk, reason="Sold the house.", by=OFFICE, at=self.road.clock.at
            )

    # Whoever reports go-live

    @rule(number=which_case, by=st.sampled_from([OFFICE, OFFICE, TECHNICIAN]), days_ago=st.integers(0, 3))
    def go_live_is_reported(self, number: int, by: Actor, days_ago: int) -> None:
        at = self.road.clock.at
        with suppress(*REFUSALS):
            made.go_live_report(
                self._job(number), at=at, by=by, granted_date=chicago_day(at) - timedelta(days=days_ago)
            )

    @rule(number=which_case, what=st.sampled_from(["confirm", "correct", "withdraw"]))
    def go_live_is_looked_at_again(self, number: int, what: str) -> None:
        at = self.road.clock.at
        reports = GoLiveReport.objects.filter(installation=self._job(number))
        report = reports.filter(status__in=sorted(CURRENT_REPORT_STATUSES)).first() or reports.first()
        if report is None:
            return
        with suppress(*REFUSALS, ReportNotCurrent):
            match what:
                case "confirm":
                    installation_actions.confirm_go_live(report_id=report.pk, by=OFFICE, at=at, reason="Saw it.")
                case "correct":
                    installation_actions.correct_go_live(
                        report_id=report.pk,
                        submission_id=uuid4(),
                        granted_date=chicago_day(at),
                        source=GoLiveSource.LETTER,
                        utility_reference="DG-2026-0099",
                        reason="The letter says otherwise.",
                        by=OFFICE,
                        at=at,
                    )
                case _:
                    installation_actions.withdraw_go_live(
                        report_id=report.pk, reason="Another house.", by=OFFICE, at=at
                    )

    # The clock

    @rule(span=st.sampled_from([timedelta(minutes=1), timedelta(minutes=11), timedelta(hours=2), timedelta(days=1)]))
    def time_passes(self, span: timedelta) -> None:
        self.road.pass_time(span)

    @rule(days=st.integers(min_value=2, max_value=40))
    def many_days_pass(self, days: int) -> None:
        self.road.pass_time(timedelta(days=days))

    # The queue

    @rule()
    def the_sweep_comes(self) -> None:
        self._sweep()

    @rule(minutes=st.sampled_from([30, 130]))
    def the_machine_runs_for_a_while(self, minutes: int) -> None:
        self._live(timedelta(minutes=minutes))

    @rule(number=which_case, times=st.integers(1, 3))
    def messages_come_for_a_case(self, number: int, times: int) -> None:
        case = self._case(number)
        if case is None:
            return
        for _ in range(times):
            self._advance(case.pk)

    @rule(number=which_case, call=st.sampled_from(CALLS), after=st.booleans())
    def a_worker_dies_at_a_call(self, number: int, call: str, *, after: bool) -> None:
        case = self._case(number)
        if case is None:
            return
        stopping.make_due(enrollment_id=case.pk, at=self.road.clock.at)
        with self._replaced(self.road.light, call) as original:

            def dying(*args: Any, **kwargs: Any) -> Any:
                if after:
                    original(*args, **kwargs)
                raise Killed

            setattr(self.road.light, call, dying)
            with suppress(Killed):
                self._advance(case.pk)

    @rule(number=which_case)
    def a_worker_dies_before_it_keeps_an_acceptance(self, number: int) -> None:
        case = self._case(number)
        if case is None:
            return
        with self._replaced(confirming, "confirm"):

            def dying(*_args: Any, **_kwargs: Any) -> Any:
                raise Killed

            confirming.confirm = dying
            with suppress(Killed):
                self._advance(case.pk)

    @rule(number=which_case, call=st.sampled_from(CALLS))
    def a_second_worker_and_a_revocation_come_during_a_call(self, number: int, call: str) -> None:
        case = self._case(number)
        if case is None:
            return
        with self._replaced(self.road.light, call) as original:

            def interrupted(*args: Any, **kwargs: Any) -> Any:
                setattr(self.road.light, call, original)
                stopping.make_due(enrollment_id=case.pk, at=self.road.clock.at)
                self._advance(case.pk)
                self.customer_revokes(number)
                return original(*args, **kwargs)

            setattr(self.road.light, call, interrupted)
            self._advance(case.pk)

    @rule()
    def one_process_mode_starts_anew(self) -> None:
        take_over(at=self.road.clock.at)

    @rule(number=which_case, name=st.sampled_from([event.value for event in KnownEvent]), twice=st.booleans())
    @precondition(lambda self: self.road.pair.name == "reference")
    def a_webhook_comes(self, number: int, name: str, *, twice: bool) -> None:
        case = self._case(number)
        account = str(case.light_account_uuid) if case and case.light_account_uuid else str(uuid4())
        body = json.dumps({"uuid": str(uuid4()), "event": name, "account": {"uuid": account}, "data": {}}).encode()
        for _ in range(1 + twice):
            receiving.store_delivery(body=body, headers={}, at=self.road.clock.at)

    # Light, and the way to it

    @rule(
        operation=st.sampled_from(OPERATIONS),
        kind=st.sampled_from(FAULTS),
        times=st.sampled_from([1, 1, 1, 2, 5, None]),
    )
    def a_fault_lies_ahead(self, operation: str, kind: str, times: int | None) -> None:
        asks = "900" if kind == "rate_limit" else None
        self.road.simulator.control.order_fault(operation, kind, times=times, retry_after=asks)

    @rule()
    def faults_are_mended(self) -> None:
        self.road.simulator.control.clear_faults()

    @rule(seconds=st.sampled_from([0, 30, 300, 900]))
    def readings_lag(self, seconds: int) -> None:
        self.road.simulator.control.change_settings(read_lag_seconds=seconds)

    @rule(factor=st.sampled_from(["1", "1", "9"]))
    def prices_move(self, factor: str) -> None:
        self.road.simulator.control.change_settings(price_factor=factor)

    @rule(number=which_case, what=st.sampled_from(["freeze_credit", "unfreeze_credit"]))
    def credit_freezes_or_thaws(self, number: int, what: str) -> None:
        case = self._case(number)
        if case is not None and case.light_account_uuid is not None:
            with suppress(*REFUSALS):
                getattr(self.road.simulator.control, what)(str(case.light_account_uuid))

    @rule(number=which_case, status=st.sampled_from([None, "moon_phase_pending"]))
    def light_shows_another_status(self, number: int, status: str | None) -> None:
        case = self._case(number)
        if case is not None and case.light_account_uuid is not None:
            self.road.simulator.control.show_status(str(case.light_account_uuid), status)

    # What must hold

    @invariant()
    def every_promise_holds(self) -> None:
        changes = connection.connection.total_changes
        if changes == self._changes_at_last_check:
            return
        self._changes_at_last_check = changes
        broken = broken_invariants(
            self.road.simulator.world.acceptances, calls_inside_transactions=self.road.calls_inside_transactions
        )
        assert broken == []

    def teardown(self) -> None:
        if not hasattr(self, "road"):
            return
        try:
            self._settle_everything()
        finally:
            self.road.light.close()
            self._undo.__exit__(None, None, None)

    def _settle_everything(self) -> None:
        control = self.road.simulator.control
        control.clear_faults()
        control.change_settings(read_lag_seconds=0)
        for leap in TO_THE_END:
            self.road.pass_time(leap)
            self._sweep()
        for _ in range(12):
            if not self._doubts_nobody_looks_at():
                break
            self._live(timedelta(hours=2))
        self.every_promise_holds()
        assert not self._doubts_nobody_looks_at()
        unclear = set(
            Hold.objects.filter(released_at=None, code=HoldCode.DOUBT_UNSETTLED).values_list(
                "enrollment__site__esi_id", flat=True
            )
        )
        acceptances = [row for row in self.road.simulator.world.acceptances if row["esi_id"] not in unclear]
        attempts = AcceptAttempt.objects.filter(esi_id__in=unclear)
        assert differences_from_light(acceptances) == [] or attempts.exists()
        for case in Enrollment.objects.all():
            is_over = case.status in {EnrollmentStatus.ACTIVE, EnrollmentStatus.ENDED}
            is_held = case.holds.filter(released_at=None).exclude(owner="").exists()
            assert is_over or is_held or case.whose_turn, (case.status, case.next_step, case.because)

    def _doubts_nobody_looks_at(self) -> bool:
        held = Hold.objects.filter(released_at=None).values("enrollment_id")
        return LightWrite.objects.filter(status__in=UNSETTLED_WRITE_STATUSES).exclude(enrollment__in=held).exists()

    # Moving things

    def _job(self, number: int) -> Installation:
        job = self.jobs[number % len(self.jobs)]
        job.refresh_from_db()
        return job

    def _case(self, number: int) -> Enrollment | None:
        return Enrollment.objects.filter(site=self._job(number).site).order_by("-pk").first()

    def _advance(self, enrollment_id: int) -> None:
        word = self.road.engine.advance(enrollment_id)
        assert word != "failed", Enrollment.objects.get(pk=enrollment_id).last_error

    def _sweep_news(self) -> None:
        at = self.road.clock.at
        sweep_poas(at=at)
        opening.look_at_changed_cases(at=at, limit=100)
        for delivery_id in settling.due_deliveries(at=at, limit=100):
            assert settling.settle_delivery(delivery_id=delivery_id, at=at) != settling.SettleOutcome.FAILED

    def _sweep(self) -> None:
        self._sweep_news()
        for enrollment_id in due_enrollments(at=self.road.clock.at, limit=100):
            self._advance(enrollment_id)

    def _live(self, span: timedelta) -> None:
        """Let time pass in leaps from one due moment to the next, sweeping at each."""
        end = self.road.clock.at + span
        for _ in range(400):
            self._sweep()
            rows = Enrollment.objects.values_list("due_at", "lease_until")
            wakes = [moment for row in rows for moment in row if moment is not None]
            if self.road.clock.at >= end:
                break
            pause = max(min([*wakes, end]) - self.road.clock.at, timedelta(seconds=1))
            self.road.pass_time(min(pause, end - self.road.clock.at))

    @contextmanager
    def _replaced(self, owner: Any, name: str) -> Iterator[Any]:
        original = getattr(owner, name)
        try:
            yield original
        finally:
            setattr(owner, name, original)


@contextmanager
def _database_to_be_undone() -> Iterator[None]:
    """Undo everything at the end, and let durable transactions be the outermost ones meanwhile, as a test case does."""
    frame = transaction.atomic()
    frame._from_testcase = True  # type: ignore[attr-defined]
    with frame:
        yield
        transaction.set_rollback(True)


@pytest.mark.timeout(0)
def test_whatever_happens_in_whatever_order_every_promise_holds(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def quick_pdf(document: SignedDocument) -> bytes:
        return f"%PDF-1.7 stands for {document!r}".encode()

    monkeypatch.setattr("poa_documents.actions.sealing.render_pdf", quick_pdf)
    Cases.simulators = {pair.name: start_simulator(dialect=pair.simulator) for pair in DIALECT_PAIRS}
    try:
        run_state_machine_as_test(
            Cases,
            settings=settings(
                max_examples=EXAMPLES,
                derandomize=EXAMPLES < 1_000,  # the short run is the same each time; the long one goes exploring
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=[phase for phase in Phase if phase != Phase.shrink or EXAMPLES >= LONG],
                print_blob=True,
            ),
        )
    finally:
        for running in Cases.simulators.values():
            running.stop()
