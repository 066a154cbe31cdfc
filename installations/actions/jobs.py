"""Who does the work, when, and how far it has come."""

from datetime import date, datetime

from django.contrib.auth.models import User

from core.actors import Actor
from core.case_changes import announce_case_change
from core.transactions import repeatable
from installations.actions.registration import technician_problems
from installations.go_live import scheduled_date_problems
from installations.guards import check_input, check_reason
from installations.models import Installation
from installations.moves import record_event, take_move

WORK_MOVES = ("schedule", "install", "inspect", "submit_interconnection")


@repeatable
def assign_technician(*, installation_id: int, technician_id: int | None, by: Actor, at: datetime) -> Installation:
    """
    Give the job to a technician, or to nobody. The same one again changes nothing.

    :raises InputRefused: no such technician
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
        reason=f"to technician {technician_id}" if technician_id else "to nobody",
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
    Note how far the work has come: schedule (with a day), install, inspect or submit_interconnection.

    :raises InputRefused: an unknown move, or a schedule without a possible day
    :raises MoveNotAllowed: the installation is not at a stage for it
    """
    installation = Installation.objects.select_for_update().get(pk=installation_id)
    check_input(
        move=() if move in WORK_MOVES else (f"Choose one of {', '.join(WORK_MOVES)}.",),
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
    Call the job off and let the case be looked at again.

    :raises ReasonMissing: no reason
    :raises MoveNotAllowed: it is canceled already
    """
    reason = check_reason(reason)
    installation = Installation.objects.select_for_update().get(pk=installation_id)
    take_move(installation, "cancel", by=by, at=at, reason=reason)
    announce_case_change(site_id=installation.site_id, at=at)
    return installation


def _schedule_problems(move: str, scheduled_date: date | None, installation: Installation) -> tuple[str, ...]:
    if move != "schedule":
        return () if scheduled_date is None else ("A day belongs to the move 'schedule' only.",)
    if scheduled_date is None:
        return ("Give the day of the work.",)
    return scheduled_date_problems(scheduled_date, contract_signed_date=installation.contract_signed_date)
