"""
The three gates: authority, readiness and go-live. Pure.

Each gate is a function that returns the reason why it is open, or the step that it leads to while it is closed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from core.dates import chicago_day, chicago_midnight, short_date
from enrollments.decision.facts import AccountFacts, Facts
from enrollments.decision.policy import Policy
from enrollments.decision.steps import Hold, Wait, Waiting
from enrollments.light.payloads import BEYOND_ACCEPTANCE, LightStage
from enrollments.states import HoldCode, HoldOwner
from poa_documents.authority import Obstacle, ObstacleKind, Use, find_obstacle
from poa_documents.states import PoaStatus

STORING_PAUSE = timedelta(minutes=5)
"""When to check again for a document that is being stored. Its notification usually arrives sooner."""


class GateName(StrEnum):
    AUTHORITY = "AUTHORITY"
    READINESS = "READINESS"
    GO_LIVE = "GO_LIVE"


@dataclass(frozen=True)
class Gate:
    """One of the three conditions of an acceptance. A closed gate carries the step that it leads to."""

    name: GateName
    because: str
    blocked_by: Wait | Hold | None = None

    @property
    def is_open(self) -> bool:
        return self.blocked_by is None


def gates(facts: Facts, *, now: datetime, policy: Policy) -> tuple[Gate, Gate, Gate]:
    return (
        _gate(GateName.AUTHORITY, _used_authority(facts) or authority_gate(facts, now)),
        _gate(GateName.READINESS, readiness_gate(facts, now, policy)),
        _gate(GateName.GO_LIVE, go_live_gate(facts)),
    )


def _gate(name: GateName, found: Wait | Hold | str) -> Gate:
    if isinstance(found, str):
        return Gate(name, because=found)
    return Gate(name, because=found.because, blocked_by=found)


def _used_authority(facts: Facts) -> str | None:
    """Return when the authority was used, if its acceptance was made. That it allows no other one is fine then."""
    poa = facts.authority
    if poa is None or poa.stopped_because or poa.status != PoaStatus.EXHAUSTED or facts.accepted_at is None:
        return None
    return f"Used on {short_date(chicago_day(facts.accepted_at))} for the accepted plan."


_WAIT_FOR: dict[ObstacleKind, tuple[Waiting, HoldOwner]] = {
    ObstacleKind.NOT_SENT: (Waiting.POA_TO_BE_SENT, HoldOwner.OFFICE),
    ObstacleKind.NOT_OPEN: (Waiting.POA_TO_BE_SENT, HoldOwner.OFFICE),
    ObstacleKind.LINK_DEAD: (Waiting.POA_TO_BE_SENT, HoldOwner.OFFICE),
    ObstacleKind.PAPER_WANTED: (Waiting.PAPER_TO_BE_SENT, HoldOwner.OFFICE),
    ObstacleKind.NOT_SIGNED: (Waiting.CUSTOMER_TO_SIGN, HoldOwner.CUSTOMER),
    ObstacleKind.SIGNER_IN_QUESTION: (Waiting.SIGNER_TO_BE_VERIFIED, HoldOwner.OFFICE),
}
"""The obstacles that someone can remove without a hold, and who. Others that do not pass with time need a hold."""


def authority_gate(facts: Facts, now: datetime) -> Wait | Hold | str:
    poa = facts.authority
    if poa is None:
        return Wait(
            until=None,
            code=Waiting.POA_TO_BE_SENT,
            because="No power of attorney has been sent to the customer yet.",
            whose_turn=HoldOwner.OFFICE,
        )
    use = Use(poa.limits.esi_id, facts.esi_id, chicago_day(now), facts.go_live.embargo_end)
    obstacle = find_obstacle(poa, use)
    if obstacle is not None:
        return _authority_step(obstacle, now)
    assert poa.signed_at is not None  # noqa: S101 - an authority without an obstacle is signed
    return f"Signed on {short_date(chicago_day(poa.signed_at))}, in force until {short_date(poa.sunset)}."


def _authority_step(obstacle: Obstacle, now: datetime) -> Wait | Hold:
    if obstacle.kind == ObstacleKind.BEING_STORED:
        return Wait(until=now + STORING_PAUSE, code=Waiting.DOCUMENT_TO_BE_STORED, because=obstacle.text)
    if obstacle.until is not None:
        next_day = chicago_midnight(obstacle.until + timedelta(days=1))
        return Wait(until=next_day, code=Waiting.EMBARGO, because=obstacle.text)
    if obstacle.kind in _WAIT_FOR:
        code, whose_turn = _WAIT_FOR[obstacle.kind]
        return Wait(until=None, code=code, because=obstacle.text, whose_turn=whose_turn)
    return Hold(HoldCode.AUTHORITY_ENDED, HoldOwner.OFFICE, because=obstacle.text)


def readiness_gate(facts: Facts, now: datetime, policy: Policy) -> Wait | Hold | str:
    account = facts.account
    if account is None or account.read_at is None:
        return Wait(
            until=None,
            code=Waiting.LIGHT_TO_FINISH,
            because="Light has no account for the customer yet. Switchyard creates it after the customer signs.",
        )
    next_reading = account.read_at + policy.collecting_interval
    if account.stage in BEYOND_ACCEPTANCE:
        return "Light shows an accepted plan."
    match account.stage:
        case LightStage.READY if account.is_stage_derived:
            return (
                "Light shows no status, but has the customer's identity, payment method and billing address. A frozen "
                "credit file would not show."
            )
        case LightStage.READY:
            return "Light has everything it needs from the customer."
        case LightStage.FROZEN:
            return Wait(
                until=next_reading,
                code=Waiting.CREDIT_FROZEN,
                because="The customer's credit file is frozen. Light mailed them how to lift the freeze, and retries "
                "automatically.",
                whose_turn=HoldOwner.CUSTOMER,
            )
        case LightStage.ENDED:
            return cancel_reported()
        case LightStage.UNKNOWN:
            return _unknown_status(account, facts, next_reading, now, policy)
        case _:
            return _collecting(account, facts, next_reading, now, policy)


def _collecting(
    account: AccountFacts, facts: Facts, next_reading: datetime, now: datetime, policy: Policy
) -> Wait | Hold:
    if account.missing:
        derived = (
            " Light shows no status, so this is derived from what it shows as done." if account.is_stage_derived else ""
        )
        todo = ", ".join(name.replace("_", " ") for name in account.missing)
        return Wait(
            until=next_reading,
            code=Waiting.CUSTOMER_TO_FINISH,
            because=f"The customer still has to give Light: {todo}.{derived}",
            whose_turn=HoldOwner.CUSTOMER,
        )
    is_stuck = account.status_since is not None and now > account.status_since + policy.max_complete_time
    if is_stuck and HoldCode.COMPLETE_BUT_NOT_READY not in facts.settled_codes:
        return Hold(
            HoldCode.COMPLETE_BUT_NOT_READY,
            HoldOwner.OFFICE,
            because="The customer gave Light everything, but the account is still not ready (status "
            f"“{account.status}”). The credit check may have failed. Ask Light.",
        )
    return Wait(
        until=next_reading, code=Waiting.LIGHT_TO_FINISH, because="Light is checking the customer's information."
    )


def _unknown_status(
    account: AccountFacts, facts: Facts, next_reading: datetime, now: datetime, policy: Policy
) -> Wait | Hold:
    has_lasted = account.status_since is not None and now > account.status_since + policy.max_unknown_status_time
    if has_lasted and HoldCode.UNKNOWN_LIGHT_STATUS not in facts.settled_codes:
        return Hold(
            HoldCode.UNKNOWN_LIGHT_STATUS,
            HoldOwner.OFFICE,
            because=f"Light has shown the unknown status “{account.status}” for more than a day. Ask Light what it "
            "means.",
        )
    return Wait(
        until=next_reading,
        code=Waiting.LIGHT_TO_FINISH,
        because=f"Light shows the unknown status “{account.status}”. Switchyard keeps reading the account.",
    )


def go_live_gate(facts: Facts) -> Wait | str:
    live = facts.go_live
    event = "Permission to operate" if live.by_pto else "Commissioning"
    if live.counted_date is not None:
        return f"{event} reported for {short_date(live.counted_date)}."
    if live.is_awaiting_office:
        return Wait(
            until=None,
            code=Waiting.GO_LIVE_CONFIRMATION,
            because=f"{event} was reported without proof. The office must confirm it.",
            whose_turn=HoldOwner.OFFICE,
        )
    return Wait(
        until=None,
        code=Waiting.GO_LIVE,
        because=f"{event} has not been reported yet.",
        whose_turn=HoldOwner.TECHNICIAN,
    )


def cancel_reported() -> Hold:
    return Hold(
        HoldCode.CANCEL_REPORTED,
        HoldOwner.OFFICE,
        because="Light reported that the service was canceled. Ask the customer, then close or release the case.",
    )
