"""Legal holds: a case is not destroyed while its evidence may be needed."""

from datetime import datetime

from core.actors import Actor
from core.dates import short_date
from core.errors import Conflict, check_reason
from core.transactions import repeatable
from enrollments.actions.moves import note
from enrollments.engine.locked_case import lock_case
from enrollments.models import LegalHold, LegalHoldKind


class AlreadyOnLegalHold(Conflict):
    """The case is already on legal hold."""


class NotOnLegalHold(Conflict):
    """The case is not on legal hold."""


@repeatable
def place_legal_hold(
    *, enrollment_id: int, kind: LegalHoldKind | str, reason: str, by: Actor, at: datetime
) -> LegalHold:
    """
    Keep all records of a case until the hold is lifted, regardless of their age.

    :raises ReasonMissing: no reason given
    :raises AlreadyOnLegalHold: there is one already
    """
    reason = check_reason(
        reason, ask="Say who asked for it and why, so that the next person knows when it can be lifted."
    )
    case = lock_case(enrollment_id)
    enrollment = case.enrollment
    existing = open_legal_hold(enrollment_id)
    if existing is not None:
        raise AlreadyOnLegalHold(
            f"This case has been on legal hold since {short_date(existing.placed_at)}: {existing.reason}"
        )
    hold = LegalHold.objects.create(
        enrollment=enrollment, kind=LegalHoldKind(kind), reason=reason, placed_at=at, placed_by=str(by)
    )
    note(case, "place_legal_hold", by=by, at=at, reason=f"{hold.get_kind_display()}: {hold.reason}")
    return hold


@repeatable
def lift_legal_hold(*, enrollment_id: int, reason: str, by: Actor, at: datetime) -> LegalHold:
    """
    Apply the retention rules to the case again.

    :raises ReasonMissing: no reason given
    :raises NotOnLegalHold: it has been lifted since
    """
    reason = check_reason(reason, ask="Say who decided that the evidence is no longer needed.")
    case = lock_case(enrollment_id)
    hold = open_legal_hold(enrollment_id)
    if hold is None:
        raise NotOnLegalHold("This case is no longer on legal hold.")
    hold.lifted_at, hold.lifted_by, hold.lift_reason = at, str(by), reason
    hold.save()
    note(case, "lift_legal_hold", by=by, at=at, reason=hold.lift_reason)
    return hold


def open_legal_hold(enrollment_id: int) -> LegalHold | None:
    return LegalHold.objects.filter(enrollment_id=enrollment_id, lifted_at__isnull=True).first()
