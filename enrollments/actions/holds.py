"""Holds: a case needs a person, and continues once that person has dealt with the reason."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from core.actors import SYSTEM, Actor
from core.errors import Conflict, check_reason
from core.transactions import repeatable
from enrollments.actions.moves import note
from enrollments.actions.wakeups import make_due
from enrollments.decision import steps
from enrollments.decision.customer_message import code_of_hold
from enrollments.engine.locked_case import LockedCase, lock_case
from enrollments.models import Enrollment, Hold
from enrollments.states import HoldCode, LeavingReason


class HoldNotOpen(Conflict):
    """Someone has released it since, or it ended automatically."""


class ConsentCannotBeOverridden(Conflict):
    """Only a new signature of the customer ends this hold."""


class LeavingReasonMissing(Conflict):
    """Why a customer left is recorded in its own fields, not in the reason of a release."""


class NoLeavingToRecord(Conflict):
    """The case has no open hold that asks why the customer left."""


def place_hold(case: LockedCase, step: steps.Hold, *, at: datetime) -> Hold:
    """Place a hold. If one is open already, it stays as it is."""
    hold, is_new = open_hold(case.enrollment, step, at=at)
    if is_new:
        note(case, "hold", by=SYSTEM, at=at, reason=f"{HoldCode(step.code).label}: {step.because}")
    return hold


def open_hold(enrollment: Enrollment, step: steps.Hold, *, at: datetime) -> tuple[Hold, bool]:
    """Return the open hold of a locked enrollment, creating it if there is none, and whether it is new."""
    existing = enrollment.holds.filter(released_at__isnull=True).first()
    if existing is not None:
        return existing, False
    hold = Hold.objects.create(
        enrollment=enrollment, code=step.code, because=step.because, owner=step.owner, since=at, act_by_date=step.act_by
    )
    _keep(
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


def _keep(enrollment: Enrollment, changed: dict[str, Any]) -> None:
    """Store these fields, such as what all screens show from now on, on the row and on the object in memory."""
    Enrollment.objects.filter(pk=enrollment.pk).update(**changed)
    for name, value in changed.items():
        setattr(enrollment, name, value)


@repeatable
def release_hold(*, hold_id: int, reason: str, by: Actor, at: datetime) -> None:
    """
    Release a hold after a person dealt with its reason, and have the case decided again.

    :raises ReasonMissing: no reason given
    :raises HoldNotOpen: it is no longer open
    :raises ConsentCannotBeOverridden: the hold is for a missing authority
    :raises LeavingReasonMissing: the customer left; `record_leaving` ends this hold
    """
    reason = check_reason(reason, ask="Say in a few words what was done, so that the next person understands.")
    case, hold = _lock_hold(hold_id)
    if hold.code in steps.CONSENT_HOLDS:
        raise ConsentCannotBeOverridden(
            "A missing authority cannot be overridden. Send the customer a new power of attorney. Once it is signed, "
            "this hold ends automatically."
        )
    if hold.code == HoldCode.CUSTOMER_LEFT:
        raise LeavingReasonMissing("Use the button “Record why the customer left” on the case.")
    release(case, hold, by=by, at=at, reason=reason)


@repeatable
def record_leaving(
    *, enrollment_id: int, left_reason: LeavingReason | str, win_back_note: str, by: Actor, at: datetime
) -> None:
    """
    Record why a customer left and what could win them back, and release the hold that asks for it.

    :raises NoLeavingToRecord: no such hold is open
    """
    case = lock_case(enrollment_id)
    enrollment = case.enrollment
    hold = enrollment.holds.filter(code=HoldCode.CUSTOMER_LEFT, released_at__isnull=True).first()
    if hold is None:
        raise NoLeavingToRecord("Someone has already recorded this. Reload the case to see the reason.")
    reason = LeavingReason(left_reason)
    enrollment.left_reason, enrollment.win_back_note = reason, win_back_note.strip()
    enrollment.save(update_fields=["left_reason", "win_back_note"])
    reason_text = f"{reason.label}. {enrollment.win_back_note}".strip()
    release(case, hold, by=by, at=at, reason=reason_text)


def release(case: LockedCase, hold: Hold, *, by: Actor, at: datetime, reason: str) -> None:
    """Release an open hold of a locked case, and have the case decided again."""
    end_hold(case, hold, by=by, at=at, reason=reason)
    _keep(case.enrollment, {"calls_not_before": None})
    note(case, "release_hold", by=by, at=at, reason=reason)
    make_due(enrollment_id=case.enrollment.pk, at=at)


@repeatable
def lift_hold(*, hold_id: int, because: str, at: datetime) -> None:
    """End a hold automatically because its reason no longer applies."""
    case, hold = _lock_hold(hold_id)
    _lift(case, hold, because=because, at=at)


def lift_holds(case: LockedCase, codes: Collection[HoldCode], *, because: str, at: datetime) -> None:
    """Lift the open holds of a locked case that have one of these codes, because their reason no longer applies."""
    for hold in case.enrollment.holds.filter(code__in=codes, released_at__isnull=True):
        _lift(case, hold, because=because, at=at)


def end_holds(case: LockedCase, *, because: str, at: datetime, keep: HoldCode | None = None) -> None:
    """Lift the open holds of a locked case that moved past them, except one with the code `keep`."""
    for hold in case.enrollment.holds.filter(released_at__isnull=True).exclude(code=keep or ""):
        _lift(case, hold, because=because, at=at)


def _lift(case: LockedCase, hold: Hold, *, because: str, at: datetime) -> None:
    end_hold(case, hold, by=SYSTEM, at=at, reason=because)
    note(case, "lift_hold", by=SYSTEM, at=at, reason=because)


_UNDECIDED: dict[str, Any] = {
    "next_step": "",
    "because": "",
    "whose_turn": "",
    "act_by_date": None,
    "customer_code": "",
    "customer_until_date": None,
}
"""What a row shows between the end of a hold and the decision right after it."""


def _lock_hold(hold_id: int) -> tuple[LockedCase, Hold]:
    case = lock_case(Hold.objects.values_list("enrollment_id", flat=True).get(pk=hold_id))
    hold = Hold.objects.get(pk=hold_id)
    if hold.released_at is not None:
        raise HoldNotOpen(f"This hold was released by {hold.released_by}: {hold.release_reason}")
    return case, hold


def end_hold(case: LockedCase, hold: Hold, *, by: Actor, at: datetime, reason: str) -> None:
    hold.released_at = at
    hold.released_by = str(by)
    hold.release_reason = reason
    hold.save()
    _keep(case.enrollment, _UNDECIDED)
