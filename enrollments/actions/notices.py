"""The notice before an acceptance, and the customer's own hold on it."""

from datetime import datetime

from core.actors import SYSTEM, Actor
from core.transactions import repeatable
from enrollments.actions.holds import make_due
from enrollments.actions.mails import owe_news
from enrollments.actions.moves import lock, note
from enrollments.actions.writes import still_due
from enrollments.decision.policy import Policy
from enrollments.decision.steps import GiveNotice
from enrollments.models import AdvanceNotice, Enrollment, PlanOffer
from enrollments.states import EnrollmentStatus
from poa_documents.actions import drop_case_mails
from poa_documents.models import MailKind

_NOT_ACCEPTED_YET = frozenset({EnrollmentStatus.OPEN, EnrollmentStatus.ACCEPTING, EnrollmentStatus.IN_DOUBT})


class NothingToHold(Exception):
    """No plan was announced, or it is accepted already: there is nothing that a hold could stop."""


class NotOnHold(Exception):
    """The enrollment goes on already."""


@repeatable
def give_notice(enrollment_id: int, step: GiveNotice, *, at: datetime, policy: Policy) -> AdvanceNotice:
    """
    Tell the customer which plan is about to be accepted, from which start, and until when he may object.

    :raises EnrollmentMoved: something changed since the step was decided; nobody was told
    """
    enrollment, poa, _ = still_due(enrollment_id, step, at=at, policy=policy)
    offer = PlanOffer.objects.get(pk=step.offer_id, enrollment=enrollment)
    notice = AdvanceNotice.objects.create(
        enrollment=enrollment, poa_id=step.poa_id, offer=offer, start_date=step.start, given_at=at, until=step.until
    )
    details = {
        "notice": notice.pk,
        "offer": offer.pk,
        "offer_sha256": offer.raw_sha256,
        "plan_uuid": str(offer.light_plan_uuid),
        "start_date": step.start,
        "until": step.until,
    }
    drop_case_mails(enrollment.pk, MailKind.ADVANCE_NOTICE, at=at)
    note(enrollment, "notice_given", by=SYSTEM, at=at, reason=step.because, details=details, poa=poa)
    owe_news(enrollment, MailKind.ADVANCE_NOTICE, at=at, key=notice.mail_key, poa=poa)
    return notice


@repeatable
def hold_for_customer(*, enrollment_id: int, by: Actor, at: datetime) -> Enrollment:
    """
    Stop an announced acceptance until the customer lets it go on. Pressed twice, it counts once.

    It stops what is queued or about to be sent as well: each write is looked at once more right before. What is under
    way already is not undone; a repeated one is stopped.

    :raises NothingToHold: no plan was announced, or it is accepted already
    """
    enrollment = lock(enrollment_id)
    if enrollment.held_by_customer_at is not None:
        return enrollment
    if enrollment.status not in _NOT_ACCEPTED_YET or not enrollment.notices.exists():
        raise NothingToHold("No announced plan waits to be accepted: open the page again to see where it stands.")
    enrollment.held_by_customer_at = at
    enrollment.save(update_fields=["held_by_customer_at"])
    note(enrollment, "customer_held", by=by, at=at)
    make_due(enrollment_id=enrollment_id, at=at)
    return enrollment


@repeatable
def resume_for_customer(*, enrollment_id: int, by: Actor, at: datetime) -> Enrollment:
    """
    Let an enrollment go on that the customer had put on hold.

    :raises NotOnHold: it is not on hold
    """
    enrollment = lock(enrollment_id)
    if enrollment.held_by_customer_at is None:
        raise NotOnHold("The enrollment is not on hold: open the page again to see where it stands.")
    enrollment.held_by_customer_at = None
    enrollment.save(update_fields=["held_by_customer_at"])
    note(enrollment, "customer_resumed", by=by, at=at)
    make_due(enrollment_id=enrollment_id, at=at)
    return enrollment
