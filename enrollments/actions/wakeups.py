"""Making cases due, so that the engine processes them now instead of at their scheduled time."""

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
    Have the engine process an enrollment now. A worker that already has it will process it once more.

    One that was due before already has a message, or the sweep finds it.
    """
    nudge(Enrollment.objects.filter(pk=enrollment_id), at=at)


def nudge(
    enrollment: QuerySet[Enrollment], *, at: datetime, due_at: datetime | None = None, **counted: Combinable
) -> None:
    """
    Make one enrollment due and queue its message, inside the caller's transaction. `counted` is updated with it.

    With a later `due_at` it becomes due only then, unless it is due sooner; the sweep finds it.

    The change is counted, so that the stored decision is known to be outdated until the case is decided again.

    The row is written even if it is due already: a worker that claims it now waits for the caller's commit.
    """
    had_message = list(enrollment.values_list("pk", Case(When(due_at__lte=at, then=True), default=False)))
    wanted = due_at or at
    enrollment.update(
        due_at=Case(When(due_at__lte=wanted, then=F("due_at")), default=Value(wanted)),
        changes_noted=F("changes_noted") + 1,
        **counted,
    )
    for enrollment_id, was_due in had_message:
        if not was_due and wanted <= at:
            enqueue_on_commit(TaskName.ADVANCE_ENROLLMENT, enrollment_id=enrollment_id)


def wake_waiting_for(code: steps.Waiting, *, at: datetime) -> None:
    """Make due the cases that wait for `code`, and those that a worker may be about to leave waiting for it."""
    Enrollment.objects.filter(Q(next_step=code) | Q(lease_until__isnull=False)).update(
        due_at=at, changes_noted=F("changes_noted") + 1
    )
