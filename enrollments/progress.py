"""
What customers see of their enrollment: where it stands, what they must do, and which plan was accepted for them.

Pure. It says what `decision.decide` found in the customer's own words and language; whatever is the office's business
becomes "we are looking into something".
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from core.dates import chicago_day
from enrollments import start_dates
from enrollments.facts import Facts
from enrollments.gates import Gate
from enrollments.models import PlanOffer
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner
from enrollments.steps import Finished, Hold, Step, Wait, Waiting
from poa_documents.limits import ComparedLine, compared_lines, say_date
from poa_documents.models import Envelope
from poa_documents.phrases import Phrases, phrases_in
from poa_documents.states import PoaStatus

PHRASES_FILE = Path(__file__).resolve().parent / "progress.toml"

PREPARING = "PREPARING"
"""Our own code for the time in which the account at Light is made and read for the first time."""

_SOON_DIFFERENT = frozenset({PREPARING, Waiting.DOCUMENT_TO_BE_STORED.value})
_WORKING = frozenset({Waiting.CALL_UNDER_WAY, Waiting.BACKING_OFF, Waiting.TRYING_AGAIN})
_SIGNED_ALREADY = frozenset({Waiting.DOCUMENT_TO_BE_STORED, Waiting.EMBARGO})
_CUSTOMERS_TURN = frozenset({Waiting.CUSTOMER_TO_FINISH.value, Waiting.CREDIT_FROZEN.value})
_CODES_AFTER_ACCEPTANCE = {
    EnrollmentStatus.ACCEPTED: "PLAN_CHOSEN",
    EnrollmentStatus.FINALIZED: Waiting.SERVICE_TO_START.value,
}
_BEFORE_SERVICE = frozenset({EnrollmentStatus.ACCEPTED, EnrollmentStatus.FINALIZED})
_TOLD_TO_CUSTOMERS = frozenset(
    {
        HoldCode.AUTHORITY_ENDED,
        HoldCode.REVOKED_AFTER_ACCEPTANCE,
        HoldCode.OUTSIDE_LIMITS,
        HoldCode.NO_PLANS,
        HoldCode.NO_LEGAL_START,
        HoldCode.CUSTOMER_ENROLLED_HIMSELF,
        HoldCode.NOT_READY_THOUGH_COMPLETE,
        HoldCode.CANCEL_REPORTED,
        HoldCode.NOT_ACTIVE_IN_TIME,
    }
)


class MilestoneState(StrEnum):
    DONE = "done"
    YOURS = "yours"
    AHEAD = "ahead"


@dataclass(frozen=True)
class Milestone:
    label: str
    state: MilestoneState
    state_label: str


@dataclass(frozen=True)
class DocumentLink:
    """One document of a plan: by its kind where it is stored with us, else by Light's address."""

    label: str
    kind: str
    url: str


@dataclass(frozen=True)
class ShownPlan:
    """The plan that was accepted, or the one that was announced and may still be objected to."""

    title: str
    rows: tuple[tuple[str, str], ...]
    compared: tuple[ComparedLine, ...]
    documents: tuple[DocumentLink, ...]
    opt_out: str


@dataclass(frozen=True)
class Progress:
    code: str
    title: str
    text: str
    tone: str
    is_customers_turn: bool
    can_continue_at_light: bool
    todo: tuple[str, ...]
    act_by: str
    is_being_checked: bool
    milestones: tuple[Milestone, ...]
    plan: ShownPlan | None
    can_hold: bool = False
    can_resume: bool = False
    is_soon_different: bool = False


def words(language: str) -> Phrases:
    return phrases_in(language, PHRASES_FILE)


def progress(
    facts: Facts,
    step: Step,
    gates: Sequence[Gate],
    *,
    offer: PlanOffer | None,
    envelope: Envelope,
    language: str,
    contact: str,
    stored: Collection[str] = (),
) -> Progress:
    """
    Say where the case stands. `step` and `gates` are what the decision made of `facts`.

    `offer` was accepted, or else announced, under the limits of `envelope`; `stored` names the kinds of its documents
    that we keep ourselves.
    """
    phrases = words(language)
    source = _telling(facts, step, gates)
    code = _code(facts, source)
    is_turn = code in _CUSTOMERS_TURN and facts.account is not None
    missing = facts.account.missing if facts.account is not None and code == Waiting.CUSTOMER_TO_FINISH else ()
    values = {
        "start": _say(facts.accepted_start, language),
        "service_end": _say(facts.service_end, language),
        "embargo_end": _say(facts.go_live.embargo_end, language),
        "announced_start": _say(facts.notice.start if facts.notice else None, language),
        "object_until": _say(facts.notice.last_day if facts.notice else None, language),
        "held_since": _say(facts.held_by_customer_since, language),
        "plan": offer.name if offer is not None else "",
        "rescind_until": _say(
            start_dates.sure_rescission_end(chicago_day(facts.accepted_at)) if facts.accepted_at else None, language
        ),
        "until": _say(source.until if isinstance(source, Wait) else None, language),
    }
    act_by = source.act_by if isinstance(source, Wait) and source.whose_turn == HoldOwner.CUSTOMER else None
    return Progress(
        code=code,
        title=phrases[code]["title"].format(**values),
        text=phrases[code]["text"].format(**values),
        tone=_tone(facts, source, is_turn=is_turn),
        is_customers_turn=is_turn,
        can_continue_at_light=is_turn and code == Waiting.CUSTOMER_TO_FINISH,
        todo=tuple(phrases["missing"][name] for name in missing),
        act_by=phrases["page"]["act_by"].format(act_by=_say(act_by, language)) if act_by and is_turn else "",
        is_being_checked=facts.account is not None and facts.account.is_reading_asked_for,
        milestones=()
        if facts.status == EnrollmentStatus.ENDED
        else _milestones(facts, gates, phrases, is_turn=is_turn),
        plan=_plan(facts, offer, envelope, stored, language=language, contact=contact) if offer is not None else None,
        can_hold=_may_be_accepted(facts) and _is_announced(facts) and facts.held_by_customer_since is None,
        can_resume=_may_be_accepted(facts) and facts.held_by_customer_since is not None,
        is_soon_different=code in _SOON_DIFFERENT or (facts.account is not None and facts.account.is_reading_asked_for),
    )


def preparing(language: str) -> Progress:
    """What customers see in the moment between their signature and the first look at their case."""
    phrases = words(language)[PREPARING]
    return Progress(
        code=PREPARING,
        title=phrases["title"],
        text=phrases["text"],
        tone="",
        is_customers_turn=False,
        can_continue_at_light=False,
        todo=(),
        act_by="",
        is_being_checked=False,
        milestones=(),
        plan=None,
        is_soon_different=True,
    )


def _may_be_accepted(facts: Facts) -> bool:
    """Whether a plan may be accepted yet, whatever it waits for now: Light may be away, or a person needed."""
    poa = facts.authority
    is_in_force = poa is not None and poa.status == PoaStatus.SIGNED and not poa.stopped_because
    return facts.status == EnrollmentStatus.OPEN and is_in_force


def _is_announced(facts: Facts) -> bool:
    poa, notice = facts.authority, facts.notice
    return poa is not None and notice is not None and notice.poa_id == poa.poa_id


def _telling(facts: Facts, step: Step, gates: Sequence[Gate]) -> Step:
    """What tells the customer most: while something runs, the open hold, or the first gate that is shut."""
    is_running = not isinstance(step, (Wait, Hold, Finished)) or (isinstance(step, Wait) and step.code in _WORKING)
    if is_running and facts.hold is not None:
        return Hold(facts.hold.code, facts.hold.owner, because=facts.hold.because)
    if is_running and facts.status == EnrollmentStatus.OPEN:
        return next((gate.blocked_by for gate in gates if gate.blocked_by is not None), step)
    return step


def _code(facts: Facts, source: Step) -> str:
    if facts.status == EnrollmentStatus.ACTIVE and facts.service_end is not None:
        return Waiting.SERVICE_ENDING.value
    if facts.status in {EnrollmentStatus.ACTIVE, EnrollmentStatus.ENDED}:
        return facts.status.value
    match source:
        case Wait(code=Waiting.LIGHT_TO_FINISH) if facts.account is None or facts.account.read_at is None:
            return PREPARING
        case Wait(code=code) if code not in _WORKING:
            return code.value
        case Hold(code=HoldCode.AUTHORITY_ENDED) if _is_being_looked_into(facts):
            return "CHECKING"
        case Hold(code=HoldCode.REVOKED_AFTER_ACCEPTANCE) if not _is_revoked(facts):
            return "CHECKING"
        case Hold(code=code):
            return code.value if code in _TOLD_TO_CUSTOMERS else "CHECKING"
        case _ if _may_be_accepted(facts) and facts.held_by_customer_since is not None:
            return Waiting.HELD_BY_CUSTOMER.value
        case _ if _may_be_accepted(facts) and _is_announced(facts):
            return Waiting.NOTICE.value
        case _:
            return _CODES_AFTER_ACCEPTANCE.get(facts.status, "WORKING")


def _is_being_looked_into(facts: Facts) -> bool:
    poa = facts.authority
    return poa is not None and (poa.status == PoaStatus.SUSPENDED or bool(poa.stopped_because))


def _is_revoked(facts: Facts) -> bool:
    return facts.authority is not None and facts.authority.status == PoaStatus.REVOKED


def _tone(facts: Facts, source: Step, *, is_turn: bool) -> str:
    if facts.status == EnrollmentStatus.ACTIVE:
        return "warn" if facts.service_end is not None else "good"
    if facts.status in _BEFORE_SERVICE and not isinstance(source, Hold):
        return "good"
    return "warn" if is_turn or isinstance(source, Hold) else ""


def _milestones(facts: Facts, gates: Sequence[Gate], phrases: Phrases, *, is_turn: bool) -> tuple[Milestone, ...]:
    authority, readiness, go_live = (gate.is_open for gate in gates)
    shut_by = gates[0].blocked_by
    is_signed = authority or (isinstance(shut_by, Wait) and shut_by.code in _SIGNED_ALREADY)
    is_accepted = facts.status in {EnrollmentStatus.ACTIVE, *_BEFORE_SERVICE}
    done = {
        "SIGNED": is_signed or is_accepted,
        "DETAILS": readiness or is_accepted,
        "EQUIPMENT": go_live,
        "PLAN": is_accepted,
        "SERVICE": facts.status == EnrollmentStatus.ACTIVE,
    }
    shown = []
    for name, is_done in done.items():
        state = MilestoneState.DONE if is_done else MilestoneState.AHEAD
        if name == "DETAILS" and is_turn:
            state = MilestoneState.YOURS
        shown.append(Milestone(phrases["milestone"][name], state, phrases["milestone"][state.value]))
    return tuple(shown)


def _plan(
    facts: Facts, offer: PlanOffer, envelope: Envelope, stored: Collection[str], *, language: str, contact: str
) -> ShownPlan:
    page = words(language)["page"]
    is_accepted = facts.accepted_at is not None
    is_before_service = facts.status in _BEFORE_SERVICE
    announced = facts.notice.start if facts.notice else None
    start = _say(facts.accepted_start if is_accepted else announced, language)
    rows = [
        (page["start" if is_before_service or not is_accepted else "started"], start),
        (page["plan_name"], offer.name),
    ]
    if facts.accepted_at is not None and is_before_service:
        last_day = start_dates.sure_rescission_end(chicago_day(facts.accepted_at))
        rows.append((page["rescind_until"], _say(last_day, language)))
    elif not is_accepted and facts.notice is not None:
        rows.append((page["object_until"], _say(facts.notice.last_day, language)))
    addresses = {"EFL": offer.efl_url, "TOS": offer.tos_url, "YRAC": offer.yrac_url}
    documents = (
        DocumentLink(page[kind.lower()], kind if kind in stored else "", url) for kind, url in addresses.items()
    )
    return ShownPlan(
        title=page["plan" if is_accepted else "announced_plan"],
        rows=tuple((label, value) for label, value in rows if value),
        compared=tuple(compared_lines(offer, envelope, language)),
        documents=tuple(document for document in documents if document.kind or document.url),
        opt_out=page["opt_out_text"].format(start=start, contact=contact) if is_before_service else "",
    )


def _say(moment: date | datetime | None, language: str) -> str:
    if moment is None:
        return ""
    return say_date(chicago_day(moment) if isinstance(moment, datetime) else moment, language)
