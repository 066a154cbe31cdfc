"""Making cases due, so that the engine looks at them now instead of at their next time."""

from datetime import datetime

from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable

from core.queue import TaskName, enqueue_on_commit
from core.transactions import repeatable
from enrollments.decision import steps
from enrollments.models import Enrollment


@repeatable
def make_due(*, enrollment_id: int, at: datetime) -> None:
    """
    Let the engine look at an enrollment now; a worker that has it already will look once more.

    One that was due before has its message, or the sweep sees to it.
    """
    nudge(Enrollment.objects.filter(pk=enrollment_id), at=at)


def nudge(enrollment: QuerySet[Enrollment], *, at: datetime, **counted: Combinable) -> None:
    """
    Make one enrollment due and queue its message, inside the caller's transaction; `counted` is set with it.

    The change is counted: until the case is decided again, the stored decision is known to be outdated.

    The row is written although it may be due: a worker that takes it now waits for what the caller is about to commit.
    """
    had_message = list(enrollment.values_list("pk", Case(When(due_at__lte=at, then=True), default=False)))
    enrollment.update(
        due_at=Case(When(due_at__lte=at, then=F("due_at")), default=Value(at)),
        changes_noted=F("changes_noted") + 1,
        **counted,
    )
    for enrollment_id, was_due in had_message:
        if not was_due:
            enqueue_on_commit(TaskName.ADVANCE_ENROLLMENT, enrollment_id=enrollment_id)


def wake_waiting_for(code: steps.Waiting, *, at: datetime) -> None:
    """Make due what waits for `code`, and what a worker may be about to put to rest for it."""
    Enrollment.objects.filter(Q(next_step=code) | Q(lease_until__isnull=False)).update(
        due_at=at, changes_noted=F("changes_noted") + 1
    )
