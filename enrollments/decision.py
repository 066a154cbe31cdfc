"""
What happens next with an enrollment, and why: one pure function over the facts.

It drives the machine, and it answers every screen: the work queue, the enrollment's page, the customer's "what happens
next" and "what would happen if PTO were marked today". No database, no clock, no HTTP.

The reading order is the order of the rules: `decide`, then one function per stretch of the road.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from core.dates import chicago_day, chicago_midnight
from enrollments import offers, start_dates
from enrollments.facts import AccountFacts, AuthorityFacts, Facts, OfferFacts, WriteFacts
from enrollments.light.payloads import LightStage
from enrollments.offers import OfferedPlan, Verdict
from enrollments.start_dates import NoLegalStart, StartPlan, Window
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteKind, WriteStatus
from poa_documents.states import PoaStatus


@dataclass(frozen=True)
class Policy:
    """The numbers that the office may set. Sources: Light notes, sections 7 and 8; reliability notes, section 2."""

    window: Window = start_dates.DEFAULT_WINDOW
    collecting_interval: timedelta = timedelta(hours=1)
    accepted_interval: timedelta = timedelta(minutes=15)
    watching_interval: timedelta = timedelta(days=1)
    fresh_reading: timedelta = timedelta(minutes=5)
    longest_call: timedelta = timedelta(minutes=5)
    settling_period: timedelta = timedelta(minutes=10)
    unknown_status_patience: timedelta = timedelta(days=1)
    complete_patience: timedelta = timedelta(days=2)
    active_grace: timedelta = timedelta(days=3)
    tries_after_doubt: int = 2


DOUBT_READING_SHARES = (0.0, 0.02, 0.1, 0.3, 0.6, 1.0)
"""When a doubt is read, as shares of the settling period: soon at first, last at its very end."""


STORING_PAUSE = timedelta(minutes=5)
"""When to look again for a document that is being stored; the news of it usually comes sooner."""


# Steps


@dataclass(frozen=True)
class OpenAccount:
    """Create the customer's account at Light."""

    because: str


@dataclass(frozen=True)
class RecordClientAgent:
    """Tell Light since when we act for the customer."""

    poa_id: int
    because: str


@dataclass(frozen=True)
class ReadAccount:
    because: str


@dataclass(frozen=True)
class RequestPlans:
    because: str


@dataclass(frozen=True)
class AcceptPlan:
    offer_id: int
    poa_id: int
    start: date
    because: str


@dataclass(frozen=True)
class Finalize:
    because: str


@dataclass(frozen=True)
class SettleDoubt:
    """Read what became of a write whose answer is missing."""

    write_id: int
    is_last_reading: bool
    because: str


class Waiting(StrEnum):
    """What an enrollment waits for."""

    POA_TO_BE_SENT = "POA_TO_BE_SENT"
    CUSTOMER_TO_SIGN = "CUSTOMER_TO_SIGN"
    DOCUMENT_TO_BE_STORED = "DOCUMENT_TO_BE_STORED"
    EMBARGO = "EMBARGO"
    CUSTOMER_TO_FINISH = "CUSTOMER_TO_FINISH"
    CREDIT_FROZEN = "CREDIT_FROZEN"
    LIGHT_TO_FINISH = "LIGHT_TO_FINISH"
    GO_LIVE = "GO_LIVE"
    GO_LIVE_CONFIRMATION = "GO_LIVE_CONFIRMATION"
    START_TOO_FAR = "START_TOO_FAR"
    PAUSED = "PAUSED"
    CALL_UNDER_WAY = "CALL_UNDER_WAY"
    BACKING_OFF = "BACKING_OFF"
    SERVICE_TO_START = "SERVICE_TO_START"


@dataclass(frozen=True)
class Wait:
    """Nothing to do until then, or until somebody acts. `act_by` is the last moment at which acting still helps."""

    until: datetime | None
    code: Waiting
    because: str
    whose_turn: HoldOwner | None = None
    act_by: date | None = None


@dataclass(frozen=True)
class Hold:
    """A person must look. `look_again_at` keeps the reading of the account going meanwhile."""

    code: HoldCode
    owner: HoldOwner
    because: str
    look_again_at: datetime | None = None
    act_by: date | None = None


@dataclass(frozen=True)
class LiftHold:
    """The reason of an open hold is gone by itself."""

    hold_id: int
    because: str


@dataclass(frozen=True)
class Close:
    """Nothing was accepted and nothing will be."""

    because: str


@dataclass(frozen=True)
class Finished:
    because: str


Step = (
    OpenAccount
    | RecordClientAgent
    | ReadAccount
    | RequestPlans
    | AcceptPlan
    | Finalize
    | SettleDoubt
    | Wait
    | Hold
    | LiftHold
    | Close
    | Finished
)
REMOTE_STEPS = (OpenAccount, RecordClientAgent, ReadAccount, RequestPlans, AcceptPlan, Finalize, SettleDoubt)
HARMLESS_UNDER_HOLD = (ReadAccount, SettleDoubt, Finished)

BEYOND_ACCEPTANCE = frozenset({LightStage.ACCEPTED, LightStage.FINALIZED, LightStage.ACTIVE})

CONSENT_HOLDS = frozenset({HoldCode.AUTHORITY_ENDED})
"""Nobody may release these by hand: only the customer's own new signature ends them."""

SELF_CLEARING_HOLDS = CONSENT_HOLDS | {HoldCode.NO_LEGAL_START}

FOR_OPERATIONS = frozenset({HoldCode.WRONG_DIALECT, HoldCode.NOT_AUTHORIZED})


# Gates


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
        _gate(GateName.AUTHORITY, _authority_gate(facts, now)),
        _gate(GateName.READINESS, _readiness_gate(facts, now, policy)),
        _gate(GateName.GO_LIVE, _go_live_gate(facts)),
    )


def _gate(name: GateName, found: Wait | Hold | str) -> Gate:
    if isinstance(found, str):
        return Gate(name, because=found)
    return Gate(name, because=found.because, blocked_by=found)


# The decision


def decide(facts: Facts, *, now: datetime, policy: Policy) -> Step:
    """Give the one next step."""
    step = _next_step(facts, now, policy)
    if facts.hold is not None:
        step = _under_hold(facts, step, now, policy)
    if facts.calls_not_before is not None and now < facts.calls_not_before and isinstance(step, REMOTE_STEPS):
        return Wait(
            until=facts.calls_not_before,
            code=Waiting.BACKING_OFF,
            because="Light could not be reached or asked us to wait; we try again then.",
        )
    return step


def if_live_on(day: date, facts: Facts, *, now: datetime, policy: Policy) -> Step:
    """Answer what would happen next if the hardware's go-live were reported, and counted, for `day`."""
    live = replace(facts.go_live, counted_date=day, is_awaiting_office=False)
    return decide(replace(facts, go_live=live), now=now, policy=policy)


def _next_step(facts: Facts, now: datetime, policy: Policy) -> Step:
    if facts.unsettled is not None:
        return _settle(facts.unsettled, now, policy)
    if _is_reading_asked_for(facts):
        return ReadAccount(because="There is news of the account; what it means stands at Light.")
    if facts.refused is not None:
        return _refused(facts.refused)
    match facts.status:
        case EnrollmentStatus.OPEN:
            return _toward_acceptance(facts, now, policy)
        case EnrollmentStatus.ACCEPTING | EnrollmentStatus.IN_DOUBT:
            return Hold(
                HoldCode.DOUBT_UNSETTLED,
                HoldOwner.OPERATIONS,
                because="An acceptance is under way, yet no call is on record: compare the account at Light by hand.",
            )
        case EnrollmentStatus.ACCEPTED:
            return _after_acceptance(facts, now, policy) or _finalize(facts, now, policy)
        case EnrollmentStatus.FINALIZED:
            return _after_acceptance(facts, now, policy) or _watch(facts, now, policy)
        case EnrollmentStatus.ACTIVE:
            return Finished(because="Service is active under the accepted plan.")
        case EnrollmentStatus.ENDED:
            return Finished(because="The enrollment has ended.")


def _under_hold(facts: Facts, step: Step, now: datetime, policy: Policy) -> Step:
    """While a person is needed, only reading goes on; a hold whose reason is gone by itself is lifted."""
    hold = facts.hold
    assert hold is not None  # noqa: S101 - the only caller has checked
    if hold.code in SELF_CLEARING_HOLDS and not (isinstance(step, Hold) and step.code == hold.code):
        return LiftHold(hold.hold_id, because=f"The reason is gone: {hold.because}")
    if hold.code == HoldCode.OUTSIDE_LIMITS and _signed_since(hold.since, facts):
        return LiftHold(hold.hold_id, because="The customer signed for other limits since.")
    if isinstance(step, HARMLESS_UNDER_HOLD):
        return step
    is_watched = facts.account is not None and facts.status in {EnrollmentStatus.ACCEPTED, EnrollmentStatus.FINALIZED}
    return Hold(
        hold.code,
        hold.owner,
        because=hold.because,
        look_again_at=now + policy.watching_interval if is_watched else None,
    )


def _signed_since(moment: datetime, facts: Facts) -> bool:
    poa = facts.authority
    return poa is not None and poa.signed_at is not None and poa.signed_at > moment


# Doubt and refusal


def _settle(write: WriteFacts, now: datetime, policy: Policy) -> Step:
    """Leave a call alone that may still be running; read over the settling period what became of the others."""
    if write.status == WriteStatus.OPEN:
        lost_at = write.opened_at + policy.longest_call
        if now < lost_at:
            return Wait(until=lost_at, code=Waiting.CALL_UNDER_WAY, because=f"A call is under way: {write.kind.label}.")
    doubt_since = write.doubt_since or now
    read_at = _next_doubt_reading(write, doubt_since, policy)
    if now < read_at:
        return Wait(
            until=read_at,
            code=Waiting.CALL_UNDER_WAY,
            because=f"The answer to “{write.kind.label}” was lost; the account is read again to see what became of it.",
        )
    return SettleDoubt(
        write.write_id,
        is_last_reading=now >= doubt_since + policy.settling_period and write.doubt_readings > 0,
        because=f"The answer to “{write.kind.label}” was lost; the account tells whether it happened.",
    )


def _next_doubt_reading(write: WriteFacts, doubt_since: datetime, policy: Policy) -> datetime:
    """Often at first, last at the end of the settling period, and hourly while even that left it unclear."""
    planned = len(DOUBT_READING_SHARES)
    if write.doubt_readings < planned:
        return doubt_since + policy.settling_period * DOUBT_READING_SHARES[write.doubt_readings]
    return doubt_since + policy.settling_period + policy.collecting_interval * (write.doubt_readings - planned + 1)


def _refused(write: WriteFacts) -> Hold:
    return Hold(
        write.hold_code,
        HoldOwner.OPERATIONS if write.hold_code in FOR_OPERATIONS else HoldOwner.OFFICE,
        because=f"Light refused “{write.kind.label}”: {write.outcome} Mend the cause, then release the hold.",
    )


def _came_to_nothing_too_often(kind: WriteKind, facts: Facts, policy: Policy) -> Hold | None:
    if facts.fruitless.count(kind) < policy.tries_after_doubt:
        return None
    return Hold(
        HoldCode.DOUBT_UNSETTLED,
        HoldOwner.OPERATIONS,
        because=f"“{kind.label}” was sent {policy.tries_after_doubt} times, without an answer and without a trace at "
        "Light: compare the account there by hand, then release the hold to try again.",
    )


# Before the acceptance


def _toward_acceptance(facts: Facts, now: datetime, policy: Policy) -> Step:
    """Authority first, then Light's account and our attestation, then readiness and go-live, then the plan."""
    if facts.go_live.is_called_off:
        return Close(because="Every installation at this site was canceled.")
    authority = _authority_gate(facts, now)
    if not isinstance(authority, str):
        return authority
    return _introduce(facts, policy) or _read_if_due(facts, now, policy) or _toward_plan(facts, now, policy)


def _introduce(facts: Facts, policy: Policy) -> Step | None:
    """Have an account at Light and our attestation on it."""
    poa = _poa(facts)
    if facts.account is None:
        return _came_to_nothing_too_often(WriteKind.CREATE_ACCOUNT, facts, policy) or OpenAccount(
            because="The customer signed; Light does not know him yet."
        )
    if not poa.is_attested:
        return _came_to_nothing_too_often(WriteKind.RECORD_CLIENT_AGENT, facts, policy) or RecordClientAgent(
            poa.poa_id, because="Light must know since when we act for the customer before a plan can be accepted."
        )
    return None


def _read_if_due(facts: Facts, now: datetime, policy: Policy) -> Step | None:
    account = _known_account(facts)
    if account.read_at is None or now >= account.read_at + policy.collecting_interval:
        return ReadAccount(because="It is time to see how far the account at Light has come.")
    return None


def _toward_plan(facts: Facts, now: datetime, policy: Policy) -> Step:
    account = _known_account(facts)
    if account.has_accepted_plan or account.stage in BEYOND_ACCEPTANCE:
        return Hold(
            HoldCode.CUSTOMER_ENROLLED_HIMSELF,
            HoldOwner.OFFICE,
            because="Light shows an accepted plan that is not ours; the customer may have chosen one himself. Nothing "
            "is accepted over it. Ask him, then close the case.",
        )
    if facts.is_cancel_reported and HoldCode.CANCEL_REPORTED not in facts.settled_codes:
        return _cancel_reported()
    for gate in (_readiness_gate(facts, now, policy), _go_live_gate(facts)):
        if not isinstance(gate, str):
            return _with_last_day(gate, facts, now, policy)
    return _choose_and_accept(facts, now, policy)


def _choose_and_accept(facts: Facts, now: datetime, policy: Policy) -> Step:
    start = _start_plan(facts, now, policy)
    if isinstance(start, NoLegalStart):
        return Hold(
            HoldCode.NO_LEGAL_START,
            HoldOwner.OFFICE,
            because=f"No start date is legal any more. {start} Send a new power of attorney with later dates.",
        )
    if start.act_from.date > chicago_day(now):
        return Wait(
            until=chicago_midnight(start.act_from.date),
            code=Waiting.START_TOO_FAR,
            because=f"A plan can be accepted from {start.act_from.date} on: {start.act_from.rule.value}.",
        )
    fresh = [offer for offer in facts.offers if now < offer.stale_at]
    if not fresh:
        return _ask_for_plans(facts)
    judged = [(offer.plan, offers.judge(offer.plan, _poa(facts).limits)) for offer in fresh]
    chosen = offers.choose(judged)
    if chosen is None:
        return Hold(
            HoldCode.OUTSIDE_LIMITS, HoldOwner.OFFICE, because=_nearest_miss(judged), act_by=start.last_act.date
        )
    return _accept(_offer_of(chosen, fresh), start, facts, now, policy)


def _ask_for_plans(facts: Facts) -> Step:
    if facts.has_asked_for_offers and not facts.offers:
        return Hold(
            HoldCode.NO_PLANS,
            HoldOwner.OFFICE,
            because="Light offers no plan for this meter today. Ask Light about the address, then release the hold.",
        )
    return RequestPlans(
        because="All three gates are open and the offers at hand are too old to accept."
        if facts.offers
        else "All three gates are open: it is time to ask Light for plans."
    )


def _accept(offer: OfferFacts, start: StartPlan, facts: Facts, now: datetime, policy: Policy) -> Step:
    if facts.is_paused:
        return Wait(
            until=None,
            code=Waiting.PAUSED,
            because="Acceptances are paused by the office.",
            whose_turn=HoldOwner.OFFICE,
            act_by=start.last_act.date,
        )
    account = _known_account(facts)
    if account.read_at is None or now > account.read_at + policy.fresh_reading:
        return ReadAccount(because="The account is read once more right before a plan is accepted.")
    return _came_to_nothing_too_often(WriteKind.ACCEPT_PLAN, facts, policy) or AcceptPlan(
        offer.offer_id,
        _poa(facts).poa_id,
        start.best,
        because=f"The offer is within every signed limit, and {start.best} is the earliest legal start "
        f"({start.earliest.rule.value}).",
    )


# The gates, each the reason why it is open, or the step it leads to while shut


def _authority_gate(facts: Facts, now: datetime) -> Wait | Hold | str:
    poa = facts.authority
    if poa is None:
        return Wait(
            until=None,
            code=Waiting.POA_TO_BE_SENT,
            because="No power of attorney was sent to the customer yet.",
            whose_turn=HoldOwner.OFFICE,
        )
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
        case _:
            return _authority_ended(_ending(poa))


def _ending(poa: AuthorityFacts) -> str:
    words = poa.status.label[0].lower() + poa.status.label[1:]
    return f"{words} ({poa.ended_because.rstrip('.')})" if poa.ended_because else words


def _authority_ended(why: str) -> Hold:
    return Hold(
        HoldCode.AUTHORITY_ENDED,
        HoldOwner.OFFICE,
        because=f"We may not act for the customer: the power of attorney does not allow it, {why}. Only his own new "
        "signature opens this gate.",
    )


def _readiness_gate(facts: Facts, now: datetime, policy: Policy) -> Wait | Hold | str:
    account = facts.account
    if account is None or account.read_at is None:
        return Wait(
            until=None,
            code=Waiting.LIGHT_TO_FINISH,
            because="Light has no account for the customer yet; it is made once he has signed.",
        )
    next_reading = account.read_at + policy.collecting_interval
    if account.stage in BEYOND_ACCEPTANCE:
        return "Light shows an accepted plan."
    match account.stage:
        case LightStage.READY:
            return "Light has everything it needs from the customer."
        case LightStage.FROZEN:
            return Wait(
                until=next_reading,
                code=Waiting.CREDIT_FROZEN,
                because="The customer's credit file is frozen. Light mailed him how to lift that and tries again by "
                "itself.",
                whose_turn=HoldOwner.CUSTOMER,
            )
        case LightStage.ENDED:
            return _cancel_reported()
        case LightStage.UNKNOWN:
            return _unknown_status(account, facts, next_reading, now, policy)
        case _:
            return _collecting(account, facts, next_reading, now, policy)


def _collecting(
    account: AccountFacts, facts: Facts, next_reading: datetime, now: datetime, policy: Policy
) -> Wait | Hold:
    if account.missing:
        todo = ", ".join(name.replace("_", " ") for name in account.missing)
        return Wait(
            until=next_reading,
            code=Waiting.CUSTOMER_TO_FINISH,
            because=f"The customer still has to give Light: {todo}.",
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


def _go_live_gate(facts: Facts) -> Wait | str:
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


# After the acceptance


def _after_acceptance(facts: Facts, now: datetime, policy: Policy) -> Step | None:
    """Nothing is undone silently: what speaks against an accepted plan goes to a person."""
    account = _known_account(facts)
    poa = facts.authority
    stopped = {PoaStatus.REVOKED, PoaStatus.SUSPENDED}
    if poa is not None and poa.status in stopped and HoldCode.REVOKED_AFTER_ACCEPTANCE not in facts.settled_codes:
        return Hold(
            HoldCode.REVOKED_AFTER_ACCEPTANCE,
            HoldOwner.OFFICE,
            because="The customer took the authority back after his plan was accepted. Tell him how to cancel at Light "
            f"before {facts.accepted_start}, then release the hold.",
            look_again_at=now + policy.watching_interval,
        )
    if facts.go_live.counted_date is None and HoldCode.GO_LIVE_WITHDRAWN not in facts.settled_codes:
        return Hold(
            HoldCode.GO_LIVE_WITHDRAWN,
            HoldOwner.OFFICE,
            because="The go-live report was withdrawn after the plan was accepted. Decide with the customer, then "
            "release the hold.",
            look_again_at=now + policy.watching_interval,
        )
    if facts.is_cancel_reported and HoldCode.CANCEL_REPORTED not in facts.settled_codes:
        return _cancel_reported()
    if account.read_at is None or facts.accepted_at is None or account.read_at < facts.accepted_at:
        return ReadAccount(because="The account is read to see the acceptance as Light shows it.")
    return None


def _finalize(facts: Facts, now: datetime, policy: Policy) -> Step:
    """Finish the enrollment while the authority stands; without it, only watch what becomes of the acceptance."""
    if facts.authority is None or facts.authority.status not in {PoaStatus.SIGNED, PoaStatus.EXHAUSTED}:
        return _watch(facts, now, policy)
    return _came_to_nothing_too_often(WriteKind.FINALIZE, facts, policy) or Finalize(
        because="The plan is accepted; Light waits for the enrollment to be finished."
    )


def _watch(facts: Facts, now: datetime, policy: Policy) -> Step:
    account = _known_account(facts)
    read_at = account.read_at or now
    start = facts.accepted_start
    is_late = start is not None and chicago_day(now) > start + policy.active_grace
    if is_late and HoldCode.NOT_ACTIVE_IN_TIME not in facts.settled_codes:
        return Hold(
            HoldCode.NOT_ACTIVE_IN_TIME,
            HoldOwner.OFFICE,
            because=f"Service was to start on {start} and Light does not show it active. Ask Light.",
            look_again_at=now + policy.watching_interval,
        )
    next_reading = read_at + policy.watching_interval
    if now >= next_reading:
        return ReadAccount(because="The account is read daily until service is active.")
    return Wait(
        until=next_reading,
        code=Waiting.SERVICE_TO_START,
        because=f"Everything is done; service starts on {start}.",
    )


def _cancel_reported() -> Hold:
    return Hold(
        HoldCode.CANCEL_REPORTED,
        HoldOwner.OFFICE,
        because="Light reported that the service was canceled. Ask the customer, then close or release the case.",
    )


# Small questions


def _is_reading_asked_for(facts: Facts) -> bool:
    is_over = facts.status == EnrollmentStatus.ENDED
    return facts.account is not None and facts.account.is_reading_asked_for and not is_over


def _poa(facts: Facts) -> AuthorityFacts:
    assert facts.authority is not None  # noqa: S101 - the authority gate is passed
    return facts.authority


def _known_account(facts: Facts) -> AccountFacts:
    assert facts.account is not None  # noqa: S101 - an account exists by now
    return facts.account


def _start_plan(facts: Facts, now: datetime, policy: Policy) -> StartPlan | NoLegalStart:
    poa = _poa(facts)
    today = chicago_day(now)
    return start_dates.plan(
        today=today,
        go_live_date=facts.go_live.counted_date or today,
        signed_earliest=poa.earliest_start,
        signed_latest=poa.latest_start,
        sunset=poa.sunset,
        embargo_end=facts.go_live.embargo_end,
        window=policy.window,
    )


def _with_last_day(gate: Wait | Hold, facts: Facts, now: datetime, policy: Policy) -> Wait | Hold:
    """Say by when a shut gate must open for a start to be legal still."""
    start = _start_plan(facts, now, policy)
    return replace(gate, act_by=start.last_act.date) if isinstance(start, StartPlan) else gate


def _offer_of(chosen: OfferedPlan, among: Sequence[OfferFacts]) -> OfferFacts:
    return next(offer for offer in among if offer.plan == chosen)


def _nearest_miss(judged: Sequence[tuple[OfferedPlan, Verdict]]) -> str:
    """Name the offer with the fewest failures, and how far off each is."""
    _, nearest = min(judged, key=lambda pair: (len(pair[1].failures), str(pair[0].light_plan_uuid)))
    misses = "; ".join(f"{field.field} {field.offered}, signed {field.signed}" for field in nearest.failures)
    return (
        f"None of the {len(judged)} plans on offer is within the signed limits. Nearest: {misses}. Wait for better "
        "prices and release the hold to ask again, or send the customer a new power of attorney."
    )
