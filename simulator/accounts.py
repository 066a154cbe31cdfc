"""An account, and the status derived from its data."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from simulator.dialect import Dialect
from simulator.meters import Meter
from simulator.pricing import PricedPlan
from simulator.scenarios import Scenario

__all__ = ["Acceptance", "Account", "Card", "CreditCheck", "has_started", "is_ready", "missing_steps", "shown_status"]


class CreditCheck(StrEnum):
    NOT_STARTED = "NOT_STARTED"
    PENDING = "PENDING"
    PASSED = "PASSED"
    FROZEN = "FROZEN"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Card:
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    postal_code: str


@dataclass
class Acceptance:
    plan: PricedPlan
    meter: Meter
    service_start_date: date
    accepted_at: datetime
    accepted_monotonic: float
    location_uuid: str
    by_customer: bool


@dataclass
class Account:
    uuid: str
    app_uuid: str
    email: str
    created_at: datetime
    scenario: Scenario
    account_number: str
    first_name: str | None = None
    last_name: str | None = None
    phone_number: str | None = None
    birth_date: str | None = None
    preliminary_address: Any = None

    meter: Meter | None = None
    """The service address the customer confirmed."""
    is_identity_verified: bool = False
    credit: CreditCheck = CreditCheck.NOT_STARTED
    credit_settles_at: datetime | None = None
    card: Card | None = None
    billing_address: dict[str, object] | None = None
    is_billing_same_as_service: bool = True

    client_agent_accepted_at: datetime | None = None
    acceptance: Acceptance | None = None
    finalized_at: datetime | None = None
    is_service_active: bool = False
    canceled_at: datetime | None = None
    final_service_date: date | None = None
    opt_out_at: datetime | None = None
    is_answer_to_accept_lost: bool = False
    status_override: str | None = None
    plans: dict[str, PricedPlan] = field(default_factory=dict)

    @property
    def is_client_agent_recorded(self) -> bool:
        return self.client_agent_accepted_at is not None


def missing_steps(account: Account) -> list[str]:
    """Return the steps that the customer has not done yet."""
    steps = {
        "address": account.meter is not None,
        "identity": account.is_identity_verified,
        "credit check": account.credit is CreditCheck.PASSED,
        "payment method": account.card is not None,
    }
    return [name for name, is_done in steps.items() if not is_done]


def is_ready(account: Account, dialect: Dialect) -> bool:
    has_authority = account.is_client_agent_recorded or not dialect.pending_needs_poa
    return not missing_steps(account) and has_authority


def has_started(account: Account) -> bool:
    return any([account.meter, account.is_identity_verified, account.card, account.billing_address, account.acceptance])


def shown_status(account: Account, dialect: Dialect, *, shows_acceptance: bool) -> str:
    """
    Return the status of an account. With `shows_acceptance` false, as a lagging read would still show it.

    Only the two public names are the same in every dialect and scenario.
    """
    if account.status_override is not None:
        return account.status_override
    status = _status(account, dialect, shows_acceptance=shows_acceptance)
    if account.scenario.has("strange"):
        return _STRANGE.get(status, status)
    if dialect.status_names == "made_up":
        return _MADE_UP.get(status, status)
    return status


def _status(account: Account, dialect: Dialect, *, shows_acceptance: bool) -> str:
    if account.acceptance is not None and shows_acceptance:
        return _status_after_acceptance(account)
    if account.credit is CreditCheck.FROZEN:
        return "credit_check_frozen"
    if account.credit is CreditCheck.FAILED:
        return "credit_check_failed"
    if account.credit is CreditCheck.PENDING:
        return "credit_check_pending"
    return "enrollment_pending_client_agent" if is_ready(account, dialect) else "enrollment_started"


def _status_after_acceptance(account: Account) -> str:
    if account.canceled_at is not None:
        return "service_canceled"
    if account.is_service_active:
        return "service_active"
    return "enrollment_finalized" if account.finalized_at is not None else "plan_accepted"


_MADE_UP = {
    "enrollment_started": "collecting_information",
    "credit_check_pending": "credit_review",
    "credit_check_failed": "credit_declined",
    "plan_accepted": "awaiting_finalization",
    "enrollment_finalized": "switch_scheduled",
    "service_active": "flowing",
    "service_canceled": "closed",
}

_STRANGE = {
    "enrollment_started": "waiting_for_the_bluebonnets",
    "credit_check_pending": "credit_check_phase_2b",
    "credit_check_failed": "credit_check_outcome_7",
    "plan_accepted": "plan_in_orbit",
    "enrollment_finalized": "ready_for_takeoff",
    "service_active": "electrons_moving",
    "service_canceled": "electrons_resting",
}
