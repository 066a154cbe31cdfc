"""The customer's own hold on a plan that was announced, until the customer lets it go on."""

from datetime import datetime

from core.actors import Actor
from core.errors import Conflict
from core.transactions import repeatable
from enrollments.actions.due_cases import make_due
from enrollments.actions.moves import lock, note
from enrollments.models import Enrollment
from enrollments.states import EnrollmentStatus

_NOT_ACCEPTED_YET = frozenset({EnrollmentStatus.OPEN, EnrollmentStatus.ACCEPTING, EnrollmentStatus.IN_DOUBT})


class NothingToHold(Conflict):
    """No plan was announced, or it is accepted already: there is nothing that a hold could stop."""


class NotOnHold(Conflict):
    """The enrollment goes on already."""


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
