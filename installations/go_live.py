"""Rules for go-live reports, contract dates and the buyer's cancellation period. Pure functions."""

from collections.abc import Collection
from datetime import date, datetime

from core.dates import latest_after_business_days, long_date
from installations.models import GoLiveSource, HardwareKind
from installations.states import GoLiveReportStatus

MIN_CONTRACT_DATE = date(2010, 1, 1)
PLAUSIBLE_DEVICE_YEARS = range(2000, 2200)


DAYS_TO_CANCEL_SALE = 5
"""Business days. Source: Occupations Code chapter 1806; domain notes, section 6."""
DAYS_TO_CANCEL_SINCE = date(2025, 9, 1)
"""Contracts signed earlier have no days to cancel. Source: SB 1036; domain notes, section 6."""


def embargo_end_date(*, kind: str, contract_signed_date: date, cancelable_kinds: Collection[str]) -> date | None:
    """
    Return the last day on which the buyer may cancel, or `None` if the sale has no cancellation period.

    The law names no calendar of business days, so the latest result over all calendars protects the buyer. The company
    decides which hardware the law covers besides solar: `cancelable_kinds`.
    """
    if kind not in cancelable_kinds or contract_signed_date < DAYS_TO_CANCEL_SINCE:
        return None
    return latest_after_business_days(contract_signed_date, DAYS_TO_CANCEL_SALE)


def contract_date_problems(contract_signed_date: date, *, today: date) -> tuple[str, ...]:
    if contract_signed_date > today:
        return (f"The contract cannot have been signed after today, {long_date(today)}.",)
    if contract_signed_date < MIN_CONTRACT_DATE:
        return (f"{long_date(contract_signed_date)} is too long ago. Check the year.",)
    return ()


def scheduled_date_problems(scheduled_date: date, *, contract_signed_date: date) -> tuple[str, ...]:
    if scheduled_date < contract_signed_date:
        return (f"The work cannot be scheduled before the contract was signed on {long_date(contract_signed_date)}.",)
    if (scheduled_date - contract_signed_date).days > 366 * 5:
        return (f"{long_date(scheduled_date)} is too far ahead. Check the year.",)
    return ()


def granted_date_problems(granted_date: date, *, today: date, contract_signed_date: date) -> tuple[str, ...]:
    """List what is wrong with a go-live date. `today` is the Chicago day."""
    if granted_date > today:
        problem = (
            f"{long_date(granted_date)} is in the future; today is {long_date(today)}. "
            "Enter the date on the utility's letter, or the day of commissioning."
        )
        return (problem,)
    if granted_date < contract_signed_date:
        problem = (
            f"{long_date(granted_date)} is before the contract was signed on {long_date(contract_signed_date)}. "
            "Check the day and the year."
        )
        return (problem,)
    return ()


def source_problems(source: str, *, kind: str) -> tuple[str, ...]:
    """Only an EV charger goes live by commissioning on site. Everything else needs the utility's permission."""
    if source not in GoLiveSource.values:
        return (f"Choose how this is known. One of: {', '.join(GoLiveSource.values)}.",)
    if source == GoLiveSource.ON_SITE and kind != HardwareKind.EV_CHARGER:
        return ("Solar and batteries need the utility's permission: choose how the utility gave it.",)
    return ()


def reference_problems(utility_reference: str, *, source: str) -> tuple[str, ...]:
    if source != GoLiveSource.ON_SITE and not utility_reference.strip():
        return ("Enter the utility's reference: the application or case number in the letter, portal or e-mail.",)
    return ()


def first_report_status(*, has_proof: bool, confirmation: str, by_office: bool) -> GoLiveReportStatus:
    """
    Return whether a new report counts at once or waits for the office.

    `confirmation` is the setting: WITHOUT_PROOF, ALWAYS or NEVER. A report by the office with proof always counts,
    because nobody else in the office would see more than its reporter.
    """
    is_enough = has_proof and (by_office or confirmation == "WITHOUT_PROOF")
    if confirmation == "NEVER" or is_enough:
        return GoLiveReportStatus.COUNTED
    return GoLiveReportStatus.AWAITING_OFFICE


def plausible_device_time(device_at: datetime | None) -> datetime | None:
    """Return the time unless its year is absurd, which could not even be converted to another time zone."""
    return device_at if device_at is not None and device_at.year in PLAUSIBLE_DEVICE_YEARS else None
