"""
How long a record is kept: pure functions over days. The numbers come from `enrollments.models.RetentionRule`.

Longest wins, and what cannot be worked out is kept. Source: domain notes, section 9.
"""

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from core.choices import Choices


class RecordClass(Choices):
    """What is kept and destroyed as one. Photos and letters in proof of PTO belong to their case."""

    UNSIGNED = "UNSIGNED", "Request that was declined, expired, voided or never sent"
    CASE = "CASE", "Case with a signed authority: document, consents, offers, proofs, evidence"


class RetentionClock(Choices):
    """The day from which a rule counts."""

    REQUEST_END = "REQUEST_END", "from the day on which the request ended"
    ENROLLMENT = "ENROLLMENT", "from the enrollment"
    CONTRACT_END = "CONTRACT_END", "from the end of the contract"


@dataclass(frozen=True)
class Rule:
    """So many months after a clock's day, from a day on until another rule takes its place."""

    record_class: str
    clock: str
    months: int
    effective_from: date


@dataclass(frozen=True)
class Term:
    """Until when something is kept, inclusive, and how that came about; without a day it is kept for good."""

    until: date | None
    because: str


def rules_in_force(rules: Iterable[Rule], record_class: RecordClass, *, today: date) -> list[Rule]:
    """Give the newest rule of each clock that is in effect."""
    newest: dict[str, Rule] = {}
    for rule in sorted(rules, key=lambda each: each.effective_from):
        if rule.record_class == record_class and rule.effective_from <= today:
            newest[rule.clock] = rule
    return [newest[clock] for clock in sorted(newest)]


def keep_until(rules: Iterable[Rule], clocks: Mapping[str, date | None]) -> Term:
    """
    Give the longest term over the rules. A clock whose day is unknown, or no rule at all, keeps the record.

    `clocks` holds the day of each clock that concerns the record; a clock that is not in it does not.
    """
    terms = []
    for rule in rules:
        if rule.clock not in clocks:
            continue
        day = clocks[rule.clock]
        words = f"{rule.months} months {RetentionClock(rule.clock).label}"
        if day is None:
            return Term(None, f"{words}: that day is not known")
        terms.append((add_months(day, rule.months), f"{words} ({day})"))
    if not terms:
        return Term(None, "no rule says how long")
    return Term(max(until for until, _ in terms), "; ".join(words for _, words in terms))


def add_months(day: date, months: int) -> date:
    """Give the same day so many months on, or that month's last day where it is shorter."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
