"""
How long a record is kept. Pure functions over days; the numbers come from `enrollments.models.RetentionRule`.

The longest term wins. A record whose term cannot be determined is kept. Source: domain notes, section 9.
"""

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from core.dates import short_date
from core.labeled_enums import Choices


class RecordClass(Choices):
    """What is kept and destroyed together. Photos and letters that prove PTO belong to their case."""

    UNSIGNED = "UNSIGNED", "Request that was declined, expired, voided or never sent"
    CASE = "CASE", "Case with a signed authority: document, consents, offers, proofs, evidence"


class RetentionClock(Choices):
    """The day on which a rule's term starts."""

    REQUEST_END = "REQUEST_END", "from the day on which the request ended"
    ENROLLMENT = "ENROLLMENT", "from the enrollment"
    CONTRACT_END = "CONTRACT_END", "from the end of the contract"


@dataclass(frozen=True)
class Rule:
    """Keep for `months` after the clock's day. In force from `effective_from` until another rule replaces it."""

    record_class: str
    clock: str
    months: int
    effective_from: date


@dataclass(frozen=True)
class Term:
    """The last day on which a record is kept, and why. Without a day it is kept permanently."""

    until: date | None
    because: str


def rules_in_force(rules: Iterable[Rule], record_class: RecordClass, *, today: date) -> list[Rule]:
    """Return the newest rule in force for each clock."""
    newest: dict[str, Rule] = {}
    for rule in sorted(rules, key=lambda each: each.effective_from):
        if rule.record_class == record_class and rule.effective_from <= today:
            newest[rule.clock] = rule
    return [newest[clock] for clock in sorted(newest)]


def keep_until(rules: Iterable[Rule], clocks: Mapping[str, date | None]) -> Term:
    """
    Return the longest term. If a clock's day is unknown, or no rule applies, the record is kept.

    `clocks` has the day of each clock that applies to the record, or None if that day is unknown.
    """
    terms = []
    for rule in rules:
        if rule.clock not in clocks:
            continue
        day = clocks[rule.clock]
        words = f"{rule.months} months {RetentionClock(rule.clock).label}"
        if day is None:
            return Term(None, f"{words}: the day is unknown")
        terms.append((add_months(day, rule.months), f"{words} ({short_date(day)})"))
    if not terms:
        return Term(None, "no rule applies")
    return Term(max(until for until, _ in terms), "; ".join(words for _, words in terms))


def add_months(day: date, months: int) -> date:
    """Return the same day `months` later, or the last day of that month if it is shorter."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
