"""Drives test cases through the main flow: real actions, the real engine, real HTTP to the simulator."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from core.actors import Actor
from core.models import CaseChange
from enrollments.actions import case_opening, mails, pauses, wakeups
from enrollments.actions.writes import Tools
from enrollments.decision.policy import Policy
from enrollments.engine.engine import Engine
from enrollments.light.client import LightClient
from enrollments.light.transport import Exchange
from enrollments.models import Enrollment, Pause
from installations.actions import correct_contact
from installations.models import ContactChange, Installation
from poa_documents import actions as poa_actions
from poa_documents import signer_doubts
from poa_documents.models import PlanPromise, PoaDocument
from simulator.pricing import FIXED_GROUP_UUID
from simulator.server import RunningSimulator
from tests.contract.dialects import DialectPair
from tests.factories import installations as made
from tests.factories.poa_documents import plan_promise, signed_poa
from tests.invariants import broken_invariants

MORNING = datetime(2026, 3, 5, 16, 0, tzinfo=UTC)
OFFICE = Actor.staff(UUID(int=1))
SECOND_PERSON = Actor.staff(UUID(int=2))
POLICY = Policy(max_call_duration=timedelta(minutes=3))


@dataclass
class SettableClock:
    at: datetime = MORNING

    def now(self) -> datetime:
        return self.at


@dataclass
class Flow:
    """Drives cases; `clock` and the simulator's clock move together, with the latter `light_is_ahead` of it."""

    simulator: RunningSimulator
    pair: DialectPair
    clock: SettableClock = field(default_factory=SettableClock)
    policy: Policy = POLICY
    calls_inside_transactions: list[str] = field(default_factory=list)
    has_lost_records: bool = False
    light_is_ahead: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        self._start_client()

    def restart_client(self) -> None:
        """Forget every token, as a restarted process does."""
        self.light.close()
        self._start_client()

    def _start_client(self) -> None:
        self.light = self._client()
        self.engine = Engine(Tools(light=self.light, clock=self.clock, policy=self.policy))

    def _client(self) -> LightClient:
        outside = len(connection.atomic_blocks)

        def note_open_transaction(exchange: Exchange) -> None:
            if len(connection.atomic_blocks) > outside:
                self.calls_inside_transactions.append(exchange.purpose)

        return LightClient(
            base_url=self.simulator.url,
            app_token=self.simulator.app_token,
            dialect=self.pair.client,
            connect_timeout_seconds=2,
            read_timeout_seconds=2,
            clock=self.clock.now,
            pause=lambda _seconds: None,
            observe=note_open_transaction,
        )

    # People

    def case(self, *, tags: str = "", promise: PlanPromise | None = None, signed: bool = True) -> Enrollment:
        """A customer with a sold solar job and, unless told otherwise, a signed POA."""
        customer = made.customer(self.clock.at, email=f"case{tags}.{made.esi_id()}@example.com")
        job = made.installation(self.clock.at, customer=customer, site=made.site(self.clock.at))
        if signed:
            self.sign(job, promise=promise)
        enrollment = case_opening.reconsider_site(site_id=job.site_id, at=self.clock.at)
        assert enrollment is not None
        return enrollment

    def sign(self, job: Installation, *, promise: PlanPromise | None = None, **changes: Any) -> PoaDocument:
        poa = signed_poa(
            at=self.clock.at,
            customer=job.customer,
            site=job.site,
            promise=promise or roomy_promise(),
            **changes,
        )
        self.pass_time(timedelta(seconds=2))
        return poa

    def report_pto(self, enrollment: Enrollment) -> None:
        made.go_live_report(enrollment.installations.get(), at=self.clock.at)
        wakeups.make_due(enrollment_id=enrollment.pk, at=self.clock.at)

    def finish_at_light(self, enrollment: Enrollment, *steps: str) -> None:
        enrollment.refresh_from_db()
        self.simulator.control.complete(
            str(enrollment.light_account_uuid), steps or None, esi_id=enrollment.site.esi_id
        )

    def revoke(self, enrollment: Enrollment) -> None:
        poa = PoaDocument.objects.filter(site=enrollment.site).latest("pk")
        poa_actions.revoke_poa(poa_id=poa.pk, by=Actor.customer(poa.customer.public_id), at=self.clock.at)
        wakeups.make_due(enrollment_id=enrollment.pk, at=self.clock.at)

    def correct_address(self, enrollment: Enrollment, email: str) -> None:
        customer = enrollment.customer
        correct_contact(
            customer_id=customer.pk,
            email=email,
            phone=str(customer.phone),
            language=customer.language,
            by=OFFICE,
            at=self.clock.at,
        )

    def prove_corrected_address(self, enrollment: Enrollment) -> None:
        """Settle the correction; where it is in question, a second person calls the customer back."""
        poa_actions.settle_contact_change(change_id=ContactChange.objects.latest("pk").pk, at=self.clock.at)
        enrollment.customer.refresh_from_db()
        if signer_doubts.is_in_question(enrollment.customer_id):
            poa_actions.record_call_back(
                customer_id=enrollment.customer_id,
                number="+15125550100",
                number_from="The signed hardware contract.",
                confirmed="The customer: yes.",
                by=SECOND_PERSON,
                at=self.clock.at,
            )

    def pause(self) -> Pause:
        return pauses.pause(reason="Prices look odd.", by=OFFICE, at=self.clock.at)

    def resume(self, pause: Pause) -> None:
        pauses.resume(pause_id=pause.pk, by=OFFICE, at=self.clock.at)

    # Time and the machine

    def pass_time(self, span: timedelta) -> None:
        self.clock.at += span
        self.simulator.control.set_now(self.clock.at + self.light_is_ahead)

    def run(self, enrollment: Enrollment) -> str:
        """Let the engine take the case as far as it can now."""
        self.process_case_changes(enrollment)
        wakeups.make_due(enrollment_id=enrollment.pk, at=self.clock.at)
        word = self.engine.advance(enrollment.pk)
        self.send_case_mail()
        enrollment.refresh_from_db()
        return word

    def process_case_changes(self, enrollment: Enrollment) -> None:
        """Process announced changes of the case, as workers do immediately."""
        if CaseChange.objects.filter(site_id=enrollment.site_id).exists():
            case_opening.reconsider_site(site_id=enrollment.site_id, at=self.clock.at)

    def send_case_mail(self) -> None:
        """Send the mail owed to customers about their cases, as the workers do."""
        for mail_id in mails.due_case_mails(at=self.clock.at, limit=100):
            mails.send_case_mail(mail_id=mail_id, at=self.clock.at)

    def live(self, enrollment: Enrollment, span: timedelta, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, waking the engine whenever the case is due."""
        end = self.clock.at + span
        while self.clock.at < end and not until():
            self.process_case_changes(enrollment)
            enrollment.refresh_from_db()
            wake = min(enrollment.due_at or end, enrollment.lease_until or end, end)
            self.pass_time(max(wake - self.clock.at, timedelta(seconds=1)))
            self.engine.advance(enrollment.pk)
            self.send_case_mail()
        enrollment.refresh_from_db()

    # What we and Light have on record

    def check(self) -> None:
        """Check every invariant, unless the test removed records as an old backup does."""
        if self.has_lost_records:
            return
        broken = broken_invariants(
            self.simulator.control.acceptances(), calls_inside_transactions=self.calls_inside_transactions
        )
        assert broken == []

    def acceptances_of(self, enrollment: Enrollment) -> list[dict[str, Any]]:
        enrollment.refresh_from_db()
        return [
            row
            for row in self.simulator.control.acceptances()
            if row["account_uuid"] == str(enrollment.light_account_uuid)
        ]


def roomy_promise(**changes: Any) -> PlanPromise:
    """Limits that the simulator's fixed plans always meet."""
    limits: dict[str, Any] = {
        "light_plan_group": UUID(FIXED_GROUP_UUID),
        "max_average_cents_per_kwh_500": Decimal(40),
        "max_average_cents_per_kwh_1000": Decimal(40),
        "max_average_cents_per_kwh_2000": Decimal(40),
        "max_base_fee_dollars": Decimal(40),
        "max_term_months": 36,
        "max_termination_fee_dollars": Decimal(500),
        "min_buyback_cents_per_kwh": Decimal(0),
    }
    return plan_promise(**{**limits, **changes})


def tight_promise() -> PlanPromise:
    """Limits that no plan of the simulator meets."""
    return roomy_promise(max_average_cents_per_kwh_1000=Decimal("1.5"))
