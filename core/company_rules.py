"""
The company's rules: which apply now, which applied at a moment, and deciding new ones.

Every reader asks here. Rows are kept in memory for some seconds, so a page or a turn of the engine costs no statement
of its own, and a change is in effect everywhere within those seconds. Until the first decision sample values apply;
production drafts no power of attorney with them.
"""

import threading
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction

from core import clock
from core.actors import SYSTEM, Actor
from core.dates import chicago_day, chicago_midnight
from core.errors import InvalidInput
from core.models import CompanyRules
from core.transactions import repeatable

MEMORY_SECONDS = 5.0
SAMPLE_SINCE = datetime(2000, 1, 1, tzinfo=UTC)
SAMPLE = {
    "name": "Lone Star Home Energy",
    "contact": "(512) 555-0100, help@example.com",
    "broker_number": "BR000000",
}
"""Values that production must not show to customers."""


class RulesNotPossible(InvalidInput):
    """The rules cannot be decided like this."""


class _Memory:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rows: tuple[CompanyRules, ...] = ()
        self.until = 0.0


_memory = _Memory()


def current_rules() -> CompanyRules:
    return rules_at(clock.now())


def rules_at(moment: datetime) -> CompanyRules:
    """Return the rules that were, are or will be in effect: the row that came into effect last, of two the newer."""
    return next((row for row in _rows() if row.effective_from <= moment), None) or sample_rules()


def scheduled_rules(*, after: datetime) -> list[CompanyRules]:
    """Return the rules that come into effect later, the first one first."""
    return [row for row in reversed(_rows()) if row.effective_from > after]


def sample_rules() -> CompanyRules:
    """Return the rules until the first decision; they are not stored."""
    values = {**SAMPLE, **settings.SAMPLE_COMPANY_RULES}
    return CompanyRules(
        **values,
        effective_from=SAMPLE_SINCE,
        decided_by=str(SYSTEM),
        decided_at=SAMPLE_SINCE,
        reason="Sample values, until the first decision.",
    )


def sample_values_left(rules: CompanyRules) -> list[str]:
    """Name the fields that still say what the sample says."""
    return [
        str(CompanyRules._meta.get_field(name).verbose_name)  # type: ignore[union-attr]  # all are columns
        for name, value in SAMPLE.items()
        if getattr(rules, name) == value
    ]


@repeatable
def decide_company_rules(
    *, values: Mapping[str, Any], effective_from_date: date, reason: str, by: Actor, at: datetime
) -> CompanyRules:
    """
    Add rules that apply from a Chicago day on; from today means from now on. Values left out stay as they are.

    The first decision also stores the sample values that applied until then.

    :raises RulesNotPossible: the day is past, no reason, or a value cannot be used
    """
    problems: dict[str, list[str]] = {}
    today = chicago_day(at)
    if effective_from_date < today:
        problems["effective_from_date"] = ["Rules begin today at the earliest."]
    if not reason.strip():
        problems["reason"] = ["Type why."]
    in_effect = rules_at(at)
    rules = CompanyRules(
        **{name: values.get(name, getattr(in_effect, name)) for name in RULE_FIELDS},
        effective_from=max(at, chicago_midnight(effective_from_date)),
        decided_by=str(by),
        decided_at=at,
        reason=reason.strip(),
    )
    try:
        rules.full_clean()
    except ValidationError as wrong:
        problems = {**wrong.message_dict, **problems}
        if NON_FIELD_ERRORS in problems:  # the one rule about two fields
            problems["reminder_until_hour"] = problems.pop(NON_FIELD_ERRORS)
    if problems:
        raise RulesNotPossible(problems)
    if not CompanyRules.objects.exists():
        sample_rules().save()
    rules.save()
    transaction.on_commit(forget)
    return rules


RULE_FIELDS = tuple(
    field.name
    for field in CompanyRules._meta.concrete_fields
    if field.name not in {"id", "public_id", "effective_from", "decided_by", "decided_at", "reason"}
)


def forget() -> None:
    """Read the rules again when they are asked for next."""
    _memory.until = 0.0


def _rows() -> tuple[CompanyRules, ...]:
    """Return all rows, the last one to come into effect first. There are a few a year."""
    if time.monotonic() >= _memory.until:
        with _memory.lock:
            if time.monotonic() >= _memory.until:
                _memory.rows = tuple(CompanyRules.objects.all())
                _memory.until = time.monotonic() + MEMORY_SECONDS
    return _memory.rows
