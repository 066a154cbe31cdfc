"""How long records are kept: the longest rule wins, the newest rule counts, and an unknown end means kept."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrollments.retention_terms import RecordClass, RetentionClock, Rule, add_months, keep_until, rules_in_force

CASE = RecordClass.CASE
RULES = (
    Rule(CASE, RetentionClock.ENROLLMENT, 24, date(2026, 1, 1)),
    Rule(CASE, RetentionClock.CONTRACT_END, 48, date(2026, 1, 1)),
    Rule(RecordClass.UNSIGNED, RetentionClock.REQUEST_END, 12, date(2026, 1, 1)),
)
days = st.dates(date(2020, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2026, 3, 14), 48, date(2030, 3, 14)),
        (date(2026, 3, 14), 0, date(2026, 3, 14)),
    ],
)
def test_months_follow_the_calendar(day: date, months: int, expected: date) -> None:
    assert add_months(day, months) == expected


@given(enrolled=days, contract_end=days)
def test_longest_rule_wins(enrolled: date, contract_end: date) -> None:
    rules = rules_in_force(RULES, CASE, today=date(2041, 1, 1))

    term = keep_until(rules, {RetentionClock.ENROLLMENT: enrolled, RetentionClock.CONTRACT_END: contract_end})

    assert term.until == max(add_months(enrolled, 24), add_months(contract_end, 48))


@pytest.mark.parametrize(
    "clocks", [{}, {RetentionClock.ENROLLMENT: date(2026, 1, 1), RetentionClock.CONTRACT_END: None}]
)
def test_case_without_a_known_end_is_kept(clocks: dict[str, date | None]) -> None:
    assert keep_until(rules_in_force(RULES, CASE, today=date(2041, 1, 1)), clocks).until is None


def test_later_rule_counts_from_its_date() -> None:
    change = date(2030, 6, 1)
    rules = (*RULES, Rule(CASE, RetentionClock.ENROLLMENT, 60, change))

    before = rules_in_force(rules, CASE, today=change - timedelta(days=1))
    after = rules_in_force(rules, CASE, today=change)

    assert {rule.clock: rule.months for rule in before}[RetentionClock.ENROLLMENT] == 24
    assert {rule.clock: rule.months for rule in after}[RetentionClock.ENROLLMENT] == 60


def test_nothing_ends_before_a_rule_is_in_effect() -> None:
    assert rules_in_force(RULES, CASE, today=date(2025, 12, 31)) == []
