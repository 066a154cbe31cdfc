"""The rules of go-live dates, and of the buyer's cancellation days."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installations.go_live import (
    contract_date_problems,
    embargo_end_date,
    first_report_status,
    granted_date_problems,
    reference_problems,
    scheduled_date_problems,
    source_problems,
)

SOLAR_ALONE = frozenset({"SOLAR"})
TODAY = date(2026, 11, 20)
DAYS = st.dates(min_value=date(2024, 1, 1), max_value=date(2028, 12, 31))


def test_thanksgiving_solar_sale_may_be_canceled_until_monday() -> None:
    assert embargo_end_date(
        kind="SOLAR", contract_signed_date=date(2026, 11, 19), cancelable_kinds=SOLAR_ALONE
    ) == date(2026, 11, 30)


@pytest.mark.parametrize(("kind", "signed"), [("BATTERY", TODAY), ("EV_CHARGER", TODAY), ("SOLAR", date(2025, 8, 31))])
def test_other_hardware_and_older_contracts_are_not_cancelable(kind: str, signed: date) -> None:
    assert embargo_end_date(kind=kind, contract_signed_date=signed, cancelable_kinds=SOLAR_ALONE) is None


def test_first_contract_under_the_law_is_cancelable() -> None:
    assert (
        embargo_end_date(kind="SOLAR", contract_signed_date=date(2025, 9, 1), cancelable_kinds=SOLAR_ALONE) is not None
    )


@given(granted=DAYS, today=DAYS, signed=DAYS)
def test_go_live_date_must_be_between_contract_and_today(granted: date, today: date, signed: date) -> None:
    problems = granted_date_problems(granted, today=today, contract_signed_date=signed)

    assert (not problems) == (signed <= granted <= today)


@pytest.mark.parametrize(
    ("signed", "is_taken"),
    [(TODAY, True), (TODAY + timedelta(days=1), False), (date(1926, 11, 20), False), (date(2024, 1, 1), True)],
)
def test_contract_date_must_be_past_and_plausible(signed: date, is_taken: bool) -> None:  # noqa: FBT001
    assert (not contract_date_problems(signed, today=TODAY)) is is_taken


@pytest.mark.parametrize(
    ("day", "is_taken"), [(TODAY, True), (TODAY - timedelta(days=1), False), (date(2126, 11, 20), False)]
)
def test_work_date_must_follow_its_contract_and_be_plausible(day: date, is_taken: bool) -> None:  # noqa: FBT001
    assert (not scheduled_date_problems(day, contract_signed_date=TODAY)) is is_taken


def test_only_a_charger_is_commissioned_on_site() -> None:
    assert source_problems("ON_SITE", kind="EV_CHARGER") == ()
    assert "utility's permission" in source_problems("ON_SITE", kind="SOLAR")[0]
    assert "utility's permission" in source_problems("ON_SITE", kind="BATTERY")[0]


@pytest.mark.parametrize("source", ["LETTER", "PORTAL", "E_MAIL", "CALL"])
def test_utility_permission_needs_its_reference(source: str) -> None:
    assert reference_problems("  ", source=source) != ()
    assert reference_problems("DG-1", source=source) == ()


@pytest.mark.parametrize("confirmation", ["ALWAYS", "WITHOUT_PROOF", "NEVER"])
def test_office_report_with_proof_needs_no_confirmation(confirmation: str) -> None:
    status = first_report_status(has_proof=True, confirmation=confirmation, by_office=True)

    assert status == "COUNTED"


@pytest.mark.parametrize(
    ("confirmation", "expected"),
    [("ALWAYS", "AWAITING_OFFICE"), ("WITHOUT_PROOF", "AWAITING_OFFICE"), ("NEVER", "COUNTED")],
)
def test_office_report_without_proof_needs_another_person(confirmation: str, expected: str) -> None:
    assert first_report_status(has_proof=False, confirmation=confirmation, by_office=True) == expected
