"""How long each kind of record is kept, and from which day each rule applies."""

from datetime import date, datetime

from core.actors import Actor
from core.dates import chicago_day
from core.errors import InvalidInput
from core.transactions import repeatable
from enrollments.models import RetentionRule
from enrollments.retention_terms import RecordClass, RetentionClock


class RuleNotPossible(InvalidInput):
    """The rule would change the past, or exists already."""

    field = "effective_from_date"


@repeatable
def decide_retention_rule(
    *, record_class: str, clock: str, months: int, effective_from_date: date, source: str, by: Actor, at: datetime
) -> RetentionRule:
    """
    Set how long one kind of record is kept from a given day on. The previous rule stays on record.

    :raises RuleNotPossible: the day is in the past, or that day has a rule already
    """
    if effective_from_date < chicago_day(at):
        raise RuleNotPossible("A rule can start today at the earliest.")
    rule, is_new = RetentionRule.objects.get_or_create(
        record_class=RecordClass(record_class),
        clock=RetentionClock(clock),
        effective_from_date=effective_from_date,
        defaults={"months": months, "source": source.strip(), "decided_by": str(by), "decided_at": at},
    )
    if not is_new:
        raise RuleNotPossible(f"There is a rule for that day already: {rule}. Choose a later day.")
    return rule
