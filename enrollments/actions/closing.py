"""Closing a case in which nothing was accepted."""

from datetime import datetime

from core.actors import SYSTEM, Actor
from core.errors import Conflict, check_reason
from core.transactions import repeatable
from enrollments.actions.holds import end_hold
from enrollments.actions.moves import take_move
from enrollments.engine.locked_case import LockedCase, lock_case
from enrollments.states import EnrollmentStatus
from poa_documents.actions import suspend_poa
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus


class CannotClose(Conflict):
    """A plan was or may have been accepted, so the case cannot be closed."""


@repeatable
def close_enrollment(*, enrollment_id: int, reason: str, by: Actor, at: datetime) -> None:
    """
    End a case in which nothing was accepted.

    :raises ReasonMissing: no reason given
    :raises CannotClose: a plan was accepted or may have been
    """
    reason = check_reason(reason, ask="Say why the case is closed.")
    _close(lock_case(enrollment_id), reason=reason, by=by, at=at)


@repeatable
def close_canceled_case(*, enrollment_id: int, because: str, at: datetime) -> None:
    """Close a case whose installations were all canceled, and suspend the authority for them."""
    case = lock_case(enrollment_id)
    _close(case, reason=because, by=SYSTEM, at=at)
    suspend_authority(case, because=because, at=at)


def _close(case: LockedCase, *, reason: str, by: Actor, at: datetime) -> None:
    enrollment = case.enrollment
    if enrollment.status != EnrollmentStatus.OPEN:
        label = EnrollmentStatus(enrollment.status).label.lower()
        raise CannotClose(f"This enrollment is “{label}”. Only one without an accepted plan can be closed.")
    for hold in enrollment.holds.filter(released_at__isnull=True):
        end_hold(case, hold, by=by, at=at, reason=f"Closed: {reason}")
    enrollment.ended_at = at
    enrollment.ended_because = reason
    enrollment.due_at = None
    enrollment.next_step, enrollment.whose_turn = "FINISHED", ""  # it is never decided again, and lists filter on these
    take_move(case, "close", by=by, at=at, reason=reason)


def suspend_authority(case: LockedCase, *, because: str, at: datetime) -> None:
    """Prevent later cases at the site from using an authority that was signed for this one."""
    in_force = PoaDocument.objects.filter(
        customer_id=case.enrollment.customer_id, site_id=case.enrollment.site_id, status=PoaStatus.SIGNED
    )
    for poa in in_force:
        suspend_poa(poa_id=poa.pk, reason=because, by=SYSTEM, at=at)
