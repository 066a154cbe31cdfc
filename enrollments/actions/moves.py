"""Changing an enrollment: the only writer of its status, and the record of everything that happens to it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from core import log_context
from core.actors import Actor
from core.moves import find_move
from enrollments.engine.gathering import governing_poa
from enrollments.models import Enrollment, EnrollmentEvent
from enrollments.states import MOVES
from poa_documents.journal import evidence
from poa_documents.models import PoaDocument


class EnrollmentMoved(Exception):
    """The enrollment has changed since. Read it again before acting."""


def lock(enrollment_id: int) -> Enrollment:
    """Return the enrollment, locked until the surrounding transaction ends."""
    return Enrollment.objects.select_for_update().select_related("site", "customer").get(pk=enrollment_id)


def take_move(
    enrollment: Enrollment,
    name: str,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    poa: PoaDocument | None = None,
) -> None:
    """
    Move a locked enrollment, save the fields that the caller set on it, and record the event and evidence.

    `details` is added to the evidence, such as hashes that later prove which offer or document it was about. `poa` is
    the governing one if the caller has it locked already.

    :raises MoveNotAllowed: the table of moves does not allow it from the current status
    """
    old_status = enrollment.status
    move = find_move(MOVES, name, subject=str(enrollment), status=old_status)
    with _atomic_without_savepoint():
        enrollment.status = move.target
        enrollment.save()
        _add_event(enrollment, name, old_status=old_status, by=by, at=at, reason=reason, details=details or {}, poa=poa)


def note(
    enrollment: Enrollment,
    name: str,
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    poa: PoaDocument | None = None,
) -> None:
    """Record something that happened to an enrollment without changing its status; `poa` as for a move."""
    with _atomic_without_savepoint():
        status = enrollment.status
        _add_event(enrollment, name, old_status=status, by=by, at=at, reason=reason, details=details or {}, poa=poa)


def _atomic_without_savepoint() -> transaction.Atomic:
    """Open a transaction, or join the open one. No savepoint: nothing can continue if this part fails."""
    return transaction.atomic(savepoint=False)


def _add_event(
    enrollment: Enrollment,
    name: str,
    *,
    old_status: str,
    by: Actor,
    at: datetime,
    reason: str,
    details: Mapping[str, Any],
    poa: PoaDocument | None,
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
    moved = f", {old_status} → {enrollment.status}" if old_status != enrollment.status else ""
    log_context.log_for_case(f"{name}{moved}, by {by}", case=enrollment.pk)
    poa = poa or governing_poa(enrollment, is_locked=True)
    if poa is not None:
        move_details = {"enrollment": enrollment.pk, "from": old_status, "to": enrollment.status, "reason": reason}
        evidence.record(
            poa, kind=f"enrollment.{name}", by=by, at=at, details={**details, **move_details}, is_locked=True
        )
