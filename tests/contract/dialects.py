"""Matching pairs of dialects: how the simulator speaks, and how the client reads it."""

from __future__ import annotations

from dataclasses import dataclass

import simulator.dialect as simulated
from enrollments.light.dialect import AccountSearch, Dialect, TokenKind
from enrollments.light.webhook_signatures import Algorithm, Prefix, SignedText, WebhookScheme


@dataclass(frozen=True)
class DialectPair:
    """One dialect Light may turn out to use, from both ends."""

    name: str
    client: Dialect
    simulator: simulated.Dialect


REFERENCE = DialectPair(
    name="reference",
    client=Dialect(),
    simulator=simulated.REFERENCE,
)

ALTERNATE = DialectPair(
    name="alternate",
    client=Dialect(
        finalize_path="/v1/app/accounts/{account_uuid}/enroll/finalize",
        update_account_path="/v1/app/accounts/{account_uuid}/contact",
        finalize_token=TokenKind.APP,
        status_lookup=("enrollment_status",),
        known_statuses=(
            "enrollment_pending_client_agent",
            "credit_check_frozen",
            "collecting_information",
            "credit_review",
            "awaiting_finalization",
            "switch_scheduled",
            "flowing",
        ),
        phone_field="phone",
        account_search=AccountSearch.ALL,
        birth_date_field="dob",
        webhook=WebhookScheme(
            algorithm=Algorithm.SHA512,
            prefix=Prefix.LIST,
            signed_text=SignedText.TIMESTAMP_AND_BODY,
            header="Light-Signature",
        ),
    ),
    simulator=simulated.ALTERNATE,
)

DIALECT_PAIRS = (REFERENCE, ALTERNATE)
