"""Changing an enrollment: the one writer of its status, and the record of everything that happens to it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from core.actors import Actor
from core.moves import find_move
from enrollments.facts import governing_poa
from enrollments.models import Enrollment, EnrollmentEvent
from enrollments.states import MOVES
from poa_documents import evidence


class EnrollmentMoved(Exception):
    """Somebody else moved the enrollment in the meantime; look at it again before acting."""


@transaction.atomic
def lock(enrollment_id: int) -> Enrollment:
    """Give the enrollment, locked until the surrounding transaction ends."""
    return Enrollment.objects.select_for_update().select_related("site", "customer").get(pk=enrollment_id)


@transaction.atomic
def take_move(
    enrollment: Enrollment,
    name: str,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """
    Move a locked enrollment and save the fields that the caller set on it, with the event and evidence of the move.

    `details` goes into the evidence besides: hashes that later prove which offer or document it was about.

    :raises MoveNotAllowed: the table of moves does not allow it from the present status
    """
    old_status = enrollment.status
    move = find_move(MOVES, name, subject=str(enrollment), status=old_status)
    enrollment.status = move.target
    enrollment.save()
    _add_event(enrollment, name, old_status=old_status, by=by, at=at, reason=reason, details=details or {})


@transaction.atomic
def note(
    enrollment: Enrollment,
    name: str,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Record something that happened to an enrollment without changing its status."""
    _add_event(enrollment, name, old_status=enrollment.status, by=by, at=at, reason=reason, details=details or {})


def _add_event(
    enrollment: Enrollment,
    name: str,
    *,
    old_status: str,
    by: Actor,
    at: datetime,
    reason: str,
    details: Mapping[str, Any],
) -> None:
    EnrollmentEvent.objects.create(
        enrollment=enrollment,
        name=name,
        old_status=old_status,
        new_status=enrollment.status,
        actor=str(by),
        reason=reason,
        at=at,
    )
    poa = governing_poa(enrollment)
    if poa is not None:
        told = {"enrollment": enrollment.pk, "from": old_status, "to": enrollment.status, "reason": reason}
        evidence.record(poa, kind=f"enrollment.{name}", by=by, at=at, details={**details, **told})
