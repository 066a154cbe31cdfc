"""Injected faults: what goes wrong with the next calls."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

__all__ = ["FAULT_KINDS", "OPERATIONS", "Fault", "FaultPlan", "InvalidFault", "operation_of"]


class InvalidFault(ValueError):
    """The requested fault is invalid."""


FAULT_KINDS = {
    "delay": "does the work, waits `seconds`, responds",
    "drip": "does the work, sends headers and body one byte every `seconds`",
    "hang": "waits `seconds`, does nothing, closes the connection",
    "drop_before": "closes the connection, nothing done",
    "drop_after": "does the work, closes the connection without a response",
    "error_before": "returns `status`, nothing done",
    "error_after": "does the work, returns `status`",
    "rate_limit": "returns 429 with `retry_after`, nothing done",
    "truncate_after": "does the work, sends half of the response, closes the connection",
    "malformed": "does the work, returns 200 with half a JSON body as if it were complete",
    "html": "returns 200 with an HTML page, nothing done",
    "unauthorized": "returns 401, nothing done",
    "forbidden": "returns 403, nothing done",
    "not_found": "returns 404, nothing done",
    "conflict": "returns 409, nothing done",
    "unprocessable": "returns 422, nothing done",
    "says_error": "returns 200 with an error in the body, nothing done",
    "queued": "returns 202 and says that the call is queued, nothing done",
    "empty_after": "does the work, returns 204 without a body",
    "empty_before": "returns 204 without a body, nothing done",
    "another_plan": "accepts a different plan than requested, responds as usual",
    "another_start": "accepts the plan a day later than requested, responds as usual",
    "another_meter": "accepts the plan for a different meter, responds as usual",
    "plans_expired": "returns plans that expire now",
    "plans_short_lived": "returns plans that expire in 30 seconds",
    "plans_in_dollars": "returns average prices in dollars instead of cents",
    "plans_free": "returns average prices of zero",
    "plans_below_their_rate": "returns average prices below the plan's own energy rate",
    "another_email": "creates the account under a different e-mail address, responds as usual",
    "redirect": "returns `status` (default 307) with a URL elsewhere, nothing done",
    "bad_identifier": "does the work, returns an entry or an extra entry whose identifier is not a UUID",
    "nulls": "does the work, returns null for every value",
    "numbers_as_text": "does the work, returns numbers as text and decimal text as numbers",
}

_ROUTES = (
    ("create", "POST", r"/v1/app/accounts"),
    ("list", "GET", r"/v1/app/accounts"),
    ("read", "GET", r"/v1/app/accounts/[^/]+"),
    ("update", "PATCH", r"/v1/app/accounts/[^/]+(/.+)?"),
    ("token", "POST", r"/v1/app/accounts/[^/]+/token"),
    ("flow_login", "POST", r"/v1/app/accounts/[^/]+/flow-login"),
    ("record", "POST", r"/v1/app/accounts/[^/]+/record-client-agent"),
    ("request_plans", "POST", r"/v1/app/accounts/[^/]+/enroll/plans/request"),
    ("request_plans", "POST", r"/v1/account/enroll/plans/request"),
    ("accept", "POST", r"/v1/account/enroll/plans/accept"),
    ("finalize", "POST", r"/v1/(.+)/finalize"),
    ("read", "GET", r"/v1/account"),
)

OPERATIONS = (*dict.fromkeys(name for name, _, _ in _ROUTES), "other", "*")


@dataclass
class Fault:
    endpoint: str
    kind: str
    account_uuid: str | None = None
    status: int = 500
    seconds: float = 1.0
    retry_after: str | None = "1"
    times: int | None = 1
    """How many more calls it affects; None means until cleared."""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass
class FaultPlan:
    faults: list[Fault] = field(default_factory=list)

    def add(self, wanted: Mapping[str, object]) -> Fault:
        """
        Add a fault after the existing ones.

        :raises InvalidFault: unknown endpoint, kind or key, or a value of the wrong type
        """
        fault = _read_fault(wanted)
        self.faults.append(fault)
        return fault

    def take(self, operation: str, account_uuid: str | None) -> Fault | None:
        """Return the first fault for this call and count it as used."""
        for fault in self.faults:
            if fault.endpoint not in (operation, "*"):
                continue
            if fault.account_uuid is not None and fault.account_uuid != account_uuid:
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
            return fault
        return None

    def clear(self) -> None:
        self.faults.clear()


def operation_of(method: str, path: str) -> str:
    """Return the operation's name, as used by faults."""
    for name, route_method, pattern in _ROUTES:
        if method == route_method and re.fullmatch(pattern, path):
            return name
    return "other"


def _read_fault(wanted: Mapping[str, object]) -> Fault:
    unknown = set(wanted) - set(Fault.__dataclass_fields__)
    if unknown:
        raise InvalidFault(
            f"Unknown fields {', '.join(sorted(unknown))}. A fault has: {', '.join(Fault.__dataclass_fields__)}."
        )
    endpoint, kind = wanted.get("endpoint"), wanted.get("kind")
    if endpoint not in OPERATIONS:
        raise InvalidFault(f"endpoint must be one of {', '.join(OPERATIONS)}.")
    if kind not in FAULT_KINDS:
        raise InvalidFault(f"kind must be one of {', '.join(FAULT_KINDS)}.")
    status = wanted.get("status", 307 if kind == "redirect" else 500)
    seconds, times = wanted.get("seconds", 1.0), wanted.get("times", 1)
    account_uuid, retry_after = wanted.get("account_uuid"), wanted.get("retry_after", "1")
    if not isinstance(status, int) or not isinstance(seconds, int | float):
        raise InvalidFault("status must be a whole number and seconds a number.")
    if times is not None and (not isinstance(times, int) or times < 1):
        raise InvalidFault("times must be a whole number above zero, or null for every call.")
    return Fault(
        endpoint=str(endpoint),
        kind=str(kind),
        account_uuid=None if account_uuid is None else str(account_uuid),
        status=status,
        seconds=float(seconds),
        retry_after=None if retry_after is None else str(retry_after),
        times=times,
    )
