"""Closing a case in which nothing was accepted."""

from datetime import datetime

from django.db import transaction

from core.actors import SYSTEM, Actor
from core.errors import Conflict, check_reason
from core.transactions import repeatable
from enrollments.actions.holds import _end_hold
from enrollments.actions.moves import lock, take_move
from enrollments.models import Enrollment
from enrollments.states import EnrollmentStatus
from poa_documents.actions import suspend_poa
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus


class CannotClose(Conflict):
    """A plan was accepted or may have been: that cannot be closed by us, only watched."""


@repeatable
def close_enrollment(*, enrollment_id: int, reason: str, by: Actor, at: datetime) -> None:
    """
    End a case in which nothing was accepted.

    :raises ReasonMissing: no reason given
    :raises CannotClose: a plan was accepted or may have been
    """
    reason = check_reason(reason, ask="Say why the case is closed.")
    enrollment = lock(enrollment_id)
    if enrollment.status != EnrollmentStatus.OPEN:
        label = EnrollmentStatus(enrollment.status).label.lower()
        raise CannotClose(f"The enrollment is “{label}”: only one in which nothing was accepted can be closed.")
    for hold in enrollment.holds.filter(released_at__isnull=True):
        _end_hold(hold, by=by, at=at, reason=f"Closed: {reason}")
    enrollment.ended_at = at
    enrollment.ended_because = reason
    enrollment.due_at = None
    enrollment.next_step, enrollment.whose_turn = "FINISHED", ""  # nobody looks again, and lists go by these
    take_move(enrollment, "close", by=by, at=at, reason=reason)


@repeatable
def close_canceled_case(*, enrollment_id: int, because: str, at: datetime) -> None:
    """Close a case whose jobs were all canceled, and suspend the authority that was given for them."""
    close_enrollment(enrollment_id=enrollment_id, reason=because, by=SYSTEM, at=at)
    suspend_authority(Enrollment.objects.get(pk=enrollment_id), because=because, at=at)


@transaction.atomic
def suspend_authority(enrollment: Enrollment, *, because: str, at: datetime) -> None:
    """Let no other case at the site go on under what the customer signed before this one ended."""
    in_force = PoaDocument.objects.filter(
        customer_id=enrollment.customer_id, site_id=enrollment.site_id, status=PoaStatus.SIGNED
    )
    for poa in in_force:
        suspend_poa(poa_id=poa.pk, reason=because, by=SYSTEM, at=at)
