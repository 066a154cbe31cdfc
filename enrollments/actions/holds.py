"""Holds, pauses and closing: how people stop the machine and let it go on."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable

from core.actors import SYSTEM, Actor
from core.queue import TaskName, enqueue_on_commit
from core.transactions import repeatable
from enrollments.actions.moves import lock, note, take_move
from enrollments.decision import steps
from enrollments.decision.customer_state import code_of_hold
from enrollments.models import Enrollment, Hold, Pause
from enrollments.states import EnrollmentStatus, HoldCode, LeavingReason
from poa_documents.actions import suspend_poa
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus


class ReasonMissing(Exception):
    """A person who stops the machine, or lets it go on, says why."""


class HoldNotOpen(Exception):
    """Somebody released it meanwhile, or the reason went away by itself."""


class ConsentCannotBeOverridden(Exception):
    """Only the customer's own new signature opens this again."""


class LeavingReasonMissing(Exception):
    """What a customer who left tells us is kept in fields of its own, not in the text of a release."""


class NobodyLeft(Exception):
    """No customer's leaving waits to be recorded."""


class CannotClose(Exception):
    """A plan was accepted or may have been: that cannot be closed by us, only watched."""


class NotPaused(Exception):
    """That pause has ended already."""


@transaction.atomic
def place_hold(enrollment: Enrollment, step: steps.Hold, *, at: datetime) -> Hold:
    """Ask for a person, on a locked enrollment. While one is asked for already, the open hold stays as it is."""
    hold, is_new = open_hold(enrollment, step, at=at)
    if is_new:
        note(enrollment, "hold", by=SYSTEM, at=at, reason=f"{HoldCode(step.code).label}: {step.because}")
    return hold


def open_hold(enrollment: Enrollment, step: steps.Hold, *, at: datetime) -> tuple[Hold, bool]:
    """Give the open hold of a locked enrollment, a new one where there is none, and whether it is new."""
    standing = enrollment.holds.filter(released_at__isnull=True).first()
    if standing is not None:
        return standing, False
    hold = Hold.objects.create(
        enrollment=enrollment, code=step.code, because=step.because, owner=step.owner, since=at, act_by_date=step.act_by
    )
    _keep_decision(
        enrollment,
        {
            "next_step": "HOLD",
            "because": step.because,
            "whose_turn": step.owner,
            "act_by_date": step.act_by,
            "decided_at": at,
            "customer_code": code_of_hold(step.code),
            "customer_until_date": None,
            "changes_decided": enrollment.changes_noted,
        },
    )
    return hold, True


def _keep_decision(enrollment: Enrollment, shown: dict[str, Any]) -> None:
    """Put on the row, and on the copy in hand, what all screens show from now on."""
    Enrollment.objects.filter(pk=enrollment.pk).update(**shown)
    for name, value in shown.items():
        setattr(enrollment, name, value)


@repeatable
def release_hold(*, hold_id: int, reason: str, by: Actor, at: datetime) -> None:
    """
    Let the machine look again, because a person dealt with the reason.

    :raises ReasonMissing: no reason given
    :raises HoldNotOpen: it is not open any more
    :raises ConsentCannotBeOverridden: the hold stands for a missing authority
    :raises LeavingReasonMissing: the customer left; `record_leaving` ends this hold
    """
    if not reason.strip():
        raise ReasonMissing("Say in a few words what was done, so that the next person understands.")
    enrollment, hold = _lock_hold(hold_id)
    if hold.code in steps.CONSENT_HOLDS:
        raise ConsentCannotBeOverridden(
            "A missing authority cannot be overridden. Send the customer a new power of attorney; once it is signed, "
            "this hold ends by itself."
        )
    if hold.code == HoldCode.CUSTOMER_LEFT:
        raise LeavingReasonMissing("Record why the customer left, with the button of that name on the case.")
    _release(enrollment, hold, by=by, at=at, reason=reason.strip())


@repeatable
def record_leaving(
    *, enrollment_id: int, left_reason: LeavingReason | str, win_back_note: str, by: Actor, at: datetime
) -> None:
    """
    Keep why a customer left and what could win them back, and close the office's item about it.

    :raises NobodyLeft: no such item is open
    """
    enrollment = lock(enrollment_id)
    hold = enrollment.holds.filter(code=HoldCode.CUSTOMER_LEFT, released_at__isnull=True).first()
    if hold is None:
        raise NobodyLeft("Somebody recorded it already: open the case again to see what was found out.")
    reason = LeavingReason(left_reason)
    enrollment.left_reason, enrollment.win_back_note = reason, win_back_note.strip()
    enrollment.save(update_fields=["left_reason", "win_back_note"])
    told = f"{reason.label}. {enrollment.win_back_note}".strip()
    _release(enrollment, hold, by=by, at=at, reason=told)


def _release(enrollment: Enrollment, hold: Hold, *, by: Actor, at: datetime, reason: str) -> None:
    _end_hold(hold, by=by, at=at, reason=reason)
    Enrollment.objects.filter(pk=enrollment.pk).update(calls_not_before=None)
    note(enrollment, "release_hold", by=by, at=at, reason=reason)
    make_due(enrollment_id=enrollment.pk, at=at)


@repeatable
def lift_hold(*, hold_id: int, because: str, at: datetime) -> None:
    """End a hold whose reason is gone by itself."""
    enrollment, hold = _lock_hold(hold_id)
    _end_hold(hold, by=SYSTEM, at=at, reason=because)
    note(enrollment, "lift_hold", by=SYSTEM, at=at, reason=because)


def end_holds(enrollment: Enrollment, *, because: str, at: datetime, but: HoldCode | None = None) -> None:
    """End what a person was asked for, on a locked enrollment that moved past it; `but` is still asked for."""
    for hold in enrollment.holds.filter(released_at__isnull=True).exclude(code=but or ""):
        _end_hold(hold, by=SYSTEM, at=at, reason=because)
        note(enrollment, "lift_hold", by=SYSTEM, at=at, reason=because)


_TO_BE_DECIDED: dict[str, Any] = {
    "next_step": "",
    "because": "",
    "whose_turn": "",
    "act_by_date": None,
    "customer_code": "",
    "customer_until_date": None,
}
"""What a row shows between the end of a hold and the decision that follows at once."""


def _lock_hold(hold_id: int) -> tuple[Enrollment, Hold]:
    enrollment = lock(Hold.objects.values_list("enrollment_id", flat=True).get(pk=hold_id))
    hold = Hold.objects.get(pk=hold_id)
    if hold.released_at is not None:
        raise HoldNotOpen(f"This hold was released by {hold.released_by}: {hold.release_reason}")
    return enrollment, hold


def _end_hold(hold: Hold, *, by: Actor, at: datetime, reason: str) -> None:
    hold.released_at = at
    hold.released_by = str(by)
    hold.release_reason = reason
    hold.save()
    Enrollment.objects.filter(pk=hold.enrollment_id).update(**_TO_BE_DECIDED)


@repeatable
def pause(*, reason: str, by: Actor, at: datetime, light_plan_group: UUID | None = None) -> Pause:
    """
    Stop the next acceptance at once, everywhere or within one plan group. Calls already under way are not cut off.

    :raises ReasonMissing: no reason given
    """
    if not reason.strip():
        raise ReasonMissing("Say why acceptances are paused.")
    return Pause.objects.create(
        light_plan_group=light_plan_group, reason=reason.strip(), started_at=at, started_by=str(by)
    )


@repeatable
def resume(*, pause_id: int, by: Actor, at: datetime) -> None:
    """
    End a pause and let every enrollment that waited for it be looked at again.

    :raises NotPaused: it has ended already
    """
    ended = Pause.objects.filter(pk=pause_id, ended_at__isnull=True).update(ended_at=at, ended_by=str(by))
    if not ended:
        raise NotPaused("This pause has ended already.")
    wake_waiting_for(steps.Waiting.PAUSED, at=at)
    enqueue_on_commit(TaskName.SWEEP_ENROLLMENTS)


def wake_waiting_for(code: steps.Waiting, *, at: datetime) -> None:
    """Make due what waits for `code`, and what a worker may be about to put to rest for it."""
    Enrollment.objects.filter(Q(next_step=code) | Q(lease_until__isnull=False)).update(
        due_at=at, changes_noted=F("changes_noted") + 1
    )


@repeatable
def close_enrollment(*, enrollment_id: int, reason: str, by: Actor, at: datetime) -> None:
    """
    End a case in which nothing was accepted.

    :raises ReasonMissing: no reason given
    :raises CannotClose: a plan was accepted or may have been
    """
    if not reason.strip():
        raise ReasonMissing("Say why the case is closed.")
    enrollment = lock(enrollment_id)
    if enrollment.status != EnrollmentStatus.OPEN:
        label = EnrollmentStatus(enrollment.status).label.lower()
        raise CannotClose(f"The enrollment is “{label}”: only one in which nothing was accepted can be closed.")
    for hold in enrollment.holds.filter(released_at__isnull=True):
        _end_hold(hold, by=by, at=at, reason=f"Closed: {reason.strip()}")
    enrollment.ended_at = at
    enrollment.ended_because = reason.strip()
    enrollment.due_at = None
    enrollment.next_step, enrollment.whose_turn = "FINISHED", ""  # nobody looks again, and lists go by these
    take_move(enrollment, "close", by=by, at=at, reason=reason.strip())


@repeatable
def call_off(*, enrollment_id: int, because: str, at: datetime) -> None:
    """Close a case whose jobs were all canceled, and suspend the authority that was given for them."""
    close_enrollment(enrollment_id=enrollment_id, reason=because, by=SYSTEM, at=at)
    suspend_authority(Enrollment.objects.get(pk=enrollment_id), because=because, at=at)


@transaction.atomic
def suspend_authority(enrollment: Enrollment, *, because: str, at: datetime) -> None:
    """Let no other case at the site go on under what the customer signed before this one ended."""
    in_force = PoaDocument.objects.filter(
        customer_id=enrollment.customer_id, site_id=enrollment.site_id, status=PoaStatus.SIGNED
    )
    for poa in in_force:
        suspend_poa(poa_id=poa.pk, reason=because, by=SYSTEM, at=at)


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
