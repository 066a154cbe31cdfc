"""Assign, schedule, advance and cancel installation jobs."""

from datetime import date, datetime

from accounts.models import User
from core.actors import Actor
from core.case_changes import announce_case_change
from core.errors import check_input, check_reason
from core.transactions import repeatable
from installations.actions.registration import technician_problems
from installations.go_live import scheduled_date_problems
from installations.models import Installation
from installations.moves import record_event, take_move

JOB_MOVES = ("schedule", "install", "inspect", "submit_interconnection")


@repeatable
def assign_technician(*, installation_id: int, technician_id: int | None, by: Actor, at: datetime) -> Installation:
    """
    Assign the job to a technician, or to nobody. Assigning the same one again changes nothing.

    :raises InvalidInput: no such technician
    """
    check_input(technician=technician_problems(technician_id))
    installation = Installation.objects.select_for_update().get(pk=installation_id)
    if installation.technician_id == technician_id:
        return installation
    installation.technician = User.objects.get(pk=technician_id) if technician_id else None
    installation.save(update_fields=["technician"])
    record_event(
        installation,
        "assign_technician",
        by=by,
        at=at,
        reason=f"Assigned to {installation.technician}" if installation.technician else "Assigned to nobody",
    )
    return installation


@repeatable
def move_installation(
    *,
    installation_id: int,
    move: str,
    scheduled_date: date | None = None,
    by: Actor,
    at: datetime,
    reason: str = "",
) -> Installation:
    """
    Record progress on the job: schedule (with a date), install, inspect or submit_interconnection.

    :raises InvalidInput: an unknown move, or schedule without a valid date
    :raises MoveNotAllowed: the installation's status does not allow the move
    """
    installation = Installation.objects.select_for_update().get(pk=installation_id)
    check_input(
        move=() if move in JOB_MOVES else (f"Choose one of {', '.join(JOB_MOVES)}.",),
        scheduled_date=_schedule_problems(move, scheduled_date, installation),
    )
    take_move(installation, move, by=by, at=at, reason=reason)
    if move == "schedule":
        installation.scheduled_date = scheduled_date
        installation.save(update_fields=["scheduled_date"])
    return installation


@repeatable
def cancel_installation(*, installation_id: int, reason: str, by: Actor, at: datetime) -> Installation:
    """
    Cancel the job and reconsider its case.

    :raises ReasonMissing: no reason
    :raises MoveNotAllowed: it is already canceled
    """
    reason = check_reason(reason)
    installation = Installation.objects.select_for_update().get(pk=installation_id)
    take_move(installation, "cancel", by=by, at=at, reason=reason)
    announce_case_change(site_id=installation.site_id, at=at)
    return installation


def _schedule_problems(move: str, scheduled_date: date | None, installation: Installation) -> tuple[str, ...]:
    if move != "schedule":
        return () if scheduled_date is None else ("Only the move 'schedule' takes a date.",)
    if scheduled_date is None:
        return ("Enter the date of the work.",)
    return scheduled_date_problems(scheduled_date, contract_signed_date=installation.contract_signed_date)
