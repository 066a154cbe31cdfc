"""
Several cases at once, and everything that people, clock, queue, storage and Light can do to them, in any order.

Messages are real: what actions queue at commit waits in a queue until a rule delivers it, once or more, now or
days later, or drops it. After every step every promise is checked.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.db import connection
from django.test import RequestFactory
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core.actors import Actor
from core.dates import chicago_day
from core.moves import MoveNotAllowed
from core.queue import TaskName
from enrollments.actions import (
    accounts,
    case_opening,
    closing,
    customer_holds,
    holds,
    pauses,
    proven_outcomes,
    system_holds,
    wakeups,
    webhook_processing,
)
from enrollments.decision import offers
from enrollments.engine.gathering import offered_plan
from enrollments.engine.leases import take_over
from enrollments.light.errors import LightError
from enrollments.light.payloads import NewAccount
from enrollments.light.webhook_events import KnownEvent
from enrollments.models import AcceptAttempt, AdvanceNotice, Enrollment, Hold, Pause, SystemHold, WebhookDelivery
from enrollments.webhooks.views import receive
from installations import actions as installation_actions
from installations.guards import ReportNotCurrent
from installations.models import Customer, GoLiveReport, GoLiveSource, HardwareKind, Installation
from installations.states import CURRENT_REPORT_STATUSES, InstallationStatus
from poa_documents import actions as poa_actions
from poa_documents.authority_check import AuthorityMissing
from poa_documents.models import PlanPromise, PoaDocument, SignatureKind, StopKind, StopSignal
from poa_documents.states import PoaStatus
from simulator.control_client import ControlError
from simulator.server import RunningSimulator
from simulator.webhooks import event_body, signed_headers
from tests.contract.dialects import DIALECT_PAIRS, DialectPair
from tests.factories import installations as made
from tests.factories.poa_documents import drafted_poa
from tests.integration.enrollments.flow import MORNING, OFFICE, SECOND_PERSON, Flow, SettableClock, roomy_promise
from tests.invariants import broken_invariants
from tests.property import ending
from tests.property.surroundings import (
    Killed,
    Log,
    MemoryStorage,
    Message,
    Queue,
    SurfaceClock,
    database_rolled_back,
    killed_at_statement,
    run,
    sweep_names,
)

TECHNICIAN = Actor.technician(UUID(int=7))
MAX_WAKES = 400
MAX_DELIVERED = 1_000
CALLS = ("create_account", "record_client_agent", "request_plans", "accept_plan", "finalize", "read_account")
WRITE_OPERATIONS = frozenset({"create", "record", "request_plans", "accept", "finalize"})
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
    "says_error",
    "queued",
    "empty_before",
    "empty_after",
    "another_plan",
    "another_start",
    "another_meter",
    "plans_expired",
    "plans_in_dollars",
    "unauthorized",
    "forbidden",
    "not_found",
    "conflict",
    "unprocessable",
)
WAYS_TO_ASK_FOR_PATIENCE = ("30", "900", "Fri, 06 Mar 2026 16:00:00 GMT", None)
"""Seconds, a date, and no value."""

REFUSALS = (
    MoveNotAllowed,
    ControlError,
    ReportNotCurrent,
    AuthorityMissing,
    LightError,
    customer_holds.NothingToHold,
    customer_holds.NotOnHold,
    accounts.WrongAccount,
    system_holds.NothingHeld,
    system_holds.NotReconciled,
    holds.HoldNotOpen,
    holds.ConsentCannotBeOverridden,
    closing.CannotClose,
    pauses.NotPaused,
    poa_actions.UnsignedPoaExists,
    poa_actions.CustomerNotAtSite,
    poa_actions.StopAlreadyEnded,
    poa_actions.StopAlreadyRecorded,
)
"""The expected refusals of a person who acts too late or asks for too much; nothing has changed."""

STAGES = ("sold", "signed", "known", "complete", "live", "accepting", "accepted", "finalized")
"""How far a case is when the machine starts. The last worker of an accepting or accepted one died."""

which_case = st.integers(min_value=0, max_value=2)
which_message = st.integers(min_value=0, max_value=20)


class Cases(RuleBasedStateMachine):
    simulators: ClassVar[dict[str, tuple[RunningSimulator, DialectPair]]] = {}
    settings: ClassVar[Any]
    jobs_at_start: ClassVar[list[Installation]] = []
    promises: ClassVar[dict[str, PlanPromise]] = {}
    current: ClassVar["Cases"]
    log: ClassVar[Log] = Log()

    def __init__(self) -> None:
        super().__init__()
        self._undo = ExitStack()

    @classmethod
    def prepare(cls) -> None:
        """Create once what every order of events starts with."""
        poa_actions.ensure_templates()
        cls.promises = {
            "roomy": roomy_promise(),
            "tight": roomy_promise(max_average_cents_per_kwh_1000=Decimal("1.5")),
        }
        cls.jobs_at_start = [
            made.installation(MORNING, customer=made.customer(MORNING), site=made.site(MORNING)) for _ in range(3)
        ]
        connection.run_on_commit = []

    @initialize(
        dialect=st.sampled_from(sorted(pair.name for pair in DIALECT_PAIRS)),
        stages=st.lists(st.sampled_from(STAGES), min_size=3, max_size=3),
        notice_days=st.sampled_from([0, 0, 3]),
        everybody_helps=st.booleans(),
    )
    def open_cases(self, dialect: str, stages: list[str], notice_days: int, *, everybody_helps: bool) -> None:
        self._undo.enter_context(database_rolled_back())
        Cases.current = self
        MemoryStorage.clear()
        self.log.clear()
        running, pair = self.simulators[dialect]
        running.control.reset()
        running.control.set_now(MORNING)
        running.control.freeze_clock()
        running.control.set_dialect(rate_limit_per_second=0)  # real seconds of the machine are not those of this clock
        self.settings.LIGHT_DIALECT = pair.client
        self.queue = Queue()
        self.everybody_helps = everybody_helps
        self.flow = Flow(running, pair, clock=SettableClock(MORNING))
        SurfaceClock.flow_clock = self.flow.clock
        self._changes_at_last_check = -1
        self._stopped_writes: frozenset[str] = frozenset()
        self._requests_seen = 0
        self.jobs = self.jobs_at_start
        for number, stage in enumerate(stages):
            self._bring_to(number, stage)
        self._attempts_at_start = set(AcceptAttempt.objects.values_list("pk", flat=True))
        self.flow.policy = replace(self.flow.policy, notice_days=notice_days)
        self.flow.restart_client()
        self.queue.take_committed()

    def _bring_to(self, number: int, stage: str) -> None:
        """Walk a case to its stage by the real moves."""
        job = self._job(number)
        walk: list[Callable[[Enrollment], object]] = [
            lambda _: self.flow.sign(job, promise=self.promises["roomy"]),
            self.flow.run,
            self.flow.finish_at_light,
            self.flow.report_pto,
        ]
        last_turns: dict[str, Callable[[Enrollment], object]] = {
            "accepting": lambda case: self._run_until(case, "accept_plan"),
            "accepted": lambda case: self._run_until(case, "finalize"),
            "finalized": self.flow.run,
        }
        how_far = STAGES.index(stage)
        for go in [*walk[:how_far], *(turn for name, turn in last_turns.items() if name == stage)]:
            case = case_opening.reconsider_site(site_id=job.site_id, at=self.flow.clock.at)
            assert case is not None
            go(case)

    def _run_until(self, case: Enrollment, call: str) -> None:
        """Run a case until its worker dies with the call recorded and not sent."""

        def dying(*_args: Any, **_kwargs: Any) -> Any:
            raise Killed

        with self._replaced(self.flow.light, call), suppress(Killed):
            setattr(self.flow.light, call, dying)
            self.flow.run(case)

    # The customer

    @rule(number=which_case, promise=st.sampled_from(["roomy", "roomy", "roomy", "tight"]), times=st.integers(1, 2))
    def customer_signs(self, number: int, promise: str, times: int) -> None:
        job = self._job(number)
        for poa in PoaDocument.objects.filter(site=job.site, status__in=[PoaStatus.DRAFT, PoaStatus.SENT]):
            poa_actions.void_poa(poa_id=poa.pk, reason="Drafted again.", by=OFFICE, at=self.flow.clock.at)
        with suppress(*REFUSALS):
            poa = self.flow.sign(job, promise=self.promises[promise])
            for _ in range(times - 1):
                self._sign_again(poa)

    def _sign_again(self, poa: PoaDocument) -> None:
        outcome = poa_actions.sign_poa(
            poa_id=poa.pk,
            signature_kind=SignatureKind.TYPED,
            signature_text=str(poa.customer),
            document_sha256=poa.document_sha256,
            by=Actor.customer(poa.customer.public_id),
            at=self.flow.clock.at,
        )
        assert outcome == poa_actions.SignOutcome.ALREADY_SIGNED

    @rule(number=which_case, what=st.sampled_from(["revoke", "revoke", "decline"]))
    def customer_says_no(self, number: int, what: str) -> None:
        poa = PoaDocument.objects.filter(site=self._job(number).site).order_by("-pk").first()
        if poa is not None:
            say_no = {"revoke": poa_actions.revoke_poa, "decline": poa_actions.decline_poa}[what]
            with suppress(*REFUSALS):
                say_no(poa_id=poa.pk, by=Actor.customer(poa.customer.public_id), at=self.flow.clock.at)

    @rule(number=which_case, goes_on=st.booleans())
    def customer_holds_it_or_lets_it_go_on(self, number: int, *, goes_on: bool) -> None:
        case = self._case(number)
        if case is not None:
            say = customer_holds.resume_for_customer if goes_on else customer_holds.hold_for_customer
            with suppress(*REFUSALS):
                say(enrollment_id=case.pk, by=Actor.customer(case.customer.public_id), at=self.flow.clock.at)

    @rule(number=which_case, kind=st.sampled_from(StopKind), is_over=st.booleans())
    def somebody_reports_a_death_or_incapacity(self, number: int, kind: StopKind, *, is_over: bool) -> None:
        customer_id, at = self._job(number).customer_id, self.flow.clock.at
        with suppress(*REFUSALS):
            signal = poa_actions.record_stop_signal(
                customer_id=customer_id, kind=kind, source="A daughter called.", by=OFFICE, at=at
            )
            if is_over:
                self.end_stop_signal(signal)

    def end_stop_signal(self, signal: StopSignal) -> None:
        poa_actions.end_stop_signal(
            signal_id=signal.pk, decision="It was another person of that name.", by=OFFICE, at=self.flow.clock.at
        )

    @rule(
        number=which_case,
        steps=st.sampled_from([(), (), ("address", "identity"), ("card",), ("identity", "card", "billing_address")]),
    )
    def customer_finishes_steps_at_light(self, number: int, steps: tuple[str, ...]) -> None:
        case = self._case(number)
        if case is not None and case.light_account_uuid is not None:
            with suppress(*REFUSALS):
                self.flow.finish_at_light(case, *steps)

    @rule(number=which_case, what=st.sampled_from(["opt_out", "accept_own_plan", "cancel"]))
    def customer_acts_at_light_alone(self, number: int, what: str) -> None:
        case = self._case(number)
        if case is not None and case.light_account_uuid is not None:
            with suppress(*REFUSALS):
                getattr(self.flow.simulator.control, what)(str(case.light_account_uuid))

    # The office

    @rule(what=st.sampled_from(["one group", "everything", "end"]))
    def office_pauses_or_resumes(self, what: str) -> None:
        open_pauses = Pause.objects.filter(ended_at=None)
        if what == "end":
            for pause in open_pauses:
                self.flow.resume(pause)
        elif not open_pauses.exists():
            group = self.promises["roomy"].light_plan_group if what == "one group" else None
            pauses.pause(reason="Prices look odd.", by=OFFICE, at=self.flow.clock.at, light_plan_group=group)

    @rule(what=st.sampled_from(["stop", "restore", "release", "release"]))
    def operations_stop_all_writes_or_release_them(self, what: str) -> None:
        if what == "release":
            with suppress(*REFUSALS):
                system_holds.release_writes(by=OFFICE, at=self.flow.clock.at)
        elif not SystemHold.objects.filter(ended_at=None).exists():
            system_holds.hold_writes(
                reason="Looking into it.",
                by=OFFICE,
                at=self.flow.clock.at,
                needs_reconciliation=what == "restore",
            )

    @rule(number=which_case)
    def light_gets_an_account_under_the_address_without_us(self, number: int) -> None:
        """For example by the customer, or by a case that a restore lost."""
        person = self._job(number).customer
        with suppress(*REFUSALS):
            self.flow.light.create_account(
                NewAccount(email=person.email, first_name=person.first_name, last_name=person.last_name)
            )
        self._requests_seen = len(self.flow.simulator.world.request_log)  # this one was not sent by us

    @rule()
    def operations_compare_all_accounts(self) -> None:
        ending.reconcile(self.flow)

    @rule(number=which_case)
    def operations_link_the_account(self, number: int) -> None:
        case = self._case(number)
        if case is None or case.light_account_uuid is not None:
            return
        at_light = self.flow.simulator.world.accounts.values()
        found = [account.uuid for account in at_light if account.email == case.customer.email]
        if found:
            with suppress(*REFUSALS):
                accounts.link_account(
                    enrollment_id=case.pk,
                    account_uuid=found[-1],
                    reason="Light says that it is his.",
                    light=self.flow.light,
                    by=OFFICE,
                    at=self.flow.clock.at,
                )

    @rule(number=which_case)
    def office_releases_a_hold(self, number: int) -> None:
        hold = Hold.objects.filter(enrollment__site=self._job(number).site, released_at=None).first()
        if hold is not None:
            with suppress(*REFUSALS):
                holds.release_hold(hold_id=hold.pk, reason="Looked into it.", by=OFFICE, at=self.flow.clock.at)

    @rule(number=which_case)
    def office_draws_up_a_poa(self, number: int) -> None:
        job = self._job(number)
        with suppress(*REFUSALS):
            poa = drafted_poa(
                customer=job.customer, site=job.site, promise=self.promises["roomy"], at=self.flow.clock.at
            )
            poa_actions.send_poa(poa_id=poa.pk, by=OFFICE, at=self.flow.clock.at)

    @rule(number=which_case, what=st.sampled_from(["void", "suspend", "resume"]))
    def office_changes_a_poa(self, number: int, what: str) -> None:
        poa = PoaDocument.objects.filter(site=self._job(number).site).order_by("-pk").first()
        if poa is not None:
            change = {
                "void": poa_actions.void_poa,
                "suspend": poa_actions.suspend_poa,
                "resume": poa_actions.resume_poa,
            }
            with suppress(*REFUSALS):
                change[what](poa_id=poa.pk, reason="A call from the family.", by=OFFICE, at=self.flow.clock.at)

    @rule(number=which_case, language=st.sampled_from(["en", "es"]), is_new_address=st.booleans())
    def office_corrects_the_contact(self, number: int, language: str, *, is_new_address: bool) -> None:
        customer = Customer.objects.get(pk=self._job(number).customer_id)
        email = f"moved.{uuid4().hex[:8]}@example.com" if is_new_address else customer.email
        with suppress(*REFUSALS):
            installation_actions.correct_contact(
                customer_id=customer.pk,
                email=email,
                phone=str(customer.phone),
                language=language,
                by=OFFICE,
                at=self.flow.clock.at,
            )

    @rule(number=which_case)
    def second_person_calls_back(self, number: int) -> None:
        customer = Customer.objects.get(pk=self._job(number).customer_id)
        with suppress(poa_actions.NothingToProve):
            poa_actions.record_call_back(
                customer_id=customer.pk,
                number="+15125550100",
                number_from="The signed hardware contract.",
                confirmed="The customer: yes, both.",
                by=SECOND_PERSON,
                at=self.flow.clock.at,
            )

    @rule(number=which_case, what=st.sampled_from(["close the case", "cancel the job"]))
    def office_gives_up(self, number: int, what: str) -> None:
        case, at = self._case(number), self.flow.clock.at
        with suppress(*REFUSALS):
            if what == "cancel the job":
                installation_actions.cancel_installation(
                    installation_id=self._job(number).pk, reason="Sold the house.", by=OFFICE, at=at
                )
            elif case is not None:
                closing.close_enrollment(enrollment_id=case.pk, reason="The customer went abroad.", by=OFFICE, at=at)

    @rule(number=which_case)
    def office_sells_a_battery_too(self, number: int) -> None:
        job = self._job(number)
        if Installation.objects.filter(site=job.site).count() == 1:
            made.installation(self.flow.clock.at, customer=job.customer, site=job.site, kind=HardwareKind.BATTERY)

    @rule(pick=which_message)
    def office_settles_a_webhook_again(self, pick: int) -> None:
        deliveries = list(WebhookDelivery.objects.order_by("pk"))
        if deliveries:
            chosen = deliveries[pick % len(deliveries)]
            webhook_processing.settle_again(delivery_id=chosen.pk, by=OFFICE, at=self.flow.clock.at)

    # Go-live reports

    @rule(
        number=which_case,
        by=st.sampled_from([OFFICE, OFFICE, TECHNICIAN]),
        days_ago=st.integers(0, 3),
        times=st.sampled_from([1, 1, 5]),
    )
    def go_live_is_reported(self, number: int, by: Actor, days_ago: int, times: int) -> None:
        at, submission = self.flow.clock.at, uuid4()
        jobs = Installation.objects.filter(site=self._job(number).site).exclude(status=InstallationStatus.CANCELLED)
        for job in jobs[:1]:
            for _ in range(times):
                made.go_live_report(
                    job,
                    at=at,
                    by=by,
                    granted_date=chicago_day(at) - timedelta(days=days_ago),
                    submission_id=submission,
                )

    @rule(number=which_case, what=st.sampled_from(["confirm", "correct", "withdraw"]))
    def go_live_is_looked_at_again(self, number: int, what: str) -> None:
        at = self.flow.clock.at
        reports = GoLiveReport.objects.filter(installation__site=self._job(number).site)
        report = reports.filter(status__in=sorted(CURRENT_REPORT_STATUSES)).first() or reports.first()
        if report is None:
            return
        with suppress(*REFUSALS):
            match what:
                case "confirm":
                    installation_actions.confirm_go_live(report_id=report.pk, by=SECOND_PERSON, at=at, reason="Saw it.")
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

    @rule(
        span=st.one_of(
            st.sampled_from([timedelta(minutes=1), timedelta(minutes=11), timedelta(hours=2), timedelta(days=1)]),
            st.builds(timedelta, days=st.integers(2, 40)),
        )
    )
    def time_passes(self, span: timedelta) -> None:
        self.flow.pass_time(span)

    @rule(hours=st.sampled_from([0, 1]), seconds=st.sampled_from([-5, 5]))
    def midnight_is_near(self, hours: int, seconds: int) -> None:
        """Move to some seconds before or after the next midnight in Chicago, or in UTC."""
        now = self.flow.clock.at
        midnight = now.replace(hour=5 + hours if hours else 0, minute=0, second=0, microsecond=0)
        then = midnight + timedelta(days=1, seconds=seconds)
        self.flow.pass_time(then - now)

    @rule(minutes=st.sampled_from([-4, 0, 4]))
    def clocks_part(self, minutes: int) -> None:
        self.flow.light_is_ahead = timedelta(minutes=minutes)
        self.flow.pass_time(timedelta(seconds=1))

    # The queue and its workers

    @rule()
    def the_sweep_comes(self) -> None:
        self.sweep()

    @rule(backwards=st.booleans())
    def the_messages_come(self, *, backwards: bool) -> None:
        self._deliver_all(backwards=backwards)

    @rule(pick=which_message, times=st.integers(1, 3), stays=st.booleans())
    def a_message_comes(self, pick: int, times: int, *, stays: bool) -> None:
        """Once or several times; a message that stays arrives again later, after any delay."""
        message = self.queue.take(pick)
        if message is None:
            return
        for _ in range(times):
            self._work_on(message)
        if stays:
            self.queue.waiting.append(message)

    @rule(pick=which_message, all_of_them=st.booleans())
    def messages_are_lost(self, pick: int, *, all_of_them: bool) -> None:
        if all_of_them:
            self.queue.waiting.clear()
        self.queue.take(pick)

    @rule(minutes=st.sampled_from([30, 130]))
    def the_machine_runs_for_a_while(self, minutes: int) -> None:
        self.live(timedelta(minutes=minutes))

    @rule(pick=which_message, number=st.integers(1, 120), tells=st.booleans())
    def a_worker_dies_over_a_message(self, pick: int, number: int, *, tells: bool) -> None:
        """The worker dies before some statement; earlier commits may or may not have queued their messages."""
        message = self.queue.take(pick)
        if message is not None:
            with suppress(Killed), killed_at_statement(number):
                self._work_on(message, tells=tells)

    @rule(number=which_case, statement=st.integers(1, 150))
    def a_worker_dies_at_a_case(self, number: int, statement: int) -> None:
        case = self._case(number)
        if case is not None:
            wakeups.make_due(enrollment_id=case.pk, at=self.flow.clock.at)
            with suppress(Killed), killed_at_statement(statement):
                self._advance(case.pk)

    @rule(number=which_case, call=st.sampled_from(CALLS), after=st.booleans())
    def a_worker_dies_at_a_call(self, number: int, call: str, *, after: bool) -> None:
        case = self._case(number)
        if case is None:
            return
        wakeups.make_due(enrollment_id=case.pk, at=self.flow.clock.at)
        with self._replaced(self.flow.light, call) as original:

            def dying(*args: Any, **kwargs: Any) -> Any:
                if after:
                    original(*args, **kwargs)
                raise Killed

            setattr(self.flow.light, call, dying)
            with suppress(Killed):
                self._advance(case.pk)

    @rule(number=which_case)
    def a_worker_dies_before_it_keeps_an_acceptance(self, number: int) -> None:
        case = self._case(number)
        if case is None:
            return
        with self._replaced(proven_outcomes, "confirm"):

            def dying(*_args: Any, **_kwargs: Any) -> Any:
                raise Killed

            proven_outcomes.confirm = dying
            with suppress(Killed):
                self._advance(case.pk)

    @rule(
        number=which_case,
        call=st.sampled_from(CALLS),
        what=st.sampled_from(
            ["revoke", "hold", "death", "pause", "stop", "withdraw", "close", "midnight", "messages", "sweep"]
        ),
    )
    def something_happens_during_a_call(self, number: int, call: str, what: str) -> None:
        """A change after the call was recorded and before it is sent, and a second worker starts as well."""
        case = self._case(number)
        if case is None:
            return
        in_between: dict[str, Callable[[], object]] = {
            "revoke": lambda: self.customer_says_no(number, "revoke"),
            "hold": lambda: self.customer_holds_it_or_lets_it_go_on(number, goes_on=False),
            "death": lambda: self.somebody_reports_a_death_or_incapacity(number, StopKind.DECEASED, is_over=False),
            "pause": lambda: self.office_pauses_or_resumes("one group"),
            "stop": lambda: self.operations_stop_all_writes_or_release_them("stop"),
            "withdraw": lambda: self.go_live_is_looked_at_again(number, "withdraw"),
            "close": lambda: self.office_gives_up(number, "close the case"),
            "midnight": lambda: self.midnight_is_near(1, 5),
            "messages": lambda: self._deliver_all(backwards=True),
            "sweep": self.sweep,
        }
        wakeups.make_due(enrollment_id=case.pk, at=self.flow.clock.at)
        with self._replaced(self.flow.light, call) as original:

            def interrupted(*args: Any, **kwargs: Any) -> Any:
                setattr(self.flow.light, call, original)
                self.queue.take_committed()
                wakeups.make_due(enrollment_id=case.pk, at=self.flow.clock.at)
                self._advance(case.pk)
                in_between[what]()
                return original(*args, **kwargs)

            setattr(self.flow.light, call, interrupted)
            self._advance(case.pk)

    @rule(loses_messages=st.booleans())
    def everything_starts_anew(self, *, loses_messages: bool) -> None:
        """A restart in one-process mode: tokens are forgotten, leases taken over, and messages in memory lost."""
        self.flow.restart_client()
        if loses_messages:
            self.queue.waiting.clear()
        take_over(at=self.flow.clock.at)

    # The storage

    @rule(refuses=st.booleans())
    def storage_refuses_or_comes_back(self, *, refuses: bool) -> None:
        MemoryStorage.is_down = refuses

    # Webhooks

    @rule(picks=st.lists(which_message, min_size=1, max_size=3), times=st.integers(1, 2))
    def webhooks_of_light_come(self, picks: list[int], times: int) -> None:
        """What Light really sent, now or earlier, in any order, and repeated."""
        sent = list({event.uuid: event.body for event in self.flow.simulator.world.webhooks.deliveries}.values())
        for pick in picks if sent else ():
            for _ in range(times):
                assert self._post(sent[pick % len(sent)]) == 200

    @rule(
        number=which_case,
        name=st.sampled_from([*(event.value for event in KnownEvent), "moon.has_risen"]),
        is_known=st.booleans(),
    )
    def a_webhook_says_what_is_not_so(self, number: int, name: str, *, is_known: bool) -> None:
        assert self._post(self._event(number, name, is_known=is_known)) == 200

    @rule(
        number=which_case,
        body=st.sampled_from([b"", b"[]", b"no JSON", b'{"event": "location.service_canceled"}', b"\x00\xff"]),
        is_forged=st.booleans(),
    )
    def a_webhook_is_malformed_or_forged(self, number: int, body: bytes, *, is_forged: bool) -> None:
        if not is_forged:
            assert self._post(body) == 200
            return
        before = WebhookDelivery.objects.count()
        forged = self._event(number, KnownEvent.SERVICE_CANCELED.value, is_known=True)
        assert self._post(forged, secret="guessed") == 401
        assert WebhookDelivery.objects.count() == before

    def _event(self, number: int, name: str, *, is_known: bool) -> bytes:
        case = self._case(number)
        account = str(case.light_account_uuid) if is_known and case and case.light_account_uuid else str(uuid4())
        body = event_body(
            self.flow.pair.simulator,
            event=name,
            event_uuid=str(uuid4()),
            at=self.flow.clock.at,
            app_uuid=str(uuid4()),
            account_uuid=account,
            location_uuid=None,
            extra={},
        )
        return json.dumps(body).encode()

    def _post(self, body: bytes, *, secret: str = "") -> int:
        secret = secret or self.flow.simulator.webhook_secret
        headers = signed_headers(self.flow.pair.simulator, secret, body, self.flow.clock.at)
        request = RequestFactory().post("/webhooks/light/", data=body, content_type="application/json", headers=headers)
        return receive(request).status_code

    # Light, and the way to it

    @rule(
        operation=st.sampled_from(OPERATIONS),
        kind=st.sampled_from(FAULTS),
        times=st.sampled_from([1, 1, 1, 2, 5, None]),
        patience=st.sampled_from(WAYS_TO_ASK_FOR_PATIENCE),
    )
    def a_fault_lies_ahead(self, operation: str, kind: str, times: int | None, patience: str | None) -> None:
        asks = patience if kind == "rate_limit" else None
        self.flow.simulator.control.inject_fault(operation, kind, times=times, retry_after=asks)

    @rule()
    def faults_are_mended(self) -> None:
        self.flow.simulator.control.clear_faults()

    @rule(seconds=st.sampled_from([0, 30, 300, 900, 5000]))
    def readings_lag(self, seconds: int) -> None:
        self.flow.simulator.control.change_settings(read_lag_seconds=seconds)

    @rule(factor=st.sampled_from(["1", "1", "9"]))
    def prices_move(self, factor: str) -> None:
        self.flow.simulator.control.change_settings(price_factor=factor)

    @rule(number=which_case, what=st.sampled_from(["freeze_credit", "unfreeze_credit"]))
    def credit_freezes_or_thaws(self, number: int, what: str) -> None:
        case = self._case(number)
        if case is not None and case.light_account_uuid is not None:
            with suppress(*REFUSALS):
                getattr(self.flow.simulator.control, what)(str(case.light_account_uuid))

    @rule(number=which_case, status=st.sampled_from([None, "moon_phase_pending"]))
    def light_shows_another_status(self, number: int, status: str | None) -> None:
        case = self._case(number)
        if case is not None and case.light_account_uuid is not None:
            with suppress(*REFUSALS):
                self.flow.simulator.control.show_status(str(case.light_account_uuid), status)

    # What must hold

    @invariant()
    def every_promise_holds(self) -> None:
        self.queue.take_committed()
        changes = connection.connection.total_changes
        if changes == self._changes_at_last_check:
            return
        self._changes_at_last_check = changes
        with MemoryStorage.readable():
            broken = broken_invariants(
                self.flow.simulator.world.acceptances,
                captured=self.log.text,
                calls_inside_transactions=self.flow.calls_inside_transactions,
            )
        assert broken == []
        errors = [line for line in self.log.errors if not self._is_expected(line)]
        assert errors == []

    @invariant()
    def what_was_stopped_before_stays_stopped(self) -> None:
        """No write is sent between two checks that both find it stopped."""
        requests = self.flow.simulator.world.request_log
        sent = {str(row["operation"]) for row in requests[self._requests_seen :]}
        self._requests_seen = len(requests)
        before, self._stopped_writes = self._stopped_writes, self._what_is_stopped()
        assert not sent & before & self._stopped_writes

    @invariant()
    def nothing_is_accepted_before_its_notice_is_over(self) -> None:
        """If the office gives notice: under the same signature, no earlier than announced, and no worse."""
        if not self.flow.policy.notice_days:
            return
        attempts = AcceptAttempt.objects.exclude(pk__in=self._attempts_at_start)
        for attempt in attempts.select_related("write", "offer"):
            given = AdvanceNotice.objects.filter(enrollment=attempt.enrollment_id, poa=attempt.poa_id)
            notice = given.filter(given_at__lte=attempt.write.opened_at).last()
            assert notice is not None, attempt
            assert notice.until <= attempt.write.opened_at, (notice, attempt)
            assert offers.is_no_worse(offered_plan(attempt.offer), than=offered_plan(notice.offer)), (notice, attempt)

    def _what_is_stopped(self) -> frozenset[str]:
        if SystemHold.objects.filter(ended_at=None).exists():
            return WRITE_OPERATIONS
        return frozenset({"accept"}) if Pause.objects.filter(ended_at=None).exists() else frozenset()

    def _is_expected(self, line: str) -> bool:
        """A storage outage is logged, and so is a webhook that cannot be parsed."""
        return "storage" in line.lower()

    def teardown(self) -> None:
        with self._undo:
            if hasattr(self, "flow"):
                self._undo.callback(self.flow.light.close)
                ending.settle_everything(self)

    # Moving things

    def _job(self, number: int) -> Installation:
        job = self.jobs[number]
        job.refresh_from_db()
        return job

    def _case(self, number: int) -> Enrollment | None:
        return Enrollment.objects.filter(site=self._job(number).site).order_by("-pk").first()

    def _advance(self, enrollment_id: int) -> None:
        self._work_on((TaskName.ADVANCE_ENROLLMENT.value, {"enrollment_id": enrollment_id}))

    def _work_on(self, message: Message, *, tells: bool = True) -> None:
        name, ids = message
        try:
            word = run(name, ids)
        except Killed:
            if not tells:
                self.queue.lose_committed()
            raise
        self.queue.take_committed()
        if name == TaskName.ADVANCE_ENROLLMENT and word == "failed":
            assert MemoryStorage.is_down, Enrollment.objects.get(pk=ids["enrollment_id"]).last_error

    def _deliver_all(self, *, backwards: bool = False) -> None:
        self.queue.take_committed()
        for _ in range(MAX_DELIVERED):
            message = self.queue.take(-1 if backwards else 0)
            if message is None:
                return
            self._work_on(message)
        raise AssertionError(f"Messages lead to messages without end: {self.queue.waiting[:5]}")

    def sweep(self) -> None:
        for name in sweep_names():
            self._work_on((name, {}))
        self._deliver_all()

    def live(self, span: timedelta) -> None:
        """Let time pass in steps from one due moment to the next, sweeping at each."""
        end = self.flow.clock.at + span
        for _ in range(MAX_WAKES):
            self.sweep()
            rows = Enrollment.objects.values_list("due_at", "lease_until")
            wakes = [moment for row in rows for moment in row if moment is not None]
            if self.flow.clock.at >= end:
                break
            pause = max(min([*wakes, end]) - self.flow.clock.at, timedelta(seconds=1))
            self.flow.pass_time(min(pause, end - self.flow.clock.at))

    @contextmanager
    def _replaced(self, owner: Any, name: str) -> Iterator[Any]:
        original = getattr(owner, name)
        try:
            yield original
        finally:
            setattr(owner, name, original)
