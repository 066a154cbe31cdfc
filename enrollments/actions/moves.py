"""Changing an enrollment: the only writer of its status, and the record of everything that happens to it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core import log_context
from core.actors import Actor
from core.moves import find_move
from enrollments.engine.locked_case import LockedCase
from enrollments.models import EnrollmentEvent
from enrollments.states import MOVES
from poa_documents.journal import chain


class EnrollmentMoved(Exception):
    """The enrollment has changed since. Read it again before acting."""


def take_move(
    case: LockedCase,
    name: str,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """
    Move an enrollment, save the fields that the caller set on it, and record the event and evidence.

    `details` is added to the evidence, such as hashes that later prove which offer or document it was about.

    :raises MoveNotAllowed: the table of moves does not allow it from the current status
    """
    enrollment = case.enrollment
    old_status = enrollment.status
    move = find_move(MOVES, name, subject=str(enrollment), status=old_status)
    enrollment.status = move.target
    enrollment.save()
    _add_event(case, name, old_status=old_status, by=by, at=at, reason=reason, details=details or {})


def note(
    case: LockedCase,
    name: str,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Record something that happened to an enrollment without changing its status."""
    _add_event(case, name, old_status=case.enrollment.status, by=by, at=at, reason=reason, details=details or {})


def _add_event(
    case: LockedCase,
    name: str,
    *,
    old_status: str,
    by: Actor,
    at: datetime,
    reason: str,
    details: Mapping[str, Any],
) -> None:
    enrollment, poa = case.enrollment, case.poa
    EnrollmentEvent.objects.create(
        enrollment=enrollment,
        name=name,
        old_status=old_status,
        new_status=enrollment.status,
        actor=str(by),
        reason=reason,
        at=at,
    )
    moved = f", {old_status} → {enrollment.status}" if old_status != enrollment.status else ""
    log_context.log_for_case(f"{name}{moved}, by {by}", case=enrollment.pk)
    if poa is not None:
        move_details = {
            "enrollment": enrollment.public_id,
            "from": old_status,
            "to": enrollment.status,
            "reason": reason,
        }
        chain.record(poa, kind=f"enrollment.{name}", by=by, at=at, details={**details, **move_details}, is_locked=True)
    case.forget_facts()
