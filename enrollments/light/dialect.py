"""
The undocumented details of Light's API, as one value with a guess for each open question.

Source: light-api notes, section 8. Every row there that needs a choice on our side is a field here. `dialect_settings`
builds a dialect from the operator's settings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from enrollments.light.webhook_signatures import WebhookScheme

READY_STATUS = "enrollment_pending_client_agent"
FROZEN_STATUS = "credit_check_frozen"

RATE_KINDS = ("FIXED", "VARIABLE", "INDEXED")
"""The kinds of rate that a customer can sign for. Source: domain notes, on the power of attorney's limits."""


class TokenKind(Enum):
    """Which of Light's two tokens a call carries."""

    APP = "app"
    ACCOUNT = "account"


class AccountSearch(Enum):
    """How accounts are searched: Light filters by e-mail, or we read the whole list."""

    EMAIL = "email"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One consistent set of guesses about Light."""

    finalize_path: str = "/v1/account/enroll/finalize"
    finalize_token: TokenKind = TokenKind.ACCOUNT
    update_account_path: str = "/v1/app/accounts/{account_uuid}"
    status_lookup: tuple[str, ...] = ("enrollment.status", "status", "enrollment_status", "enrollment.state")
    known_statuses: tuple[str, ...] = (
        READY_STATUS,
        FROZEN_STATUS,
        "enrollment_started",
        "credit_check_pending",
        "plan_accepted",
        "enrollment_finalized",
        "service_active",
    )
    canceled_statuses: tuple[str, ...] = ("service_canceled",)
    rate_kind_lookup: tuple[str, ...] = ("rate_structure", "plan_type")
    rate_kind_spellings: tuple[tuple[str, str], ...] = tuple(
        (spelling, kind) for kind in RATE_KINDS for spelling in (kind, f"{kind}_RATE")
    )
    already_recorded_statuses: tuple[int, ...] = (409,)
    phone_field: str | None = "phone_number"
    birth_date_field: str | None = "date_of_birth"
    account_search: AccountSearch = AccountSearch.EMAIL
    page_size: int = 100
    webhook: WebhookScheme = field(default_factory=WebhookScheme)


def normalize_word(text: str) -> str:
    """Return a value of Light's as the dialect spells it: upper case, with underscores."""
    return re.sub(r"[\s_-]+", "_", text.strip().upper())
