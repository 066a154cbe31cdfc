"""
Checks that each customer's case ended as expected, against the stand-in's list of acceptances.

Prices and dates are compared independently of the code that decided them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from core.dates import chicago_day, short_date
from demo.demo_data import ANA, MARCUS, PRIYA, PROFILES, WALTER, CustomerProfile, ExpectedOutcome
from enrollments.models import Enrollment, LightWrite, PlanOffer, ReconciliationRun
from enrollments.states import EnrollmentStatus, HoldCode, WriteKind, WriteStatus
from installations.models import GoLiveReport
from poa_documents.models import Envelope

MIN_START_DAYS, MAX_START_DAYS = 7, 30
FROZEN_DAYS = 13
LIMITED_FIELDS = (
    ("average_cents_per_kwh_500", "max_average_cents_per_kwh_500"),
    ("average_cents_per_kwh_1000", "max_average_cents_per_kwh_1000"),
    ("average_cents_per_kwh_2000", "max_average_cents_per_kwh_2000"),
    ("base_fee_dollars", "max_base_fee_dollars"),
    ("term_months", "max_term_months"),
    ("termination_fee_dollars", "max_termination_fee_dollars"),
)


@dataclass(frozen=True)
class Outcome:
    """A customer's row in the table, and the problems found."""

    profile: CustomerProfile
    plan: str
    price: str
    start: str
    status: str
    problems: Sequence[str]


def outcomes(acceptances: Sequence[dict[str, Any]]) -> list[Outcome]:
    """Check every customer. `acceptances` is the stand-in's list."""
    return [_outcome(profile, acceptances) for profile in PROFILES]


def unknown_acceptances(acceptances: Sequence[dict[str, Any]]) -> list[str]:
    """Return the accounts of acceptances at Light that belong to none of our customers."""
    ours = set(Enrollment.objects.exclude(light_account_uuid=None).values_list("light_account_uuid", flat=True))
    return [
        str(each["account_uuid"]) for each in acceptances if each["account_uuid"] not in {str(uuid) for uuid in ours}
    ]


def differences() -> list[str]:
    """Return the differences found by the last reconciliation."""
    run = ReconciliationRun.objects.latest("started_at")
    return [f"{found.get_kind_display()}, account {found.light_account_uuid}" for found in run.differences.all()]


def _outcome(profile: CustomerProfile, acceptances: Sequence[dict[str, Any]]) -> Outcome:
    enrollment = Enrollment.objects.filter(customer__email=profile.email).select_related("accepted_offer").first()
    if enrollment is None:
        return Outcome(profile, "-", "-", "-", "no enrollment", ["has no enrollment"])
    acceptances_at_light = [each for each in acceptances if each["account_uuid"] == str(enrollment.light_account_uuid)]
    offer = enrollment.accepted_offer
    hold = enrollment.holds.filter(released_at__isnull=True).first()
    status = enrollment.get_status_display()
    return Outcome(
        profile,
        plan=offer.name if offer else "-",
        price=f"{offer.average_cents_per_kwh_1000:.2f} ¢" if offer else "-",
        start=short_date(enrollment.service_start_date) if enrollment.service_start_date else "-",
        status=f"On hold: {hold.get_code_display()}" if hold else status,
        problems=list(_problems(profile, enrollment, acceptances_at_light)),
    )


def _problems(
    profile: CustomerProfile, enrollment: Enrollment, acceptances_at_light: Sequence[dict[str, Any]]
) -> Iterator[str]:
    if profile.expected in {ExpectedOutcome.ACTIVE, ExpectedOutcome.OPTED_OUT}:
        yield from _acceptance_problems(enrollment, acceptances_at_light)
        wanted = EnrollmentStatus.ACTIVE if profile.expected == ExpectedOutcome.ACTIVE else EnrollmentStatus.ENDED
        if enrollment.status != wanted:
            yield f"is “{enrollment.get_status_display()}”, not “{wanted.label}”"
    else:
        yield from _held_problems(profile, enrollment, acceptances_at_light)
    yield from _scenario_problems(profile, enrollment)


def _acceptance_problems(enrollment: Enrollment, acceptances_at_light: Sequence[dict[str, Any]]) -> Iterator[str]:
    offer, start = enrollment.accepted_offer, enrollment.service_start_date
    if len(acceptances_at_light) != 1:
        yield f"has {len(acceptances_at_light)} acceptances at Light, not exactly one"
    if enrollment.acceptances.filter(succeeded=True).count() != 1:
        yield "has not exactly one successful acceptance on our record"
    if not acceptances_at_light or offer is None or start is None or enrollment.attested_poa is None:
        yield "has no accepted plan on our record"
        return
    at_light = acceptances_at_light[0]
    if at_light["by_customer"]:
        yield "has a plan that the customer accepted themselves"
    ours = (str(offer.light_plan_uuid), enrollment.site.esi_id, start.isoformat())
    if ours != (at_light["plan_uuid"], at_light["esi_id"], at_light["service_start_date"]):
        yield f"was accepted at Light as {at_light}, on our record as {ours}"
    accepted_on = chicago_day(datetime.fromisoformat(at_light["accepted_at"]))
    days = (date.fromisoformat(at_light["service_start_date"]) - accepted_on).days
    if not MIN_START_DAYS <= days <= MAX_START_DAYS:
        yield f"starts {days} days after the day of the acceptance"
    yield from _limit_problems(offer, enrollment.attested_poa.envelope)


def _limit_problems(offer: PlanOffer, envelope: Envelope) -> Iterator[str]:
    if offer.light_plan_group != envelope.light_plan_group:
        yield "has a plan of another group than the signed one"
    if offer.rate_kind != envelope.rate_kind:
        yield f"has a plan of another rate kind, {offer.rate_kind}"
    for offered_name, limit_name in LIMITED_FIELDS:
        offered, limit = getattr(offer, offered_name), getattr(envelope, limit_name)
        if offered is None or offered > limit:
            yield f"has a plan beyond a signed limit: {offered_name} {offered}, signed {limit}"
    if envelope.min_buyback_cents_per_kwh > (offer.buyback_cents_per_kwh or 0):
        yield f"has a buyback of {offer.buyback_cents_per_kwh}, signed {envelope.min_buyback_cents_per_kwh}"


def _held_problems(
    profile: CustomerProfile, enrollment: Enrollment, acceptances_at_light: Sequence[dict[str, Any]]
) -> Iterator[str]:
    wanted = (
        HoldCode.OUTSIDE_LIMITS if profile.expected == ExpectedOutcome.HELD_OUTSIDE_LIMITS else HoldCode.AUTHORITY_ENDED
    )
    if acceptances_at_light:
        yield f"has {len(acceptances_at_light)} acceptances at Light and must have none"
    if enrollment.writes.filter(kind=WriteKind.ACCEPT_PLAN).exists():
        yield "has an attempted acceptance"
    hold = enrollment.holds.filter(released_at__isnull=True).first()
    if hold is None:
        yield f"must be on hold as “{wanted.label}”, but is not on hold"
    elif hold.code != wanted:
        yield f"must be on hold as “{wanted.label}”, but is on hold as “{hold.get_code_display()}”"


def _scenario_problems(profile: CustomerProfile, enrollment: Enrollment) -> Iterator[str]:
    """Check that the events specific to this customer's scenario happened."""
    finished_at_light = _first(enrollment, "light_status")
    report = GoLiveReport.objects.filter(installation__enrollments=enrollment).order_by("received_at").first()
    if report is None:
        yield "has no go-live report"
        return
    if profile == WALTER:
        frozen = enrollment.events.filter(name="light_status", reason__endswith="credit_check_frozen").first()
        if frozen is None or enrollment.accepted_at is None or (enrollment.accepted_at - frozen.at).days < FROZEN_DAYS:
            yield "was not delayed for two weeks by the credit freeze"
    elif profile == PRIYA and (finished_at_light is None or finished_at_light < report.received_at):
        yield "had finished at Light before the permission to operate was reported"
    elif profile == MARCUS:
        writes = LightWrite.objects.filter(enrollment=enrollment, kind=WriteKind.ACCEPT_PLAN)
        sent = writes.exclude(status=WriteStatus.NOT_DONE, doubt_since=None)
        if sent.count() != 1 or _first(enrollment, "mark_in_doubt") is None:
            yield "did not lose the answer to exactly one acceptance"
    elif profile == ANA:
        ended_at = enrollment.attested_poa.ended_at if enrollment.attested_poa else None
        if ended_at is None or ended_at < report.received_at:
            yield "did not revoke after the permission to operate"


def _first(enrollment: Enrollment, event_name: str) -> datetime | None:
    return enrollment.events.filter(name=event_name).order_by("at").values_list("at", flat=True).first()
