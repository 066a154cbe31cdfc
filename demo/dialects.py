"""
How Switchyard is told which of the stand-in's dialects Light speaks.

One set of environment variables per dialect of `simulator.dialect`; `docs/simulator.md` shows the same set.
"""

from collections.abc import Mapping

CLIENT_ENVIRONMENTS: Mapping[str, Mapping[str, str]] = {
    "reference": {},
    "alternate": {
        "LIGHT_DIALECT_FINALIZE_PATH": "/v1/app/accounts/{account_uuid}/enroll/finalize",
        "LIGHT_DIALECT_UPDATE_ACCOUNT_PATH": "/v1/app/accounts/{account_uuid}/contact",
        "LIGHT_DIALECT_FINALIZE_TOKEN": "app",
        "LIGHT_DIALECT_STATUS_LOOKUP": "enrollment_status",
        "LIGHT_DIALECT_KNOWN_STATUSES": (
            "enrollment_pending_client_agent,credit_check_frozen,collecting_information,credit_review,"
            "awaiting_finalization,switch_scheduled,flowing"
        ),
        "LIGHT_DIALECT_PHONE_FIELD": "phone",
        "LIGHT_DIALECT_BIRTH_DATE_FIELD": "dob",
        "LIGHT_DIALECT_ACCOUNT_SEARCH": "all",
        "LIGHT_DIALECT_WEBHOOK_ALGORITHM": "sha512",
        "LIGHT_DIALECT_WEBHOOK_PREFIX": "list",
        "LIGHT_DIALECT_WEBHOOK_SIGNED_TEXT": "timestamp.body",
        "LIGHT_DIALECT_WEBHOOK_HEADER": "Light-Signature",
    },
}
