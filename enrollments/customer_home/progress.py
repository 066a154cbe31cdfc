"""
What customers see of their enrollment: its status, what they must do, and which plan was accepted for them.

Pure. Nothing is decided here: it presents what was decided and stored with the case, in the customer's language.
Between a change and the next decision it says that the page is about to change.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from core.dates import chicago_day
from enrollments.decision import start_dates
from enrollments.decision.customer_message import CHECKING, CODES_BEFORE_SERVICE, PREPARING, WORKING, code_of_settled
from enrollments.decision.gates import GateName
from enrollments.decision.steps import Waiting
from enrollments.models import AdvanceNotice, Enrollment, PlanOffer
from enrollments.states import SETTLED_STATUSES, EnrollmentStatus, HoldCode
from poa_documents.limits import ComparedLine, compared_lines, format_date
from poa_documents.models import Envelope, PoaDocument
from poa_documents.phrases import Phrases, phrases_in
from poa_documents.states import PoaStatus

PHRASES_FILE = Path(__file__).resolve().parent / "progress.toml"

ASKING_LIGHT = "ASKING_LIGHT"
JUST_SIGNED = "JUST_SIGNED"
UPDATING = "UPDATING"

_CHANGES_SOON = frozenset({PREPARING, Waiting.DOCUMENT_TO_BE_STORED.value})
_CUSTOMERS_TURN = frozenset({Waiting.CUSTOMER_TO_FINISH.value, Waiting.CREDIT_FROZEN.value})
_BEFORE_SERVICE = frozenset({EnrollmentStatus.ACCEPTED, EnrollmentStatus.FINALIZED})
_JUST_SIGNED = frozenset({PoaStatus.SEALING, PoaStatus.SIGNED})
_HELD = frozenset({CHECKING, *HoldCode.values})
_FIRST = frozenset({Waiting.NOTICE.value, Waiting.HELD_BY_CUSTOMER.value})
_BEFORE_SIGNATURE = frozenset(
    {"", Waiting.POA_TO_BE_SENT, Waiting.CUSTOMER_TO_SIGN, Waiting.PAPER_TO_BE_SENT, Waiting.DOCUMENT_TO_BE_STORED}
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
    """One document of a plan: by its kind if we stored it, else by Light's URL."""

    label: str
    kind: str
    url: str


@dataclass(frozen=True)
class ShownPlan:
    """The accepted plan, or the announced one that the customer may still object to."""

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
    changes_soon: bool = False
    is_first: bool = False
    """Whether it comes before the section about the power of attorney."""


def words(language: str) -> Phrases:
    return phrases_in(language, PHRASES_FILE)


def progress(
    case: Enrollment,
    poa: PoaDocument,
    *,
    is_outdated: bool,
    missing: Sequence[str],
    notice: AdvanceNotice | None,
    offer: PlanOffer | None,
    language: str,
    contact: str,
    stored: Collection[str] = (),
) -> Progress:
    """
    Present the stored state of a case. `is_outdated`: something has changed since it was decided.

    `offer` is the accepted offer, or the one announced by `notice`, under `poa`. `stored` has the kinds of documents
    that we stored. `missing` is what Light still needed from the customer at the last reading.
    """
    phrases = words(language)
    code = _code_while_outdated(case, poa) if is_outdated else case.customer_code or WORKING
    if case.status in SETTLED_STATUSES:
        code = _code_of_settled(case)
    is_turn = code in _CUSTOMERS_TURN
    act_by = _say(case.act_by_date, language) if is_turn and case.act_by_date else ""
    can_resume = _can_still_be_accepted(case, poa) and case.held_by_customer_at is not None
    is_being_checked = _is_reading_requested(case) and code != ASKING_LIGHT
    values = _values(case, notice, offer, language)
    return Progress(
        code=code,
        title=phrases[code]["title"].format(**values),
        text=phrases[code]["text"].format(**values),
        tone=_tone(case, code, is_turn=is_turn),
        is_customers_turn=is_turn,
        can_continue_at_light=code == Waiting.CUSTOMER_TO_FINISH,
        todo=tuple(phrases["missing"][name] for name in missing) if code == Waiting.CUSTOMER_TO_FINISH else (),
        act_by=phrases["page"]["act_by"].format(act_by=act_by) if act_by else "",
        is_being_checked=is_being_checked,
        milestones=() if case.status == EnrollmentStatus.ENDED else _milestones(case, poa, phrases, is_turn=is_turn),
        plan=_plan(case, notice, offer, poa.envelope, stored, language=language, contact=contact) if offer else None,
        can_hold=_can_still_be_accepted(case, poa) and notice is not None and case.held_by_customer_at is None,
        can_resume=can_resume,
        is_first=is_turn or code in _FIRST or case.status in {*_BEFORE_SERVICE, *SETTLED_STATUSES},
        changes_soon=is_outdated or code in _CHANGES_SOON or is_being_checked,
    )


def just_signed(language: str) -> Progress:
    """Return what customers see between their signature and the first decision about their case."""
    phrases = words(language)[JUST_SIGNED]
    return Progress(
        code=JUST_SIGNED,
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
        changes_soon=True,
    )


def _code_while_outdated(case: Enrollment, poa: PoaDocument) -> str:
    """Return a code that no later decision can change: what the customer just did, or what is final."""
    if _can_still_be_accepted(case, poa) and case.held_by_customer_at is not None:
        return Waiting.HELD_BY_CUSTOMER.value
    if poa.status == PoaStatus.SEALING:
        return Waiting.DOCUMENT_TO_BE_STORED.value
    if case.status == EnrollmentStatus.OPEN and poa.status == PoaStatus.SIGNED and _is_just_signed(case):
        return JUST_SIGNED
    if case.status == EnrollmentStatus.OPEN and poa.status == PoaStatus.SIGNED and _is_reading_requested(case):
        return ASKING_LIGHT
    if case.status in _BEFORE_SERVICE and poa.status == PoaStatus.EXHAUSTED and case.customer_code not in _HELD:
        return CODES_BEFORE_SERVICE[EnrollmentStatus(case.status)]
    return UPDATING


def _is_just_signed(case: Enrollment) -> bool:
    return case.light_account_uuid is None and case.customer_code in _BEFORE_SIGNATURE


def _code_of_settled(case: Enrollment) -> str:
    return code_of_settled(
        is_over=case.status == EnrollmentStatus.ENDED,
        was_accepted=case.accepted_at is not None,
        has_begun=case.active_at is not None,
        has_last_day=case.service_end_date is not None,
    )


def _values(case: Enrollment, notice: AdvanceNotice | None, offer: PlanOffer | None, language: str) -> dict[str, str]:
    """Return the values of the placeholders in `progress.toml`."""
    rescind_until = start_dates.earliest_rescission_end(chicago_day(case.accepted_at)) if case.accepted_at else None
    return {
        "start": _say(case.service_start_date, language),
        "service_end": _say(case.service_end_date, language),
        "announced_start": _say(notice.start_date if notice else None, language),
        "object_until": _say(notice.last_day if notice else None, language),
        "held_since": _say(case.held_by_customer_at, language),
        "plan": offer.name if offer is not None else "",
        "rescind_until": _say(rescind_until, language),
        "until": _say(case.customer_until_date, language),
    }


def _can_still_be_accepted(case: Enrollment, poa: PoaDocument) -> bool:
    """Whether a plan can still be accepted, even if Light is unreachable or a person is needed right now."""
    is_in_force = poa.status == PoaStatus.SIGNED and case.customer_code != HoldCode.AUTHORITY_ENDED
    return case.status == EnrollmentStatus.OPEN and is_in_force


def _is_reading_requested(case: Enrollment) -> bool:
    return case.readings_asked > case.readings_given and case.light_account_uuid is not None


def _tone(case: Enrollment, code: str, *, is_turn: bool) -> str:
    if case.status == EnrollmentStatus.ACTIVE:
        return "warn" if case.service_end_date is not None else "good"
    if is_turn or code in _HELD:
        return "warn"
    return "good" if case.status in _BEFORE_SERVICE and code != UPDATING else ""


def _milestones(case: Enrollment, poa: PoaDocument, phrases: Phrases, *, is_turn: bool) -> tuple[Milestone, ...]:
    open_gates = {gate["name"] for gate in case.gates if gate["is_open"]}
    is_accepted = case.status in {EnrollmentStatus.ACTIVE, *_BEFORE_SERVICE}
    done = {
        "SIGNED": poa.status in _JUST_SIGNED or is_accepted,
        "DETAILS": GateName.READINESS in open_gates or is_accepted,
        "EQUIPMENT": GateName.GO_LIVE in open_gates,
        "PLAN": is_accepted,
        "SERVICE": case.status == EnrollmentStatus.ACTIVE,
    }
    shown = []
    for name, is_done in done.items():
        state = MilestoneState.DONE if is_done else MilestoneState.AHEAD
        if name == "DETAILS" and is_turn:
            state = MilestoneState.YOURS
        shown.append(Milestone(phrases["milestone"][name], state, phrases["milestone"][state.value]))
    return tuple(shown)


def _plan(
    case: Enrollment,
    notice: AdvanceNotice | None,
    offer: PlanOffer,
    envelope: Envelope,
    stored: Collection[str],
    *,
    language: str,
    contact: str,
) -> ShownPlan:
    page = words(language)["page"]
    is_accepted = case.accepted_at is not None
    is_before_service = case.status in _BEFORE_SERVICE
    announced = notice.start_date if notice else None
    start = _say(case.service_start_date if is_accepted else announced, language)
    rows = [(page["plan_name"], offer.name)]
    if case.active_at is not None or case.status != EnrollmentStatus.ENDED:
        rows.insert(0, (page["started" if case.active_at is not None else "start"], start))
    if case.accepted_at is not None and is_before_service:
        last_day = start_dates.earliest_rescission_end(chicago_day(case.accepted_at))
        rows.append((page["rescind_until"], _say(last_day, language)))
    elif not is_accepted and notice is not None:
        rows.append((page["object_until"], _say(notice.last_day, language)))
    if case.service_end_date is not None and case.active_at is not None:
        rows.append((page["last_day"], _say(case.service_end_date, language)))
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
    return format_date(chicago_day(moment) if isinstance(moment, datetime) else moment, language)
