"""Faults on order: what goes wrong with the next calls."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

__all__ = ["FAULT_KINDS", "OPERATIONS", "Fault", "FaultPlan", "FaultWrong", "operation_of"]


class FaultWrong(ValueError):
    """A fault was ordered that makes no sense."""


FAULT_KINDS = {
    "delay": "does the work, waits `seconds`, answers",
    "drip": "does the work, sends headers and body one byte every `seconds`",
    "hang": "waits `seconds`, does nothing, closes the connection",
    "drop_before": "closes the connection, nothing done",
    "drop_after": "does the work, closes the connection without an answer",
    "error_before": "answers `status`, nothing done",
    "error_after": "does the work, answers `status`",
    "rate_limit": "answers 429 with `retry_after`, nothing done",
    "truncate_after": "does the work, sends half of the answer, closes the connection",
    "malformed": "does the work, answers 200 with half a JSON body as if it were whole",
    "html": "answers 200 with a page of HTML, nothing done",
    "unauthorized": "answers 401, nothing done",
    "forbidden": "answers 403, nothing done",
    "not_found": "answers 404, nothing done",
    "conflict": "answers 409, nothing done",
    "unprocessable": "answers 422, nothing done",
    "says_error": "answers 200 with an error in the body, nothing done",
    "queued": "answers 202 and says that the call is queued, nothing done",
    "empty_after": "does the work, answers 204 with nothing",
    "empty_before": "answers 204 with nothing, nothing done",
    "another_plan": "accepts another plan of the list than the one named, answers as always",
    "another_start": "accepts the plan a day later than asked, answers as always",
    "another_meter": "accepts the plan for another meter, answers as always",
    "plans_expired": "answers with plans whose expiry is now",
    "plans_short_lived": "answers with plans that expire in 30 seconds",
    "plans_in_dollars": "answers with average prices in dollars instead of cents",
    "plans_free": "answers with average prices of zero",
    "plans_below_their_rate": "answers with average prices below the plan's own energy rate",
    "another_email": "makes the account under another e-mail address, answers as always",
    "redirect": "answers `status` (307 unless told) with an address elsewhere, nothing done",
    "bad_identifier": "does the work, answers with one entry more whose identifier is no UUID, or such an identifier",
    "nulls": "does the work, answers with every value null",
    "numbers_as_text": "does the work, answers with numbers as text and decimal text as numbers",
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
    """How many calls it still hits; None means until cleared."""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass
class FaultPlan:
    faults: list[Fault] = field(default_factory=list)

    def order(self, wanted: Mapping[str, object]) -> Fault:
        """
        Add a fault to the end of the line.

        :raises FaultWrong: unknown endpoint, kind or key, or a value of the wrong type
        """
        fault = _read_fault(wanted)
        self.faults.append(fault)
        return fault

    def take(self, operation: str, account_uuid: str | None) -> Fault | None:
        """Give the first fault that hits this call and count it as used."""
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
    """Name a call the way fault orders name it."""
    for name, route_method, pattern in _ROUTES:
        if method == route_method and re.fullmatch(pattern, path):
            return name
    return "other"


def _read_fault(wanted: Mapping[str, object]) -> Fault:
    unknown = set(wanted) - set(Fault.__dataclass_fields__)
    if unknown:
        raise FaultWrong(
            f"A fault has no {', '.join(sorted(unknown))}; it has: {', '.join(Fault.__dataclass_fields__)}."
        )
    endpoint, kind = wanted.get("endpoint"), wanted.get("kind")
    if endpoint not in OPERATIONS:
        raise FaultWrong(f"endpoint must be one of {', '.join(OPERATIONS)}.")
    if kind not in FAULT_KINDS:
        raise FaultWrong(f"kind must be one of {', '.join(FAULT_KINDS)}.")
    status = wanted.get("status", 307 if kind == "redirect" else 500)
    seconds, times = wanted.get("seconds", 1.0), wanted.get("times", 1)
    account_uuid, retry_after = wanted.get("account_uuid"), wanted.get("retry_after", "1")
    if not isinstance(status, int) or not isinstance(seconds, int | float):
        raise FaultWrong("status must be a whole number and seconds a number.")
    if times is not None and (not isinstance(times, int) or times < 1):
        raise FaultWrong("times must be a whole number above zero, or null for every call.")
    return Fault(
        endpoint=str(endpoint),
        kind=str(kind),
        account_uuid=None if account_uuid is None else str(account_uuid),
        status=status,
        seconds=float(seconds),
        retry_after=None if retry_after is None else str(retry_after),
        times=times,
    )
