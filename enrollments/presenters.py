"""Labels, colors and dates for the staff pages. Pure: the records and the time are passed in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.text import capfirst

from core.admin.links import record_url
from core.admin.tables import Cell, Table
from core.dates import chicago_day, short_date
from core.staff_formats import age, moment
from enrollments.decision.gates import Gate
from enrollments.decision.steps import (
    AcceptPlan,
    Close,
    Finalize,
    Finished,
    GiveNotice,
    Hold,
    LiftHold,
    OpenAccount,
    ReadAccount,
    RecordClientAgent,
    RequestPlans,
    SettleDoubt,
    Step,
    Wait,
    Waiting,
)
from enrollments.models import Enrollment, PlanOffer
from enrollments.queries import CaseCount, QueueChoice, QueuePart
from enrollments.states import HoldCode, HoldOwner

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

GATE_LABELS = {"AUTHORITY": "Authority", "READINESS": "Readiness", "GO_LIVE": "Go-live"}

WAITING_LABELS: dict[str, str] = {
    Waiting.POA_TO_BE_SENT: "Send the power of attorney",
    Waiting.CUSTOMER_TO_SIGN: "Waiting for the customer to sign",
    Waiting.PAPER_TO_BE_SENT: "Mail the paper form",
    Waiting.SIGNER_TO_BE_VERIFIED: "Call the customer back",
    Waiting.DOCUMENT_TO_BE_STORED: "Storing the signed document",
    Waiting.EMBARGO: "Waiting until the buyer can no longer cancel",
    Waiting.CUSTOMER_TO_FINISH: "Waiting for the customer to finish at Light",
    Waiting.CREDIT_FROZEN: "Credit file is frozen",
    Waiting.LIGHT_TO_FINISH: "Waiting for Light's checks",
    Waiting.GO_LIVE: "Waiting for the go-live report",
    Waiting.GO_LIVE_CONFIRMATION: "Confirm the go-live report",
    Waiting.START_TOO_FAR: "Start date is too far away",
    Waiting.NOTICE: "Customer may still object",
    Waiting.HELD_BY_CUSTOMER: "Customer put it on hold",
    Waiting.PAUSED: "Acceptances are paused",
    Waiting.WRITES_STOPPED: "All writes to Light are stopped",
    Waiting.CALL_IN_PROGRESS: "Waiting for a call to finish",
    Waiting.BACKING_OFF: "Light cannot be reached",
    Waiting.RETRYING: "Trying again",
    Waiting.SERVICE_TO_START: "Waiting for service to start",
    Waiting.SERVICE_ENDING: "Service is ending",
}

STEP_LABELS: dict[type[Any], str] = {
    OpenAccount: "Create the customer's account at Light",
    RecordClientAgent: "Tell Light that we act for the customer",
    ReadAccount: "Read the account at Light",
    RequestPlans: "Ask Light for plans",
    GiveNotice: "Tell the customer which plan will be accepted",
    AcceptPlan: "Accept a plan",
    Finalize: "Finalize the enrollment at Light",
    SettleDoubt: "Check at Light whether a call went through",
    LiftHold: "End the hold",
    Close: "Close the case",
    Finished: "Nothing more to do",
}
_LABELS_BY_NAME = {"HOLD": "Blocked"} | {kind.__name__.upper(): label for kind, label in STEP_LABELS.items()}

PART_LABELS = {
    QueuePart.HELD: "Blocked",
    QueuePart.WAITING: "Waiting for someone",
    QueuePart.RUNNING: "Running automatically",
}


def reason_label(reason: str) -> str:
    """Return the label of a hold's code or a case's next step."""
    if reason in HoldCode.values:
        return str(HoldCode(reason).label)
    if reason in WAITING_LABELS:
        return WAITING_LABELS[reason]
    if reason in _LABELS_BY_NAME:
        return _LABELS_BY_NAME[reason]
    return reason.replace("_", " ").capitalize() or "Not decided yet"


def owner_label(owner: str | None) -> str:
    return str(HoldOwner(owner).label) if owner else "No one"


def step_label(step: Step) -> str:
    match step:
        case Wait():
            return reason_label(step.code)
        case Hold():
            return f"Needs attention: {step.code.label}"
        case AcceptPlan():
            return f"Accept the plan with service from {short_date(step.start)}"
        case _:
            return STEP_LABELS[type(step)]


@dataclass(frozen=True)
class GateView:
    """A gate as shown on a page. Its state is a word; the color only repeats it."""

    label: str
    is_open: bool
    because: str

    @property
    def state(self) -> str:
        return "open" if self.is_open else "closed"

    @property
    def tone(self) -> str:
        return "good" if self.is_open else "warning"

    @property
    def mark(self) -> str:
        return "✓" if self.is_open else "✕"


def gate_views(gates: Sequence[Gate]) -> list[GateView]:
    return [GateView(GATE_LABELS[gate.name], gate.is_open, gate.because) for gate in gates]


def stored_gate_views(gates: Sequence[dict[str, Any]]) -> list[GateView]:
    """Return views of the gates as stored on the enrollment."""
    return [
        GateView(
            GATE_LABELS.get(str(gate.get("name")), str(gate.get("name"))),
            bool(gate.get("is_open")),
            str(gate.get("because", "")),
        )
        for gate in gates
    ]


@dataclass(frozen=True)
class NextStepView:
    """The next step of a case: what, why, when, and whose turn it is."""

    label: str
    because: str
    whose_turn: str
    when: str
    act_by: str
    needs_person: bool
    decided: str = ""


def stored_step_view(case: Any, hold: Any, *, now: datetime) -> NextStepView:
    """Return the engine's last stored decision about a case. `hold` is the open hold, or None."""
    return NextStepView(
        label=reason_label(hold.code) if hold is not None else reason_label(case.next_step),
        because=hold.because if hold is not None else case.because,
        whose_turn=owner_label(hold.owner if hold is not None else case.whose_turn),
        when=_stored_when(case, is_held=hold is not None, now=now),
        act_by=short_date(case.act_by_date) if case.act_by_date else "",
        needs_person=hold is not None,
        decided=moment(case.decided_at) if case.decided_at else "",
    )


def _stored_when(case: Any, *, is_held: bool, now: datetime) -> str:
    again = _at(case.due_at, now) if case.due_at else ""
    if is_held:
        return f"When someone acts; the account is read again {again}" if again else "When someone acts"
    if case.next_step == "FINISHED":
        return "—"
    return again.capitalize() if again else "When someone acts"


def next_step_view(step: Step, *, due_at: datetime | None, now: datetime) -> NextStepView:
    owner = step.owner if isinstance(step, Hold) else step.whose_turn if isinstance(step, Wait) else None
    return NextStepView(
        label=step_label(step),
        because=step.because,
        whose_turn=owner_label(owner) if owner else "No one; it continues automatically",
        when=_when(step, due_at=due_at, now=now),
        act_by=short_date(step.act_by) if isinstance(step, Wait | Hold) and step.act_by else "",
        needs_person=isinstance(step, Hold),
    )


def _when(step: Step, *, due_at: datetime | None, now: datetime) -> str:
    match step:
        case Finished():
            return "—"
        case Hold():
            return (
                f"When someone acts; the account is read again {_at(step.look_again_at, now)}"
                if step.look_again_at
                else "When someone acts"
            )
        case Wait():
            return _at(step.until, now) if step.until else "When someone acts"
        case _:
            return _at(due_at, now) if due_at and due_at > now else "Now"


def _at(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "—"
    return f"{moment(at)} (in {age(now, at)})" if at > now else "now"


@dataclass(frozen=True)
class QueueRow:
    """One case in the work queue."""

    url: str
    customer: str
    place: str
    esi_id: str
    reason: str
    because: str
    age: str
    released: str
    whose_turn: str
    gates: list[GateView]
    next_step: str
    when: str
    act_by: str
    is_overdue: bool


def queue_row(case: Any, *, now: datetime) -> QueueRow:
    """Present a case from `queries.cases_of` without further queries."""
    held = case.hold_code is not None
    act_by = case.act_by_date
    return QueueRow(
        url=record_url(case),
        customer=str(case.customer),
        place=str(case.site),
        esi_id=case.site.esi_id,
        reason=reason_label(case.hold_code if held else case.next_step),
        because=case.hold_because if held else case.because,
        age=age(case.blocked_since if held else case.opened_at, now),
        released=times_released(case.times_released) if held else "",
        whose_turn=owner_label(case.hold_owner if held else case.whose_turn),
        gates=stored_gate_views(case.gates),
        next_step="When someone acts" if held else reason_label(case.next_step),
        when=_queue_when(case.due_at, held=held, now=now),
        act_by=short_date(act_by) if act_by else "",
        is_overdue=bool(act_by and act_by < chicago_day(now)),
    )


def times_released(count: int) -> str:
    """Say how often a hold with this reason was released before; empty if never."""
    return f"released {count} time{'' if count == 1 else 's'} before" if count else ""


def _queue_when(due_at: datetime | None, *, held: bool, now: datetime) -> str:
    if due_at is None:
        return "" if held else "when someone acts"
    return f"next check {_at(due_at, now)}"


@dataclass(frozen=True)
class QueueTab:
    label: str
    cases: int
    query: str
    is_current: bool


def part_tabs(counts: Sequence[CaseCount], choice: QueueChoice) -> list[QueueTab]:
    return [
        QueueTab(
            label=PART_LABELS[part],
            cases=sum(count.cases for count in counts if count.part == part),
            query=f"?part={part.value}",
            is_current=part == choice.part,
        )
        for part in QueuePart
    ]


def reason_tabs(counts: Sequence[CaseCount], choice: QueueChoice) -> list[QueueTab]:
    """Return the reasons within the chosen part and owner, the most frequent first."""
    within = [count for count in counts if count.part == choice.part and choice.owner in ("", count.owner)]
    totals: dict[str, int] = {}
    for count in within:
        totals[count.reason] = totals.get(count.reason, 0) + count.cases
    base = f"?part={choice.part.value}" + (f"&owner={choice.owner}" if choice.owner else "")
    every = QueueTab("All reasons", sum(totals.values()), base, is_current=not choice.reason)
    ranked = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return [
        every,
        *(
            QueueTab(reason_label(reason), cases, f"{base}&reason={reason}", is_current=reason == choice.reason)
            for reason, cases in ranked
            if reason
        ),
    ]


def owner_tabs(counts: Sequence[CaseCount], choice: QueueChoice) -> list[QueueTab]:
    """Return whose turn it is within the chosen part."""
    within = [count for count in counts if count.part == choice.part]
    base = f"?part={choice.part.value}"
    every = QueueTab("Everyone", sum(count.cases for count in within), base, is_current=not choice.owner)
    tabs = [every]
    for owner in HoldOwner:
        cases = sum(count.cases for count in within if count.owner == owner)
        if cases:
            tabs.append(
                QueueTab(
                    f"{owner.label}'s turn",
                    cases,
                    f"{base}&owner={owner.value}",
                    is_current=owner == choice.owner,
                )
            )
    return tabs


def failed_limits(offer: PlanOffer) -> str:
    """Name the limits that an offer fails, in one line."""
    return ", ".join(str(verdict.get("field", "")) for verdict in offer.verdict if not verdict.get("fits"))


def status_at_light(enrollment: Enrollment) -> str:
    """Return Light's status, or the stage derived from its flags if it shows none."""
    if enrollment.light_status or enrollment.last_read_at is None:
        return enrollment.light_status or "—"
    return f"Light shows none. Derived from its flags: {enrollment.light_stage.lower()}"


def _short_identifier(text: str) -> str:
    """Return the start of a UUID, which is enough to compare two; other texts are unchanged."""
    return f"{text[:8]}…" if _UUID.fullmatch(text) else text


def verdict_table(offer: PlanOffer, *, url: str = "") -> Table:
    """Compare an offer with the signed limits, field by field, the failures first."""
    verdicts = sorted(offer.verdict, key=lambda verdict: bool(verdict.get("fits")))
    rows = [
        [
            Cell(capfirst(str(verdict.get("field", "")))),
            Cell(_short_identifier(str(verdict.get("signed", "")))),
            Cell(_short_identifier(str(verdict.get("offered", "")))),
            Cell(
                "Fits" if verdict.get("fits") else "Fails",
                tone="good" if verdict.get("fits") else "bad",
                note=str(verdict.get("because", "")),
            ),
        ]
        for verdict in verdicts
    ]
    return Table(
        title=f"Offer “{offer}” compared with the signed limits",
        shows=PlanOffer,
        columns=("What", "Signed", "Offered", "Verdict"),
        rows=rows,
        empty="Not judged yet.",
        more_url=url,
        more_label="Show the whole offer",
    )
