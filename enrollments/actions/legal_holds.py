"""How long records are kept, and keeping a case from being destroyed while somebody may need its evidence."""

from datetime import date, datetime

from core.actors import Actor
from core.dates import chicago_day
from core.transactions import repeatable
from enrollments.actions.holds import ReasonMissing
from enrollments.actions.moves import lock, note
from enrollments.models import LegalHold, LegalHoldKind, RetentionRule
from enrollments.retention import RecordClass, RetentionClock


class LegalHoldStands(Exception):
    """The case is on legal hold already; one is enough."""


class NoLegalHold(Exception):
    """The case is not on legal hold."""


@repeatable
def place_legal_hold(
    *, enrollment_id: int, kind: LegalHoldKind | str, reason: str, by: Actor, at: datetime
) -> LegalHold:
    """
    Keep everything of a case until the hold is lifted, however old it is.

    :raises ReasonMissing: no reason given
    :raises LegalHoldStands: there is one already
    """
    if not reason.strip():
        raise ReasonMissing("Say who asked for it and about what, so that the next person knows when it may be lifted.")
    enrollment = lock(enrollment_id)
    standing = open_legal_hold(enrollment_id)
    if standing is not None:
        raise LegalHoldStands(f"This case is on hold already since {standing.placed_at:%Y-%m-%d}: {standing.reason}")
    hold = LegalHold.objects.create(
        enrollment=enrollment, kind=LegalHoldKind(kind), reason=reason.strip(), placed_at=at, placed_by=str(by)
    )
    note(enrollment, "place_legal_hold", by=by, at=at, reason=f"{hold.get_kind_display()}: {hold.reason}")
    return hold


@repeatable
def lift_legal_hold(*, enrollment_id: int, reason: str, by: Actor, at: datetime) -> LegalHold:
    """
    Let the case go the way of all cases again.

    :raises ReasonMissing: no reason given
    :raises NoLegalHold: it was lifted meanwhile
    """
    if not reason.strip():
        raise ReasonMissing("Say who decided that the evidence is no longer needed.")
    enrollment = lock(enrollment_id)
    hold = open_legal_hold(enrollment_id)
    if hold is None:
        raise NoLegalHold("This case is not on legal hold any more.")
    hold.lifted_at, hold.lifted_by, hold.lift_reason = at, str(by), reason.strip()
    hold.save()
    note(enrollment, "lift_legal_hold", by=by, at=at, reason=hold.lift_reason)
    return hold


def open_legal_hold(enrollment_id: int) -> LegalHold | None:
    return LegalHold.objects.filter(enrollment_id=enrollment_id, lifted_at__isnull=True).first()


class RuleNotPossible(Exception):
    """The rule would rewrite the past, or stands already."""


@repeatable
def decide_retention_rule(
    *, record_class: str, clock: str, months: int, effective_from_date: date, source: str, by: Actor, at: datetime
) -> RetentionRule:
    """
    Set how long one kind of record is kept, from a day on; the rule before stays on record.

    :raises RuleNotPossible: the day is past, or that day has a rule already
    """
    if effective_from_date < chicago_day(at):
        raise RuleNotPossible("A rule begins today at the earliest.")
    rule, is_new = RetentionRule.objects.get_or_create(
        record_class=RecordClass(record_class),
        clock=RetentionClock(clock),
        effective_from_date=effective_from_date,
        defaults={"months": months, "source": source.strip(), "decided_by": str(by), "decided_at": at},
    )
    if not is_new:
        raise RuleNotPossible(f"There is a rule for that day already: {rule}. Choose a later day.")
    return rule
