"""Pauses: no acceptances, everywhere or within one plan group, until a person ends the pause."""

from datetime import datetime
from uuid import UUID

from core.actors import Actor
from core.errors import Conflict, check_reason
from core.queue import TaskName, enqueue_on_commit
from core.transactions import repeatable
from enrollments.actions.wakeups import wake_waiting_for
from enrollments.decision import steps
from enrollments.models import Pause


class NotPaused(Conflict):
    """That pause has ended already."""


@repeatable
def pause(*, reason: str, by: Actor, at: datetime, light_plan_group: UUID | None = None) -> Pause:
    """
    Stop acceptances immediately, everywhere or within one plan group. Calls already in progress are not interrupted.

    :raises ReasonMissing: no reason given
    """
    reason = check_reason(reason, ask="Say why acceptances are paused.")
    return Pause.objects.create(light_plan_group=light_plan_group, reason=reason, started_at=at, started_by=str(by))


@repeatable
def resume(*, pause_id: int, by: Actor, at: datetime) -> None:
    """
    End a pause and have every enrollment that waited for it decided again.

    :raises NotPaused: it has ended already
    """
    ended = Pause.objects.filter(pk=pause_id, ended_at__isnull=True).update(ended_at=at, ended_by=str(by))
    if not ended:
        raise NotPaused("This pause has ended already.")
    wake_waiting_for(steps.Waiting.PAUSED, at=at)
    enqueue_on_commit(TaskName.SWEEP_ENROLLMENTS)
