"""
Every open question about Light's API as a setting.

Each field answers a row of section 8 of the notes on Light's API. `REFERENCE` has the answers that the notes assume.
`ALTERNATE` has the other answer wherever a correctly configured client can still complete an enrollment.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

__all__ = ["ALTERNATE", "DIALECTS", "REFERENCE", "Dialect", "WrongDialect", "changed_dialect", "dialect_as_json"]


class WrongDialect(ValueError):
    """A dialect setting has an unknown name or an invalid value."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    name: str = "reference"

    # Rows 1 and 2: finalize
    finalize_path: str = "/v1/account/enroll/finalize"
    update_account_path: str = "/v1/app/accounts/{account_uuid}"
    finalize_token: str = "account"  # noqa: S105 - the kind of token, not a token
    finalize_implicit: bool = False
    finalize_repeat: str = "idempotent"

    # Rows 3 to 6: status
    status_places: tuple[str, ...] = ("enrollment.status", "status")
    status_names: str = "assumed"
    enrollment_absent_at_first: bool = False
    pending_needs_poa: bool = True
    accept_outside_pending: bool = False

    # Rows 8 to 10: plans and acceptance
    hosted_flow_skips_plan_choice: bool = True
    plans_envelope: str = "object"
    rate_place: str = "rate_structure"
    """The plan's field with the kind of rate; empty for none."""
    rate_word: str = "FIXED"
    accept_response: str = "account"
    accept_repeat: str = "refused"

    # Rows 11 and 13: create and record-client-agent
    create_with_known_email: str = "new"
    record_repeat: str = "last_wins"
    client_agent_read_back: bool = True

    # Row 14: errors
    error_body: str = "detail"

    # Rows 15, 16 and 22: webhooks
    webhook_header: str = "X-Light-Signature"
    webhook_hash: str = "sha256"
    webhook_encoding: str = "hex"
    webhook_format: str = "bare"
    webhook_signed_text: str = "body"
    webhook_timestamp_header: str = ""
    webhook_payload: str = "nested"
    plan_accepted_event_at: str = "accept"
    opt_out_webhook: bool = True

    # Rows 18 and 24: windows and plan life
    window_ends_inclusive: bool = True
    window_zone: str = "America/Chicago"
    business_days: str = "federal"
    plan_expiry_field: bool = True

    # Rows 20, 21 and 25: lists, limits, fields
    accounts_page: str = "envelope"
    accounts_email_filter: bool = True
    rate_limit_per_second: int = 0
    rate_limit_retry_after: str = "1"
    """`Retry-After` of a call over the limit; empty for none."""
    phone_field: str = "phone_number"
    birth_date_field: str = "date_of_birth"
    unknown_keys_refused: bool = False

    # Section 1.2
    new_token_revokes_old: bool = False


REFERENCE = Dialect()

ALTERNATE = Dialect(
    name="alternate",
    finalize_path="/v1/app/accounts/{account_uuid}/enroll/finalize",
    update_account_path="/v1/app/accounts/{account_uuid}/contact",
    finalize_token="app",  # noqa: S106 - the kind of token, not a token
    finalize_repeat="conflict",
    status_places=("enrollment_status",),
    status_names="made_up",
    enrollment_absent_at_first=True,
    pending_needs_poa=False,
    accept_outside_pending=True,
    hosted_flow_skips_plan_choice=False,
    plans_envelope="array",
    accept_response="location",
    accept_repeat="idempotent",
    create_with_known_email="conflict",
    record_repeat="conflict",
    client_agent_read_back=False,
    error_body="error",
    webhook_header="Light-Signature",
    webhook_hash="sha512",
    webhook_encoding="hex",
    webhook_format="list",
    webhook_signed_text="timestamp.body",
    webhook_payload="flat",
    plan_accepted_event_at="finalize",
    opt_out_webhook=False,
    window_ends_inclusive=False,
    business_days="weekdays",
    plan_expiry_field=False,
    accounts_page="array",
    accounts_email_filter=False,
    rate_limit_per_second=50,
    phone_field="phone",
    birth_date_field="dob",
    unknown_keys_refused=True,
)

DIALECTS = {dialect.name: dialect for dialect in (REFERENCE, ALTERNATE)}

_CHOICES: dict[str, tuple[str, ...]] = {
    "finalize_token": ("account", "app"),
    "finalize_repeat": ("idempotent", "conflict"),
    "status_names": ("assumed", "made_up"),
    "plans_envelope": ("object", "array"),
    "accept_response": ("account", "location", "empty"),
    "accept_repeat": ("refused", "idempotent"),
    "create_with_known_email": ("new", "conflict", "return_old"),
    "record_repeat": ("last_wins", "conflict"),
    "error_body": ("detail", "error", "message"),
    "webhook_hash": ("sha256", "sha512"),
    "webhook_encoding": ("hex", "base64"),
    "webhook_format": ("bare", "prefixed", "list"),
    "webhook_signed_text": ("body", "timestamp.body"),
    "webhook_payload": ("nested", "flat", "data"),
    "plan_accepted_event_at": ("accept", "finalize"),
    "window_zone": ("America/Chicago", "UTC"),
    "business_days": ("federal", "weekdays"),
    "accounts_page": ("envelope", "array"),
}


def changed_dialect(current: Dialect, changes: Mapping[str, object]) -> Dialect:
    """
    Apply changes to a dialect. A "name" starts from that named dialect instead of the current one.

    :raises WrongDialect: unknown field, wrong type or a value outside the field's choices
    """
    base = current
    if "name" in changes:
        named = DIALECTS.get(str(changes["name"]))
        if named is None:
            raise WrongDialect(f"No dialect is named {changes['name']!r}; there are: {', '.join(DIALECTS)}.")
        base = named
    known = {field.name for field in fields(Dialect)}
    values: dict[str, object] = {}
    for key, value in changes.items():
        if key == "name":
            continue
        if key not in known:
            raise WrongDialect(f"A dialect has no setting {key!r}; it has: {', '.join(sorted(known))}.")
        values[key] = _checked(key, value, getattr(base, key))
    return replace(base, **values)  # type: ignore[arg-type]  # checked against the field's own type above


def dialect_as_json(dialect: Dialect) -> dict[str, object]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(dialect).items()}


def _checked(key: str, value: object, present: object) -> object:
    if isinstance(present, tuple):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise WrongDialect(f"{key} must be a list of texts.")
        return tuple(value)
    if type(value) is not type(present):
        raise WrongDialect(f"{key} must be of type {type(present).__name__}, as in {present!r}.")
    if key in _CHOICES and value not in _CHOICES[key]:
        raise WrongDialect(f"{key} must be one of {', '.join(_CHOICES[key])}.")
    return value
