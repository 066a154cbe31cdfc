"""Pairs of dialects that fit together: how the stand-in for Light speaks, and how the client understands it."""

from __future__ import annotations

from dataclasses import dataclass

import simulator.dialect as simulated
from enrollments.light.dialect import Dialect, TokenKind
from enrollments.light.signatures import Algorithm, Prefix, SignedText, WebhookScheme


@dataclass(frozen=True)
class DialectPair:
    """One way in which Light may turn out to speak, from both ends."""

    name: str
    client: Dialect
    simulator: simulated.Dialect
    client_environment: dict[str, str]


REFERENCE = DialectPair(name="reference", client=Dialect(), simulator=simulated.REFERENCE, client_environment={})

ALTERNATE = DialectPair(
    name="alternate",
    client=Dialect(
        finalize_path="/v1/app/accounts/{account_uuid}/enroll/finalize",
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
        birth_date_field="dob",
        webhook=WebhookScheme(
            algorithm=Algorithm.SHA512,
            prefix=Prefix.LIST,
            signed_text=SignedText.TIMESTAMP_AND_BODY,
            header="Light-Signature",
        ),
    ),
    simulator=simulated.ALTERNATE,
    client_environment={
        "LIGHT_DIALECT_FINALIZE_PATH": "/v1/app/accounts/{account_uuid}/enroll/finalize",
        "LIGHT_DIALECT_FINALIZE_TOKEN": "app",
        "LIGHT_DIALECT_STATUS_LOOKUP": "enrollment_status",
        "LIGHT_DIALECT_KNOWN_STATUSES": (
            "enrollment_pending_client_agent,credit_check_frozen,collecting_information,credit_review,"
            "awaiting_finalization,switch_scheduled,flowing"
        ),
        "LIGHT_DIALECT_PHONE_FIELD": "phone",
        "LIGHT_DIALECT_BIRTH_DATE_FIELD": "dob",
        "LIGHT_DIALECT_WEBHOOK_ALGORITHM": "sha512",
        "LIGHT_DIALECT_WEBHOOK_PREFIX": "list",
        "LIGHT_DIALECT_WEBHOOK_SIGNED_TEXT": "timestamp.body",
        "LIGHT_DIALECT_WEBHOOK_HEADER": "Light-Signature",
    },
)

DIALECT_PAIRS = (REFERENCE, ALTERNATE)
