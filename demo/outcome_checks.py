"""
Did each customer's story end as it must? Our records are held against the stand-in's own list of acceptances.

Prices and dates are compared here anew, with none of the code that decided them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from core.dates import chicago_day
from demo.profiles import ANA, CAST, MARCUS, PRIYA, WALTER, Character, Ending
from enrollments.models import Enrollment, LightWrite, PlanOffer, ReconciliationRun
from enrollments.states import EnrollmentStatus, HoldCode, WriteKind, WriteStatus
from installations.models import GoLiveReport
from poa_documents.models import Envelope

EARLIEST_START_DAYS, LATEST_START_DAYS = 7, 30
FROZEN_DAYS = 13
CEILINGS = (
    ("average_cents_per_kwh_500", "highest_average_cents_per_kwh_500"),
    ("average_cents_per_kwh_1000", "highest_average_cents_per_kwh_1000"),
    ("average_cents_per_kwh_2000", "highest_average_cents_per_kwh_2000"),
    ("base_fee_dollars", "highest_base_fee_dollars"),
    ("term_months", "longest_term_months"),
    ("termination_fee_dollars", "highest_termination_fee_dollars"),
)


@dataclass(frozen=True)
class Outcome:
    """One customer's row in the table, and what is wrong with it."""

    character: Character
    plan: str
    price: str
    start: str
    status: str
    problems: Sequence[str]


def outcomes(acceptances: Sequence[dict[str, Any]]) -> list[Outcome]:
    """Judge every customer; `acceptances` is the stand-in's own list."""
    return [_outcome(character, acceptances) for character in CAST]


def strangers_among(acceptances: Sequence[dict[str, Any]]) -> list[str]:
    """List acceptances at Light that belong to no customer of ours."""
    ours = set(Enrollment.objects.exclude(light_account_uuid=None).values_list("light_account_uuid", flat=True))
    return [
        str(each["account_uuid"]) for each in acceptances if each["account_uuid"] not in {str(uuid) for uuid in ours}
    ]


def differences() -> list[str]:
    """List what the last comparison of every account with Light found."""
    run = ReconciliationRun.objects.latest("started_at")
    return [f"{found.get_kind_display()}, account {found.light_account_uuid}" for found in run.differences.all()]


def _outcome(character: Character, acceptances: Sequence[dict[str, Any]]) -> Outcome:
    enrollment = Enrollment.objects.filter(customer__email=character.email).select_related("accepted_offer").first()
    if enrollment is None:
        return Outcome(character, "-", "-", "-", "no enrollment", ["has no enrollment"])
    theirs = [each for each in acceptances if each["account_uuid"] == str(enrollment.light_account_uuid)]
    offer = enrollment.accepted_offer
    hold = enrollment.holds.filter(released_at__isnull=True).first()
    status = enrollment.get_status_display()
    return Outcome(
        character,
        plan=offer.name if offer else "-",
        price=f"{offer.average_cents_per_kwh_1000:.2f} ¢" if offer else "-",
        start=f"{enrollment.service_start_date}" if enrollment.service_start_date else "-",
        status=f"Held: {hold.get_code_display()}" if hold else status,
        problems=list(_problems(character, enrollment, theirs)),
    )


def _problems(character: Character, enrollment: Enrollment, theirs: Sequence[dict[str, Any]]) -> Iterator[str]:
    if character.ending in {Ending.ACTIVE, Ending.OPTED_OUT}:
        yield from _problems_of_accepted(enrollment, theirs)
        wanted = EnrollmentStatus.ACTIVE if character.ending == Ending.ACTIVE else EnrollmentStatus.ENDED
        if enrollment.status != wanted:
            yield f"is “{enrollment.get_status_display()}”, not “{wanted.label}”"
    else:
        yield from _problems_of_held(character, enrollment, theirs)
    yield from _problems_of_plot(character, enrollment)


def _problems_of_accepted(enrollment: Enrollment, theirs: Sequence[dict[str, Any]]) -> Iterator[str]:
    offer, start = enrollment.accepted_offer, enrollment.service_start_date
    if len(theirs) != 1:
        yield f"has {len(theirs)} acceptances at Light, not exactly one"
    if enrollment.acceptances.filter(succeeded=True).count() != 1:
        yield "has not exactly one successful acceptance on our record"
    if not theirs or offer is None or start is None or enrollment.attested_poa is None:
        yield "has no accepted plan on our record"
        return
    at_light = theirs[0]
    if at_light["by_customer"]:
        yield "has a plan that was accepted by somebody else"
    ours = (str(offer.light_plan_uuid), enrollment.site.esi_id, start.isoformat())
    if ours != (at_light["plan_uuid"], at_light["esi_id"], at_light["service_start_date"]):
        yield f"was accepted at Light as {at_light}, on our record as {ours}"
    accepted_on = chicago_day(datetime.fromisoformat(at_light["accepted_at"]))
    days = (date.fromisoformat(at_light["service_start_date"]) - accepted_on).days
    if not EARLIEST_START_DAYS <= days <= LATEST_START_DAYS:
        yield f"starts {days} days after the day of the acceptance"
    yield from _problems_of_limits(offer, enrollment.attested_poa.envelope)


def _problems_of_limits(offer: PlanOffer, envelope: Envelope) -> Iterator[str]:
    if offer.light_plan_group != envelope.light_plan_group:
        yield "has a plan of another group than the signed one"
    if offer.rate_kind != envelope.rate_kind:
        yield f"has a plan of another rate kind, {offer.rate_kind}"
    for offered_name, limit_name in CEILINGS:
        offered, limit = getattr(offer, offered_name), getattr(envelope, limit_name)
        if offered is None or offered > limit:
            yield f"has a plan beyond a signed limit: {offered_name} {offered}, signed {limit}"
    if envelope.lowest_buyback_cents_per_kwh > (offer.buyback_cents_per_kwh or 0):
        yield f"has a buyback of {offer.buyback_cents_per_kwh}, signed {envelope.lowest_buyback_cents_per_kwh}"


def _problems_of_held(character: Character, enrollment: Enrollment, theirs: Sequence[dict[str, Any]]) -> Iterator[str]:
    wanted = HoldCode.OUTSIDE_LIMITS if character.ending == Ending.HELD_OUTSIDE_LIMITS else HoldCode.AUTHORITY_ENDED
    if theirs:
        yield f"has {len(theirs)} acceptances at Light and must have none"
    if enrollment.writes.filter(kind=WriteKind.ACCEPT_PLAN).exists():
        yield "an acceptance was at least begun"
    hold = enrollment.holds.filter(released_at__isnull=True).first()
    if hold is None:
        yield f"must be held as “{wanted.label}”, and is not held"
    elif hold.code != wanted:
        yield f"must be held as “{wanted.label}”, and is held as “{hold.get_code_display()}”"


def _problems_of_plot(character: Character, enrollment: Enrollment) -> Iterator[str]:
    """Whether what makes this customer's story one of its own did happen."""
    finished_at_light = _first(enrollment, "light_status")
    report = GoLiveReport.objects.filter(installation__enrollments=enrollment).order_by("received_at").first()
    if report is None:
        yield "has no go-live report"
        return
    if character == WALTER:
        frozen = enrollment.events.filter(name="light_status", reason__endswith="credit_check_frozen").first()
        if frozen is None or enrollment.accepted_at is None or (enrollment.accepted_at - frozen.at).days < FROZEN_DAYS:
            yield "was not held up for two weeks by the credit freeze"
    elif character == PRIYA and (finished_at_light is None or finished_at_light < report.received_at):
        yield "had finished at Light before the permission to operate was reported"
    elif character == MARCUS:
        writes = LightWrite.objects.filter(enrollment=enrollment, kind=WriteKind.ACCEPT_PLAN)
        sent = writes.exclude(status=WriteStatus.NOT_DONE, doubt_since=None)
        if sent.count() != 1 or _first(enrollment, "lose_answer") is None:
            yield "did not lose the answer to exactly one acceptance"
    elif character == ANA:
        ended_at = enrollment.attested_poa.ended_at if enrollment.attested_poa else None
        if ended_at is None or ended_at < report.received_at:
            yield "did not revoke after the permission to operate"


def _first(enrollment: Enrollment, event_name: str) -> datetime | None:
    return enrollment.events.filter(name=event_name).order_by("at").values_list("at", flat=True).first()
