"""Stopping all writes to Light at once, and resuming them."""

from datetime import datetime

from core.actors import Actor
from core.errors import Conflict, check_reason
from core.queue import TaskName, enqueue_on_commit
from core.transactions import repeatable
from enrollments.actions.wakeups import wake_waiting_for
from enrollments.decision import steps
from enrollments.engine import copy_guard
from enrollments.models import ReconciliationRun, SystemHold


class NothingHeld(Conflict):
    """Writes to Light are not stopped."""


class NotReconciled(Conflict):
    """The database was restored, and not all accounts at Light have been compared with it since."""


@repeatable
def hold_writes(*, reason: str, by: Actor, at: datetime, needs_reconciliation: bool = False) -> SystemHold:
    """
    Stop every write to Light for all cases immediately. Calls already in progress finish, and reads continue.

    :raises ReasonMissing: no reason given
    """
    reason = check_reason(reason, ask="Say why all writes to Light are stopped.")
    return SystemHold.objects.create(
        reason=reason, needs_reconciliation=needs_reconciliation, started_at=at, started_by=str(by)
    )


@repeatable
def release_writes(*, by: Actor, at: datetime) -> int:
    """
    End every open stop, have the cases that waited for it decided again, and return the number of stops.

    :raises NothingHeld: writes are not stopped
    :raises NotReconciled: a restored database needs `reconcile --all` first
    """
    holds = list(SystemHold.objects.select_for_update().filter(ended_at__isnull=True))
    if not holds:
        raise NothingHeld(copy_guard.why_writes_not_allowed_here() or "Writes to Light are not stopped.")
    for hold in holds:
        if hold.needs_reconciliation and not _is_reconciled_since(hold.started_at):
            raise NotReconciled(
                "This database was restored. Run “manage.py reconcile --all” until it has read every account, review "
                "the differences that it lists, then release."
            )
    SystemHold.objects.filter(pk__in=[hold.pk for hold in holds]).update(ended_at=at, ended_by=str(by))
    wake_waiting_for(steps.Waiting.WRITES_STOPPED, at=at)
    enqueue_on_commit(TaskName.SWEEP_ENROLLMENTS)
    return len(holds)


def _is_reconciled_since(moment: datetime) -> bool:
    return ReconciliationRun.objects.filter(started_at__gte=moment, finished_at__isnull=False, unread_count=0).exists()
