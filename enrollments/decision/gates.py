"""
The three gates: authority, readiness and go-live. Pure.

Each gate is a function that gives the reason why it is open, or the step that it leads to while it is shut.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from core.dates import chicago_day, chicago_midnight
from enrollments.decision.facts import AccountFacts, AuthorityFacts, Facts
from enrollments.decision.policy import Policy
from enrollments.decision.steps import Hold, Wait, Waiting
from enrollments.light.payloads import LightStage
from enrollments.states import HoldCode, HoldOwner
from poa_documents.states import PoaStatus

STORING_PAUSE = timedelta(minutes=5)
"""When to look again for a document that is being stored; the news of it usually comes sooner."""

BEYOND_ACCEPTANCE = frozenset({LightStage.ACCEPTED, LightStage.FINALIZED, LightStage.ACTIVE})


class GateName(StrEnum):
    AUTHORITY = "AUTHORITY"
    READINESS = "READINESS"
    GO_LIVE = "GO_LIVE"


@dataclass(frozen=True)
class Gate:
    """One of the three things that must be given. A shut gate carries the step that it leads to."""

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
    """An authority whose acceptance was made has done its work; that it allows no other one is no trouble."""
    poa = facts.authority
    if poa is None or poa.stopped_because or poa.status != PoaStatus.EXHAUSTED or facts.accepted_at is None:
        return None
    return f"Used on {chicago_day(facts.accepted_at)} for the accepted plan."


def authority_gate(facts: Facts, now: datetime) -> Wait | Hold | str:
    poa = facts.authority
    if poa is None:
        return Wait(
            until=None,
            code=Waiting.POA_TO_BE_SENT,
            because="No power of attorney was sent to the customer yet.",
            whose_turn=HoldOwner.OFFICE,
        )
    if poa.stopped_because and poa.status != PoaStatus.CEASED:
        return Hold(HoldCode.AUTHORITY_ENDED, HoldOwner.OFFICE, because=poa.stopped_because)
    if poa.status == PoaStatus.SIGNED:
        return _signed_authority(poa, facts, now)
    return _unsigned_or_ended(poa, now)


def _signed_authority(poa: AuthorityFacts, facts: Facts, now: datetime) -> Wait | Hold | str:
    today = chicago_day(now)
    if not poa.is_sealed or poa.signed_at is None:
        return _authority_ended("its sealed document is not on file")
    if poa.limits.esi_id != facts.esi_id:
        return _authority_ended("it was signed for another ESI ID")
    if today > poa.sunset:
        return _authority_ended(f"its last day was {poa.sunset}")
    if poa.uses_left < 1:
        return _authority_ended("every acceptance it grants was made")
    if poa.signer_in_question:
        return Wait(
            until=None,
            code=Waiting.SIGNER_TO_BE_VERIFIED,
            because=poa.signer_in_question,
            whose_turn=HoldOwner.OFFICE,
        )
    embargo_end = facts.go_live.embargo_end
    if embargo_end is not None and today <= embargo_end:
        return Wait(
            until=chicago_midnight(embargo_end + timedelta(days=1)),
            code=Waiting.EMBARGO,
            because=f"The buyer may still cancel the solar sale until the end of {embargo_end}.",
        )
    return f"Signed on {chicago_day(poa.signed_at)}, in force until {poa.sunset}."


def _unsigned_or_ended(poa: AuthorityFacts, now: datetime) -> Wait | Hold:
    match poa.status:
        case PoaStatus.DRAFT:
            return Wait(
                until=None,
                code=Waiting.POA_TO_BE_SENT,
                because="The power of attorney is a draft; send it to the customer.",
                whose_turn=HoldOwner.OFFICE,
            )
        case PoaStatus.SENT if poa.wants_paper:
            return Wait(
                until=None,
                code=Waiting.PAPER_TO_BE_SENT,
                because="The customer wants paper. Print the power of attorney for a signature by hand, post it, and "
                "record the scan when it comes back.",
                whose_turn=HoldOwner.OFFICE,
            )
        case PoaStatus.SENT if poa.is_link_dead:
            return Wait(
                until=None,
                code=Waiting.POA_TO_BE_SENT,
                because="The customer was asked to sign and has no link that works. Send a new one.",
                whose_turn=HoldOwner.OFFICE,
            )
        case PoaStatus.SENT:
            return Wait(
                until=None,
                code=Waiting.CUSTOMER_TO_SIGN,
                because="The customer has the power of attorney and has not signed it yet.",
                whose_turn=HoldOwner.CUSTOMER,
            )
        case PoaStatus.SEALING:
            return Wait(
                until=now + STORING_PAUSE,
                code=Waiting.DOCUMENT_TO_BE_STORED,
                because="The customer signed; the document is being stored.",
            )
        case PoaStatus.VOIDED | PoaStatus.EXPIRED:
            return Wait(
                until=None,
                code=Waiting.POA_TO_BE_SENT,
                because=f"The last power of attorney is no longer open ({poa.status.label.lower()}); send a new one.",
                whose_turn=HoldOwner.OFFICE,
            )
        case PoaStatus.SUSPENDED:
            reason = poa.suspended_because.rstrip(".") or "no reason is on file"
            return Hold(
                HoldCode.AUTHORITY_ENDED,
                HoldOwner.OFFICE,
                because=f"The power of attorney is suspended: {reason}. "
                "Deal with the reason, then resume it; otherwise the customer must sign a new one.",
            )
        case _:
            return _authority_ended(_ending(poa))


def _ending(poa: AuthorityFacts) -> str:
    words = poa.status.label[0].lower() + poa.status.label[1:]
    return f"{words} ({poa.ended_because.rstrip('.')})" if poa.ended_because else words


def _authority_ended(why: str) -> Hold:
    return Hold(
        HoldCode.AUTHORITY_ENDED,
        HoldOwner.OFFICE,
        because=f"We may not act for the customer: the power of attorney does not allow it, {why}. Only the "
        "customer's new signature opens this gate.",
    )


def readiness_gate(facts: Facts, now: datetime, policy: Policy) -> Wait | Hold | str:
    account = facts.account
    if account is None or account.read_at is None:
        return Wait(
            until=None,
            code=Waiting.LIGHT_TO_FINISH,
            because="Light has no account for the customer yet; it is made after the signature.",
        )
    next_reading = account.read_at + policy.collecting_interval
    if account.stage in BEYOND_ACCEPTANCE:
        return "Light shows an accepted plan."
    match account.stage:
        case LightStage.READY if account.is_stage_derived:
            return (
                "Light shows no status. That it has everything it needs is derived: identity, payment method and "
                "billing address are given. A frozen credit file would not show."
            )
        case LightStage.READY:
            return "Light has everything it needs from the customer."
        case LightStage.FROZEN:
            return Wait(
                until=next_reading,
                code=Waiting.CREDIT_FROZEN,
                because="The customer's credit file is frozen. Light mailed how to lift the freeze, and tries "
                "again by itself.",
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
            " Light shows no status; this is derived from what it says is done." if account.is_stage_derived else ""
        )
        todo = ", ".join(name.replace("_", " ") for name in account.missing)
        return Wait(
            until=next_reading,
            code=Waiting.CUSTOMER_TO_FINISH,
            because=f"The customer still has to give Light: {todo}.{derived}",
            whose_turn=HoldOwner.CUSTOMER,
        )
    is_stuck = account.status_since is not None and now > account.status_since + policy.complete_patience
    if is_stuck and HoldCode.NOT_READY_THOUGH_COMPLETE not in facts.settled_codes:
        return Hold(
            HoldCode.NOT_READY_THOUGH_COMPLETE,
            HoldOwner.OFFICE,
            because="The customer gave Light everything, yet the account is not ready (status "
            f"“{account.status}”); the credit check may have failed. Ask Light.",
        )
    return Wait(until=next_reading, code=Waiting.LIGHT_TO_FINISH, because="Light checks what the customer gave it.")


def _unknown_status(
    account: AccountFacts, facts: Facts, next_reading: datetime, now: datetime, policy: Policy
) -> Wait | Hold:
    has_lasted = account.status_since is not None and now > account.status_since + policy.unknown_status_patience
    if has_lasted and HoldCode.UNKNOWN_LIGHT_STATUS not in facts.settled_codes:
        return Hold(
            HoldCode.UNKNOWN_LIGHT_STATUS,
            HoldOwner.OFFICE,
            because=f"Light shows something we do not know (status “{account.status}”) for more than a day. Ask Light "
            "what it means.",
        )
    return Wait(
        until=next_reading,
        code=Waiting.LIGHT_TO_FINISH,
        because=f"Light shows the status “{account.status}”, which we do not know; we keep reading.",
    )


def go_live_gate(facts: Facts) -> Wait | str:
    live = facts.go_live
    word = "Permission to operate" if live.by_pto else "Commissioning"
    if live.counted_date is not None:
        return f"{word} given for {live.counted_date}."
    if live.is_awaiting_office:
        return Wait(
            until=None,
            code=Waiting.GO_LIVE_CONFIRMATION,
            because=f"{word} was reported without proof; the office must confirm it.",
            whose_turn=HoldOwner.OFFICE,
        )
    return Wait(
        until=None,
        code=Waiting.GO_LIVE,
        because=f"{word} was not reported yet.",
        whose_turn=HoldOwner.TECHNICIAN,
    )


def cancel_reported() -> Hold:
    return Hold(
        HoldCode.CANCEL_REPORTED,
        HoldOwner.OFFICE,
        because="Light reported that the service was canceled. Ask the customer, then close or release the case.",
    )
