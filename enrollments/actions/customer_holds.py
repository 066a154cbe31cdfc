"""The customer's own hold on an announced plan, until the customer resumes it."""

from datetime import datetime

from core.actors import Actor
from core.errors import Conflict
from core.transactions import repeatable
from enrollments.actions.moves import note
from enrollments.actions.wakeups import make_due
from enrollments.engine.locked_case import lock_case
from enrollments.models import Enrollment
from enrollments.states import EnrollmentStatus

_NOT_ACCEPTED_YET = frozenset({EnrollmentStatus.OPEN, EnrollmentStatus.ACCEPTING, EnrollmentStatus.IN_DOUBT})


class NothingToHold(Conflict):
    """No plan was announced, or it is accepted already."""


class NotOnHold(Conflict):
    """The enrollment is not on hold."""


@repeatable
def hold_for_customer(*, enrollment_id: int, by: Actor, at: datetime) -> Enrollment:
    """
    Stop an announced acceptance until the customer resumes it. A repeat changes nothing.

    This also stops writes that are queued or about to be sent, because each is checked again right before it is sent. A
    call that was already sent is not undone, but it is not repeated.

    :raises NothingToHold: no plan was announced, or it is accepted already
    """
    case = lock_case(enrollment_id)
    enrollment = case.enrollment
    if enrollment.held_by_customer_at is not None:
        return enrollment
    if enrollment.status not in _NOT_ACCEPTED_YET or not enrollment.notices.exists():
        raise NothingToHold("No announced plan is waiting to be accepted. Reload the page to see the current status.")
    enrollment.held_by_customer_at = at
    enrollment.save(update_fields=["held_by_customer_at"])
    note(case, "customer_held", by=by, at=at)
    make_due(enrollment_id=enrollment_id, at=at)
    return enrollment


@repeatable
def resume_for_customer(*, enrollment_id: int, by: Actor, at: datetime) -> Enrollment:
    """
    Resume an enrollment that the customer put on hold.

    :raises NotOnHold: it is not on hold
    """
    case = lock_case(enrollment_id)
    enrollment = case.enrollment
    if enrollment.held_by_customer_at is None:
        raise NotOnHold("The enrollment is not on hold. Reload the page to see the current status.")
    enrollment.held_by_customer_at = None
    enrollment.save(update_fields=["held_by_customer_at"])
    note(case, "customer_resumed", by=by, at=at)
    make_due(enrollment_id=enrollment_id, at=at)
    return enrollment
