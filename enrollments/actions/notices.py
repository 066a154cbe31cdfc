"""The notice before an acceptance: which plan is coming, and how long the customer can object."""

from datetime import datetime

from core.actors import SYSTEM
from core.transactions import repeatable
from enrollments.actions.mails import schedule_milestone_mail
from enrollments.actions.moves import note
from enrollments.actions.writes import still_due
from enrollments.decision.policy import Policy
from enrollments.decision.steps import GiveNotice
from enrollments.models import AdvanceNotice, PlanOffer
from poa_documents.actions import drop_case_mails
from poa_documents.models import MailKind


@repeatable
def give_notice(enrollment_id: int, step: GiveNotice, *, at: datetime, policy: Policy) -> AdvanceNotice:
    """
    Tell the customer which plan is about to be accepted, when it starts, and how long they can object.

    :raises EnrollmentMoved: something changed since the step was decided; no notice was given
    """
    case = still_due(enrollment_id, step, at=at, policy=policy)
    offer = PlanOffer.objects.get(pk=step.offer_id, enrollment=case.enrollment)
    notice = AdvanceNotice.objects.create(
        enrollment=case.enrollment,
        poa_id=step.poa_id,
        offer=offer,
        start_date=step.start,
        given_at=at,
        until=step.until,
    )
    details = {
        "notice": notice.public_id,
        "offer": offer.public_id,
        "offer_sha256": offer.raw_sha256,
        "plan_uuid": str(offer.light_plan_uuid),
        "start_date": step.start,
        "until": step.until,
    }
    drop_case_mails(enrollment_id, MailKind.ADVANCE_NOTICE, at=at)
    note(case, "notice_given", by=SYSTEM, at=at, reason=step.because, details=details)
    schedule_milestone_mail(case, MailKind.ADVANCE_NOTICE, at=at, key=notice.mail_key)
    return notice
