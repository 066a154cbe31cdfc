"""The only writer of an installation's status."""

from datetime import datetime

from django.db import transaction

from core import log_context
from core.actors import Actor
from core.moves import MoveNotAllowed, find_move
from installations.models import Installation, InstallationEvent
from installations.states import MOVES


@transaction.atomic
def take_move(installation: Installation, name: str, *, by: Actor, at: datetime, reason: str = "") -> InstallationEvent:
    """
    Move the installation and record the event.

    :raises MoveNotAllowed: its status does not allow the move, including after a concurrent change
    """
    move = find_move(MOVES, name, subject=str(installation), status=installation.status)
    old_status = installation.status
    moved = Installation.objects.filter(pk=installation.pk, status=old_status).update(status=move.target)
    if not moved:
        installation.refresh_from_db(fields=["status"])
        raise MoveNotAllowed(subject=str(installation), move=name, status=installation.status)
    installation.status = move.target
    log_context.log_for_site(
        f"Installation {installation.pk}: {name}, {old_status} → {move.target}, by {by}", site_id=installation.site_id
    )
    return InstallationEvent.objects.create(
        installation=installation,
        name=name,
        old_status=old_status,
        new_status=move.target,
        actor=str(by),
        reason=reason,
        at=at,
    )


def record_event(installation: Installation, name: str, *, by: Actor, at: datetime, reason: str = "") -> None:
    """Record an event that does not change the status."""
    log_context.log_for_site(f"Installation {installation.pk}: {name}, by {by}", site_id=installation.site_id)
    InstallationEvent.objects.create(
        installation=installation,
        name=name,
        old_status=installation.status,
        new_status=installation.status,
        actor=str(by),
        reason=reason,
        at=at,
    )
