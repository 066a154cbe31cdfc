"""
Recording what Light is known to have done: an acceptance, a finalized enrollment, an attestation.

Called with a locked case, inside the caller's transaction, after the call's own answer or a later reading.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from core.actors import LIGHT, SYSTEM, Actor
from enrollments.actions.holds import lift_holds, place_hold
from enrollments.actions.mails import schedule_milestone_mail
from enrollments.actions.moves import take_move
from enrollments.decision import after_acceptance
from enrollments.decision.acceptance_at_light import is_shown_by
from enrollments.decision.steps import Hold
from enrollments.engine.gathering import sent_acceptance
from enrollments.engine.locked_case import LockedCase
from enrollments.light.payloads import Account, Unusable, name_unusable
from enrollments.models import AcceptAttempt, Enrollment, LightWrite
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner
from installations.models import ContactChange
from poa_documents.actions import use_authority
from poa_documents.models import MailKind, PoaDocument

CLOCK_TOLERANCE = timedelta(minutes=5)
ATTESTATION_PRECISION = timedelta(seconds=1)
"""Signature times are sent to Light in whole seconds."""


def confirm(case: LockedCase, attempt: AcceptAttempt, *, by: Actor, at: datetime) -> LockedCase:
    """
    Record an acceptance that Light has: the offer, the start date, and one use of the authority.

    Returns the case under the POA it was made under, which governs it from now on.
    """
    enrollment = case.enrollment
    attempt.succeeded = True
    attempt.save(update_fields=["succeeded"])
    enrollment.accepted_offer = attempt.offer
    enrollment.service_start_date = attempt.service_start_date
    enrollment.accepted_at = at
    is_late = enrollment.status == EnrollmentStatus.OPEN
    if enrollment.status != EnrollmentStatus.ACCEPTING:
        lift_holds(case, _ANSWERED_BY_ACCEPTANCE, because="The account shows our own acceptance.", at=at)
    case = case.under_accepted_poa(attempt.poa_id)
    take_move(case, "confirm_late" if is_late else "confirm", by=by, at=at)
    use_authority(case.known_poa, by=SYSTEM, at=at)
    schedule_milestone_mail(case, MailKind.PLAN_ACCEPTED, at=at)
    return case


_ANSWERED_BY_ACCEPTANCE = frozenset(
    {
        HoldCode.OUTCOME_UNKNOWN,
        HoldCode.REFUSED_BY_LIGHT,
        HoldCode.SELF_ENROLLED,
        HoldCode.ACCEPTED_DIFFERENTLY,
    }
)
"""Holds that ask what became of an acceptance or who made it. Once the account shows it, it is ours."""


def recognize_late_acceptance(case: LockedCase, account: Account, *, at: datetime) -> LockedCase:
    """Confirm an attempt that was recorded as not accepted, if the account now shows it. Returns as `confirm`."""
    attempts = AcceptAttempt.objects.filter(enrollment=case.enrollment, succeeded=False).select_related("offer")
    for attempt in attempts.order_by("-pk"):
        if any(is_shown_by(location, sent_acceptance(attempt)) for location in account.locations):
            return confirm(case, attempt, by=LIGHT, at=at)
    return case


def hold_for_difference(case: LockedCase, difference: str, *, at: datetime) -> None:
    """Place a hold because Light shows a different acceptance than the one we sent."""
    place_hold(case, after_acceptance.accepted_differently(difference), at=at)


def attestation_sent_at(write: LightWrite) -> datetime:
    return datetime.fromisoformat(write.request["client_agent_accepted_at"])


def shows_attestation(account: Account, sent_at: datetime) -> bool:
    """Whether the account shows this attestation, not an older one with a different time."""
    shown_at = account.client_agent_accepted_at
    return bool(account.client_agent_accepted) and (shown_at is None or abs(shown_at - sent_at) < ATTESTATION_PRECISION)


def shows_address(account: Account, write: LightWrite) -> bool:
    """Whether the account has the e-mail address that this write sent to Light."""
    sent_email = ContactChange.objects.get(public_id=write.request["change"]).new_email
    return (account.email or "").strip().lower() == sent_email.lower()


def finalize(case: LockedCase, *, at: datetime) -> None:
    case.enrollment.finalized_at = at
    take_move(case, "finalize", by=LIGHT, at=at)


def attest(enrollment: Enrollment, poa: PoaDocument, *, at: datetime) -> None:
    enrollment.attested_poa = poa
    enrollment.attested_at = at
    enrollment.save(update_fields=["attested_poa", "attested_at"])


def hold_unclear_account(case: LockedCase, *, count: int, unusable: Sequence[Unusable], at: datetime) -> None:
    """Place a hold because several accounts could be the one whose creation was not answered."""
    because = f"Light has {count} accounts of this customer that may be ours. Link the right one by hand."
    if unusable:
        because = (
            f"Light has {count} accounts of this customer that may be ours, and lists one that cannot be used: "
            f"{name_unusable(unusable)}. Ask Light which account it created, and link it by hand."
        )
    place_hold(case, Hold(HoldCode.ACCOUNT_UNCLEAR, HoldOwner.OFFICE, because=because), at=at)
