"""Taking over an acceptance that we made and that a restored database forgot. Nothing is sent to Light."""

from datetime import date, datetime, time

from core.actors import Actor
from core.dates import CHICAGO, chicago_day
from core.errors import Conflict, check_reason
from core.transactions import repeatable
from enrollments.actions import confirmations
from enrollments.actions.due_cases import make_due
from enrollments.actions.moves import lock
from enrollments.actions.writes import close_done, open_write
from enrollments.decision import offers, plausibility, start_dates
from enrollments.decision.acceptance_at_light import is_shown_by
from enrollments.engine.gathering import governing_poa, last_account, offered_plan, sent_acceptance, signed_limits
from enrollments.light.payloads import Location
from enrollments.models import AcceptAttempt, Enrollment, LightWrite, PlanOffer
from enrollments.states import UNSETTLED_WRITE_STATUSES, EnrollmentStatus, HoldCode, WriteKind
from poa_documents.guards import AuthorityMissing, check_authority
from poa_documents.models import PoaDocument


class CannotAdopt(Conflict):
    """The acceptance is not shown to be ours, or not to be what the customer signed. Nothing was changed."""


@repeatable
def adopt_acceptance(*, enrollment_id: int, accepted_date: date, reason: str, by: Actor, at: datetime) -> AcceptAttempt:
    """
    Put on record that the acceptance which Light shows is one that we made on `accepted_date`, a Chicago day.

    Everything that a call would need is checked as of then and now: the authority, the plan as Light once offered it to
    us against the signed limits, and the start. So nobody adopts what nobody signed.

    :raises ReasonMissing: no reason given
    :raises CannotAdopt: names what is missing
    """
    reason = check_reason(
        reason, ask="Say how you know that we accepted it: the mail to the customer, or a log of that day."
    )
    enrollment = lock(enrollment_id)
    if enrollment.status != EnrollmentStatus.OPEN or not _is_held_as_self_enrolled(enrollment):
        raise CannotAdopt("The case is not held for an acceptance of which we have no record.")
    if enrollment.writes.filter(status__in=sorted(UNSETTLED_WRITE_STATUSES)).exists():
        raise CannotAdopt("A call to Light is not settled yet. Try again in a few minutes.")
    location = _accepted_location(enrollment)
    poa = _authority(enrollment, at=at)
    offer = _offer(enrollment, location)
    start = location.service_start_date
    if start is None:
        raise CannotAdopt("Light does not show from which day service starts. Look again later.")
    _check_terms(offer, poa, start=start, accepted_date=accepted_date, today=chicago_day(at))
    sent_at = _sent_at(enrollment, accepted_date, at)
    _check_no_objection(enrollment, poa, sent_at=sent_at)
    attempt = _record(enrollment, poa, offer, start=start, sent_at=sent_at, at=at)
    if not is_shown_by(location, sent_acceptance(attempt)):
        raise CannotAdopt("Light shows another contract than the one on record.")
    confirmations.confirm(attempt, enrollment=enrollment, by=by, at=at)
    outcome = f"Adopted by {by}: {reason}"
    close_done(attempt.write, answer={}, outcome=outcome, at=at)
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


def _authority(enrollment: Enrollment, *, at: datetime) -> PoaDocument:
    poa = governing_poa(enrollment, is_locked=True)
    if poa is None:
        raise CannotAdopt("No power of attorney is on record for this customer and meter.")
    try:
        check_authority(poa, esi_id=enrollment.site.esi_id, at=at)
    except AuthorityMissing as missing:
        raise CannotAdopt(f"The authority does not cover it now. {missing.for_staff}") from missing
    if enrollment.attested_poa_id != poa.pk:
        raise CannotAdopt("Our records do not show that Light was told of this power of attorney.")
    return poa


def _offer(enrollment: Enrollment, location: Location) -> PlanOffer:
    """Find the plan as Light offered it to this case: only that can be held against the signed limits."""
    plan_uuid = (location.plan_uuid or "").lower()
    for offer in enrollment.offers.order_by("-pk"):
        if str(offer.light_plan_uuid) == plan_uuid and offer.esi_id == enrollment.site.esi_id:
            return offer
    raise CannotAdopt(
        "The backup is from before this plan was offered, so its prices cannot be held against what the customer "
        "signed. Close the case, and watch the contract at Light."
    )


def _check_terms(offer: PlanOffer, poa: PoaDocument, *, start: date, accepted_date: date, today: date) -> None:
    verdict = offers.judge(offered_plan(offer), signed_limits(poa.envelope))
    if not verdict.fits or plausibility.problems_with(offered_plan(offer)):
        raise CannotAdopt("The plan is outside what the customer signed. We would not have accepted it.")
    if not poa.envelope.earliest_start_date <= start <= poa.envelope.latest_start_date:
        raise CannotAdopt(f"The start {start} is outside the days that the customer signed.")
    signed_date = chicago_day(poa.signed_at) if poa.signed_at else today
    if not signed_date <= accepted_date <= today:
        raise CannotAdopt(f"We accepted it between the signature on {signed_date} and today, or it was not us.")
    if not start_dates.is_legal(start, sent=accepted_date, window=start_dates.FULL_WINDOW):
        raise CannotAdopt(f"Nothing accepted on {accepted_date} starts on {start}: a start is 7 to 30 days ahead.")


def _check_no_objection(enrollment: Enrollment, poa: PoaDocument, *, sent_at: datetime) -> None:
    notice = enrollment.notices.filter(poa=poa, given_at__lte=sent_at).last()
    if notice is not None and sent_at < notice.until:
        raise CannotAdopt("That day the customer could still object to the plan: we had not accepted it yet.")
    if enrollment.held_by_customer_at is not None:
        raise CannotAdopt("The customer had put the enrollment on hold. We would not have accepted a plan.")


def _sent_at(enrollment: Enrollment, accepted_date: date, at: datetime) -> datetime:
    """Put the call at noon of its day, and after all that is on record."""
    noon = datetime.combine(accepted_date, time(12), tzinfo=CHICAGO)
    closed = enrollment.writes.filter(closed_at__isnull=False).order_by("-closed_at")
    last = closed.values_list("closed_at", flat=True).first()
    sent_at = min(max(noon, last or noon), at)
    if chicago_day(sent_at) != accepted_date:
        raise CannotAdopt(f"Our records go on until {chicago_day(sent_at)}, and show no acceptance of {accepted_date}.")
    return sent_at


def _record(
    enrollment: Enrollment, poa: PoaDocument, offer: PlanOffer, *, start: date, sent_at: datetime, at: datetime
) -> AcceptAttempt:
    request = {
        "plan_uuid": str(offer.light_plan_uuid),
        "esi_id": offer.esi_id,
        "service_start_date": start.isoformat(),
        "poa": poa.pk,
        "poa_sha256": poa.pdf_sha256,
        "verdict": offer.verdict,
        "adopted_at": at.isoformat(),
    }
    write = open_write(enrollment, WriteKind.ACCEPT_PLAN, request, at=at, poa=poa)
    LightWrite.objects.filter(pk=write.pk).update(opened_at=sent_at, sent_at=sent_at)
    write.opened_at = write.sent_at = sent_at
    return AcceptAttempt.objects.create(
        write=write,
        enrollment=enrollment,
        poa=poa,
        poa_sha256=poa.pdf_sha256,
        offer_sha256=offer.raw_sha256,
        poa_use=poa.uses_made + 1,
        offer=offer,
        esi_id=enrollment.site.esi_id,
        service_start_date=start,
        chicago_date=chicago_day(sent_at),
    )
