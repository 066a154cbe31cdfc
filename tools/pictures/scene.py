"""
What the pictures show: a spring morning in the office, some weeks after the first customers signed.

Every record is created by actions of people and the engine; Light is the simulator, over real HTTP.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from uuid import UUID

from django.contrib.auth.models import Group

from accounts.models import User
from accounts.staff_groups import OFFICE_GROUP
from core.actors import Actor
from core.dates import chicago_day
from enrollments.actions import case_opening
from enrollments.models import Enrollment
from installations import actions
from installations.models import GoLiveSource, Installation
from poa_documents.models import PlanPromise
from simulator.pricing import FIXED_BUYBACK_GROUP_UUID
from simulator.server import RunningSimulator
from tests.contract.dialects import REFERENCE
from tests.factories import installations as made
from tests.factories.poa_documents import plan_promise, sent_poa
from tests.integration.enrollments.flow import Flow, SettableClock
from tests.integration.poa_documents.portal_visits import token_in_last_mail

FIRST_DAY = datetime(2026, 3, 2, 15, 10, tzinfo=UTC)
PASSWORD = "open the work queue"
HALF_A_DAY = timedelta(hours=12)


@cache
def scene_clock() -> SettableClock:
    """The clock that pages and engine share, through `settings.CLOCK`."""
    return SettableClock(FIRST_DAY)


@dataclass(frozen=True)
class Scene:
    """The people and records in the pictures."""

    staff: User
    technician: User
    held: Enrollment
    job: Installation
    signing_token: str


@dataclass(frozen=True)
class Household:
    first_name: str
    last_name: str
    address: str
    city: str
    postal_code: str
    tag: str = ""

    @property
    def email(self) -> str:
        return f"{self.first_name}.{self.last_name}{self.tag}@example.com".lower()


CARMEN = Household("Carmen", "Reyes", "4810 Pecan Street", "Waco", "76708")
DENISE = Household("Denise", "Okafor", "1906 Cedar Bend", "Round Rock", "78664", tag="+frozen")
GRACE = Household("Grace", "Whitfield", "9 Juniper Lane", "Round Rock", "78664")
LINH = Household("Linh", "Tran", "88 Live Oak Lane", "Fort Worth", "76107")
MIGUEL = Household("Miguel", "Santos", "27 Bluebonnet Court", "Killeen", "76541")
NORA = Household("Nora", "Alvarez", "740 Rio Vista Drive", "Brownwood", "76801", tag="+noplans")
PAUL = Household("Paul", "Becker", "612 Windmill Way", "Tyler", "75701")
ROSA = Household("Rosa", "Delgado", "1523 Mesquite Trail", "Midland", "79701")
WALTER = Household("Walter", "Brooks", "350 Old Mill Flow", "Temple", "76501")


def play(simulator: RunningSimulator) -> Scene:
    """Let the weeks before the pictures pass."""
    simulator.control.set_now(FIRST_DAY)
    simulator.control.freeze_clock()
    flow = Flow(simulator, REFERENCE, clock=scene_clock())
    try:
        return _play(flow)
    finally:
        flow.light.close()


def _play(flow: Flow) -> Scene:
    staff = User.objects.create_user("olivia", password=PASSWORD, first_name="Olivia", is_staff=True)
    staff.groups.add(Group.objects.get(name=OFFICE_GROUP))
    technician = made.technician(username="tess", password=PASSWORD, first_name="Tess", last_name="Nguyen")
    sunny, modest = _promise("Lone Star Solar Buyback", "17.5"), _promise("Lone Star Solar Saver", "15.5")

    carmen, miguel = _signed(flow, CARMEN, sunny), _signed(flow, MIGUEL, modest)
    walter, denise = _signed(flow, WALTER, sunny), _signed(flow, DENISE, sunny)
    for enrollment in (carmen, miguel, denise):
        flow.finish_at_light(enrollment)
    flow.pass_time(timedelta(days=1))
    flow.report_pto(carmen)
    _live(flow, timedelta(days=9))

    flow.report_pto(miguel)
    linh, nora, paul, rosa = (_signed(flow, who, sunny) for who in (LINH, NORA, PAUL, ROSA))
    for enrollment in (linh, nora, paul, rosa):
        flow.finish_at_light(enrollment)
    _live(flow, timedelta(days=2))

    flow.report_pto(linh)
    flow.report_pto(nora)
    flow.revoke(walter)
    _installed(paul.installations.get(), technician, flow)
    made.go_live_report(
        paul.installations.get(),
        at=flow.clock.at,
        by=Actor.technician(technician.public_id),
        source=GoLiveSource.PORTAL,
    )
    job = _installed(rosa.installations.get(), technician, flow)
    grace = _sold(flow, GRACE)
    sent_poa(customer=grace.customer, site=grace.site, promise=sunny, at=flow.clock.at)
    signing_token = token_in_last_mail()
    _look_at(flow, grace)
    _live(flow, timedelta(days=1))
    miguel.refresh_from_db()
    return Scene(staff=staff, technician=technician, held=miguel, job=job, signing_token=signing_token)


def _promise(name: str, highest_at_1000: str) -> PlanPromise:
    return plan_promise(
        name=name,
        light_plan_group=UUID(FIXED_BUYBACK_GROUP_UUID),
        max_average_cents_per_kwh_500=Decimal("19.5"),
        max_average_cents_per_kwh_1000=Decimal(highest_at_1000),
        max_average_cents_per_kwh_2000=Decimal("16.9"),
        max_base_fee_dollars=Decimal("9.95"),
        max_term_months=24,
        max_termination_fee_dollars=Decimal(200),
        min_buyback_cents_per_kwh=Decimal(6),
    )


def _sold(flow: Flow, who: Household) -> Installation:
    at = flow.clock.at
    customer = made.customer(at, first_name=who.first_name, last_name=who.last_name, email=who.email)
    site = made.site(at, address_1=who.address, city=who.city, postal_code=who.postal_code)
    return made.installation(at, customer=customer, site=site)


def _signed(flow: Flow, who: Household, promise: PlanPromise) -> Enrollment:
    """A case whose customer has signed, and whom Light knows."""
    job = _sold(flow, who)
    flow.sign(job, promise=promise)
    return _look_at(flow, job)


def _look_at(flow: Flow, job: Installation) -> Enrollment:
    enrollment = case_opening.reconsider_site(site_id=job.site_id, at=flow.clock.at)
    assert enrollment is not None
    flow.run(enrollment)
    return enrollment


def _installed(job: Installation, technician: User, flow: Flow) -> Installation:
    """Walk a sold job as far as it goes without the utility's permission."""
    at = flow.clock.at
    actions.assign_technician(installation_id=job.pk, technician_id=technician.pk, by=made.OFFICE, at=at)
    for move in ("schedule", "install", "inspect", "submit_interconnection"):
        day = chicago_day(at) if move == "schedule" else None
        job = actions.move_installation(installation_id=job.pk, move=move, scheduled_date=day, by=made.OFFICE, at=at)
    return job


def _live(flow: Flow, span: timedelta) -> None:
    """Let time pass for everyone; the engine decides every case twice a day."""
    end = flow.clock.at + span
    while flow.clock.at < end:
        flow.pass_time(HALF_A_DAY)
        for enrollment in Enrollment.objects.order_by("pk"):
            flow.run(enrollment)
