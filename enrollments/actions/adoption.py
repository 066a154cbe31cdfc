"""Adopting an acceptance that we made but that a restored database lost. Nothing is sent to Light."""

from datetime import date, datetime, time

from core.actors import Actor
from core.dates import CHICAGO, chicago_day, short_date
from core.errors import Conflict, check_reason
from core.transactions import repeatable
from enrollments.actions import proven_outcomes
from enrollments.actions.plan_documents import schedule_documents
from enrollments.actions.wakeups import make_due
from enrollments.actions.writes import check_authority_for, close_done, open_write
from enrollments.decision import offers, plausibility, start_dates
from enrollments.decision.acceptance_at_light import is_shown_by
from enrollments.engine.gathering import last_account, offered_plan, sent_acceptance, signed_limits
from enrollments.engine.locked_case import LockedCase, lock_case
from enrollments.light.payloads import Location
from enrollments.models import AcceptAttempt, Enrollment, LightWrite, PlanOffer
from enrollments.states import UNSETTLED_WRITE_STATUSES, EnrollmentStatus, HoldCode, WriteKind
from poa_documents.authority_check import AuthorityMissing
from poa_documents.models import PoaDocument


class CannotAdopt(Conflict):
    """Nothing shows that the acceptance is ours and within what the customer signed. Nothing was changed."""


@repeatable
def adopt_acceptance(*, enrollment_id: int, accepted_date: date, reason: str, by: Actor, at: datetime) -> AcceptAttempt:
    """
    Record that we made the acceptance which Light shows, on `accepted_date`, a Chicago day.

    Everything a call would need is checked: the authority, the offered plan against the signed limits, and the start
    date. An acceptance outside what the customer signed cannot be adopted.

    :raises ReasonMissing: no reason given
    :raises CannotAdopt: names what is missing
    """
    reason = check_reason(
        reason, ask="Say how you know that we accepted it, such as the mail to the customer or a log of that day."
    )
    case = lock_case(enrollment_id)
    enrollment = case.enrollment
    if enrollment.status != EnrollmentStatus.OPEN or not _is_held_as_self_enrolled(enrollment):
        raise CannotAdopt("The case is not on hold for an acceptance that we have no record of.")
    if enrollment.writes.filter(status__in=sorted(UNSETTLED_WRITE_STATUSES)).exists():
        raise CannotAdopt("A call to Light is not settled yet. Try again in a few minutes.")
    location = _accepted_location(enrollment)
    poa = _authority(case, at=at)
    offer = _offer(enrollment, location)
    start = location.service_start_date
    if start is None:
        raise CannotAdopt("Light does not show the start date of service yet. Try again later.")
    _check_terms(offer, poa, start=start, accepted_date=accepted_date, today=chicago_day(at))
    sent_at = _sent_at(enrollment, accepted_date, at)
    _check_no_objection(enrollment, poa, sent_at=sent_at)
    attempt = _record(case, poa, offer, start=start, sent_at=sent_at, at=at)
    if not is_shown_by(location, sent_acceptance(attempt)):
        raise CannotAdopt("Light shows a different contract than the one on record.")
    case = proven_outcomes.confirm(case, attempt, by=by, at=at)
    close_done(case, attempt.write, answer={}, outcome=f"Adopted by {by}: {reason}", at=at)
    make_due(enrollment_id=enrollment.pk, at=at)
    return attempt


def _is_held_as_self_enrolled(enrollment: Enrollment) -> bool:
    return enrollment.holds.filter(code=HoldCode.SELF_ENROLLED, released_at__isnull=True).exists()


def _accepted_location(enrollment: Enrollment) -> Location:
    account = last_account(enrollment)
    esi_id = enrollment.site.esi_id
    places = account.for_meter(esi_id).locations if account is not None else ()
    named = [place for place in places if place.plan_uuid and place.esi_id in (None, "", esi_id)]
    if len(named) != 1:
        raise CannotAdopt("The last reading of the account does not name the accepted plan. Press “Look now” first.")
    return named[0]


def _authority(case: LockedCase, *, at: datetime) -> PoaDocument:
    poa = case.poa
    if poa is None:
        raise CannotAdopt("No power of attorney is on record for this customer and meter.")
    try:
        check_authority_for(case, at=at)
    except AuthorityMissing as missing:
        raise CannotAdopt(f"The power of attorney does not cover this now. {missing.for_staff}") from missing
    if case.enrollment.attested_poa_id != poa.pk:
        raise CannotAdopt("Our records do not show that we attested this power of attorney to Light.")
    return poa


def _offer(enrollment: Enrollment, location: Location) -> PlanOffer:
    """Find the plan as Light offered it to this case: only that can be checked against the signed limits."""
    plan_uuid = (location.plan_uuid or "").lower()
    for offer in enrollment.offers.order_by("-pk"):
        if str(offer.light_plan_uuid) == plan_uuid and offer.esi_id == enrollment.site.esi_id:
            return offer
    raise CannotAdopt(
        "The backup is from before this plan was offered, so its prices cannot be checked against what the customer "
        "signed. Close the case, and watch the contract at Light."
    )


def _check_terms(offer: PlanOffer, poa: PoaDocument, *, start: date, accepted_date: date, today: date) -> None:
    verdict = offers.judge(offered_plan(offer), signed_limits(poa.envelope))
    if not verdict.fits or plausibility.problems_with(offered_plan(offer)):
        raise CannotAdopt("The plan is outside what the customer signed. We would not have accepted it.")
    if not poa.envelope.earliest_start_date <= start <= poa.envelope.latest_start_date:
        raise CannotAdopt(f"The start date {short_date(start)} is outside the dates that the customer signed.")
    signed_date = chicago_day(poa.signed_at) if poa.signed_at else today
    if not signed_date <= accepted_date <= today:
        raise CannotAdopt(
            f"Enter a day between the signature on {short_date(signed_date)} and today. We accept nothing outside it."
        )
    if not start_dates.is_legal(start, sent=accepted_date, window=start_dates.FULL_WINDOW):
        raise CannotAdopt(
            f"A plan accepted on {short_date(accepted_date)} cannot start on {short_date(start)}: service starts "
            "7 to 30 days later."
        )


def _check_no_objection(enrollment: Enrollment, poa: PoaDocument, *, sent_at: datetime) -> None:
    notice = enrollment.notices.filter(poa=poa, given_at__lte=sent_at).last()
    if notice is not None and sent_at < notice.until:
        raise CannotAdopt("On that day the customer could still object to the plan, so we had not accepted it yet.")
    if enrollment.held_by_customer_at is not None:
        raise CannotAdopt("The customer had put the enrollment on hold. We would not have accepted a plan.")


def _sent_at(enrollment: Enrollment, accepted_date: date, at: datetime) -> datetime:
    """Date the call at noon of its day, but after every write on record."""
    noon = datetime.combine(accepted_date, time(12), tzinfo=CHICAGO)
    closed = enrollment.writes.filter(closed_at__isnull=False).order_by("-closed_at")
    last = closed.values_list("closed_at", flat=True).first()
    sent_at = min(max(noon, last or noon), at)
    if chicago_day(sent_at) != accepted_date:
        raise CannotAdopt(
            f"Our records continue until {short_date(sent_at)} and show no acceptance on {short_date(accepted_date)}."
        )
    return sent_at


def _record(
    case: LockedCase, poa: PoaDocument, offer: PlanOffer, *, start: date, sent_at: datetime, at: datetime
) -> AcceptAttempt:
    request = {
        "plan_uuid": str(offer.light_plan_uuid),
        "esi_id": offer.esi_id,
        "service_start_date": start.isoformat(),
        "poa": str(poa.public_id),
        "poa_sha256": poa.pdf_sha256,
        "verdict": offer.verdict,
        "adopted_at": at.isoformat(),
    }
    write = open_write(case, WriteKind.ACCEPT_PLAN, request, at=at)
    LightWrite.objects.filter(pk=write.pk).update(opened_at=sent_at, sent_at=sent_at)
    write.opened_at = write.sent_at = sent_at
    schedule_documents(offer, at=at)
    return AcceptAttempt.objects.create(
        write=write,
        enrollment=case.enrollment,
        poa=poa,
        poa_sha256=poa.pdf_sha256,
        offer_sha256=offer.raw_sha256,
        poa_use=poa.uses_made + 1,
        offer=offer,
        esi_id=case.enrollment.site.esi_id,
        service_start_date=start,
        chicago_date=chicago_day(sent_at),
    )
