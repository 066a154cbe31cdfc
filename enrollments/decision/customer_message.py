"""
What the customer is told about a case, decided together with the next step and stored with it. Pure.

The page and the mails read the stored code and decide nothing themselves. Anything that is the office's business
becomes "we are looking into something".
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from core.dates import chicago_day
from enrollments.decision.decide import decide, without_mail_trouble
from enrollments.decision.facts import Facts
from enrollments.decision.gates import Gate, gates
from enrollments.decision.policy import Policy
from enrollments.decision.steps import Finished, Hold, Step, Wait, Waiting
from enrollments.states import SETTLED_STATUSES, EnrollmentStatus, HoldCode
from poa_documents.states import PoaStatus

PREPARING = "PREPARING"
"""The account at Light is being created and read for the first time."""
WORKING = "WORKING"
CHECKING = "CHECKING"
CODES_BEFORE_SERVICE = {
    EnrollmentStatus.ACCEPTED: "PLAN_CHOSEN",
    EnrollmentStatus.FINALIZED: Waiting.SERVICE_TO_START.value,
}

_UNDER_WAY = frozenset({Waiting.CALL_IN_PROGRESS, Waiting.BACKING_OFF, Waiting.RETRYING})
_TOLD_TO_CUSTOMERS = frozenset(
    {
        HoldCode.AUTHORITY_ENDED,
        HoldCode.REVOKED_AFTER_ACCEPTANCE,
        HoldCode.OUTSIDE_LIMITS,
        HoldCode.NO_PLANS,
        HoldCode.NO_LEGAL_START,
        HoldCode.SELF_ENROLLED,
        HoldCode.COMPLETE_BUT_NOT_READY,
        HoldCode.CANCEL_REPORTED,
        HoldCode.NOT_ACTIVE_IN_TIME,
    }
)


@dataclass(frozen=True)
class CustomerState:
    """A section of `progress.toml`, and the date its text mentions, if any."""

    code: str
    until: date | None = None


def customer_state(facts: Facts, step: Step, *, now: datetime, policy: Policy) -> CustomerState:
    """Return what the customer is told while the case is at `step`, which was decided from `facts`."""
    if facts.mail_returned_because:  # bounced mail does not matter to a customer who is reading the page
        facts = without_mail_trouble(facts)
        step = decide(facts, now=now, policy=policy)
    source = _explaining_step(facts, step, gates(facts, now=now, policy=policy))
    return CustomerState(_code(facts, source), _date_in(source))


def code_of_settled(*, is_over: bool, was_accepted: bool, has_begun: bool, has_last_day: bool) -> str:
    """Return what the customer is told about a case in service, or about one that has ended."""
    if not is_over:
        return Waiting.SERVICE_ENDING.value if has_last_day else "ACTIVE"
    if not was_accepted:
        return "ENDED"
    return "SERVICE_ENDED" if has_begun else "NEVER_BEGAN"


def code_of_hold(code: HoldCode) -> str:
    """Return what the customer is told about a hold that the engine has not evaluated yet."""
    return code.value if code in _TOLD_TO_CUSTOMERS else CHECKING


def _explaining_step(facts: Facts, step: Step, gates: tuple[Gate, ...]) -> Step:
    """Return the step that explains the state: while a call is under way, the open hold or the first closed gate."""
    is_under_way = not isinstance(step, (Wait, Hold, Finished)) or (isinstance(step, Wait) and step.code in _UNDER_WAY)
    if is_under_way and facts.hold is not None:
        return Hold(facts.hold.code, facts.hold.owner, because=facts.hold.because)
    if is_under_way and facts.status == EnrollmentStatus.OPEN:
        return next((gate.blocked_by for gate in gates if gate.blocked_by is not None), step)
    return step


def _code(facts: Facts, source: Step) -> str:
    if facts.status in SETTLED_STATUSES:
        return code_of_settled(
            is_over=facts.status == EnrollmentStatus.ENDED,
            was_accepted=facts.accepted_at is not None,
            has_begun=facts.active_at is not None,
            has_last_day=facts.service_end is not None,
        )
    match source:
        case Wait(code=Waiting.LIGHT_TO_FINISH) if facts.account is None or facts.account.read_at is None:
            return PREPARING
        case Wait(code=code) if code not in _UNDER_WAY:
            return code.value
        case Hold(code=HoldCode.AUTHORITY_ENDED) if _is_being_looked_into(facts):
            return CHECKING
        case Hold(code=HoldCode.REVOKED_AFTER_ACCEPTANCE) if not _is_revoked(facts):
            return CHECKING
        case Hold(code=code):
            return code_of_hold(code)
        case _ if _can_still_be_accepted(facts) and facts.held_by_customer_since is not None:
            return Waiting.HELD_BY_CUSTOMER.value
        case _ if _can_still_be_accepted(facts) and _is_announced(facts):
            return Waiting.NOTICE.value
        case _:
            return CODES_BEFORE_SERVICE.get(facts.status, WORKING)


def _date_in(source: Step) -> date | None:
    match source:
        case Wait(code=Waiting.START_TOO_FAR, until=datetime() as until):
            return chicago_day(until)
        case Wait(code=Waiting.EMBARGO, until=datetime() as until):
            return chicago_day(until) - timedelta(days=1)
        case _:
            return None


def _can_still_be_accepted(facts: Facts) -> bool:
    """Whether a plan can still be accepted, even if Light is unreachable or a person is needed right now."""
    poa = facts.authority
    is_in_force = poa is not None and poa.status == PoaStatus.SIGNED and not poa.stopped_because
    return facts.status == EnrollmentStatus.OPEN and is_in_force


def _is_announced(facts: Facts) -> bool:
    poa, notice = facts.authority, facts.notice
    return poa is not None and notice is not None and notice.poa_id == poa.poa_id


def _is_being_looked_into(facts: Facts) -> bool:
    poa = facts.authority
    return poa is not None and (poa.status == PoaStatus.SUSPENDED or bool(poa.stopped_because))


def _is_revoked(facts: Facts) -> bool:
    return facts.authority is not None and facts.authority.status == PoaStatus.REVOKED
