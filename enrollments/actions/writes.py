"""
The three steps of every write to Light: record it, make the call with no transaction open, close the record.

A crash at any line leaves an open record, and an open record older than a call can last is in doubt, never "not done".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from core import clock_drift
from core.actors import LIGHT, SYSTEM
from core.clock import Clock
from core.due_rows import Backoff, spread
from core.transactions import repeatable
from enrollments.actions.moves import EnrollmentMoved, lock, note, take_move
from enrollments.decision.decide import decide
from enrollments.decision.facts import Facts
from enrollments.decision.policy import Policy
from enrollments.decision.steps import Step
from enrollments.engine.gathering import gather, governing_poa
from enrollments.light.client import LightClient
from enrollments.light.errors import (
    Conflict,
    InDoubt,
    LightError,
    NotReached,
    PaceExceeded,
    Redirected,
    Refused,
    Unauthorized,
    WrongDialect,
)
from enrollments.light.redaction import redact
from enrollments.models import AcceptAttempt, Enrollment, LightWrite
from enrollments.states import UNSETTLED_WRITE_STATUSES, EnrollmentStatus, HoldCode, WriteKind, WriteStatus
from poa_documents.guards import AuthorityMissing, check_authority
from poa_documents.models import PoaDocument

MAX_DELAY_BEFORE_SENDING = timedelta(seconds=30)
BACKOFF = Backoff(first=timedelta(seconds=5), longest=timedelta(minutes=15))

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Tools:
    """What every step needs: the way to Light, the clock, and the office's numbers."""

    light: LightClient
    clock: Clock
    policy: Policy


class WriteStopped(Exception):
    """People stopped the write after it was recorded, or the case changed. Nothing was sent."""


class CallFailed(Exception):
    """The write did not end in an answer. Its record and the enrollment already say what that means."""


def still_due(enrollment_id: int, step: Step, *, at: datetime, policy: Policy) -> tuple[Enrollment, PoaDocument, Facts]:
    """
    Lock the enrollment and its POA, gather the facts anew and insist that `step` is still the next one, to the letter.

    Only inside a transaction. Whatever happened since the step was decided, a revocation, a pause, midnight, another
    worker, then shows as another decision. With the POA locked, a revocation either came before, and is seen, or comes
    after the transaction.

    :raises EnrollmentMoved: something else comes next now
    """
    enrollment, poa, facts = _lock_and_gather(enrollment_id)
    if decide(facts, now=at, policy=policy) != step:
        raise EnrollmentMoved(f"{enrollment} moved on before “{type(step).__name__}” could begin.")
    assert poa is not None  # noqa: S101 - each step that is begun here stands on an authority
    return enrollment, poa, facts


def _lock_and_gather(enrollment_id: int) -> tuple[Enrollment, PoaDocument | None, Facts]:
    enrollment = lock(enrollment_id)
    poa = governing_poa(enrollment, is_locked=True)
    return enrollment, poa, gather(enrollment, poa)


def open_write(
    enrollment: Enrollment, kind: WriteKind, request: dict[str, Any], *, at: datetime, poa: PoaDocument
) -> LightWrite:
    """
    Record a write before it is made, under the locked POA that allows it.

    The database refuses a second one while one is unsettled.
    """
    write = LightWrite.objects.create(enrollment=enrollment, kind=kind, opened_at=at, request=redact(request))
    note(enrollment, f"begin_{kind.lower()}", by=SYSTEM, at=at, poa=poa)
    return write


def abandon_open_writes(enrollment_id: int, *, at: datetime) -> None:
    """Doubt whatever write an enrollment's dead or failed worker left open; what it never sent did not happen."""
    for write in LightWrite.objects.filter(enrollment_id=enrollment_id, status=WriteStatus.OPEN):
        if write.sent_at is None:
            close_not_done(write.pk, outcome="Not sent: the worker stopped before.", at=at)
        else:
            lose_answer(write.pk, outcome="The worker stopped before an answer was kept.", at=at)


@repeatable
def check_still_wanted(write: LightWrite, step: Step, tools: Tools) -> None:
    """
    Look once more at the case, right before a write is sent: would it be decided now, and does the authority stand?

    Recording and sending may lie apart: an account token is fetched in between, Light may be slow, or a call waits its
    turn. A pause, a revocation, a withdrawn go-live or midnight then still counts, and so does another worker that took
    this one for dead.

    From here on it counts as sent: should the worker die, it is in doubt, while one without this note never happened.

    :raises WriteStopped: it must not be sent any more
    """
    at = tools.clock.now()
    if problem := clock_drift.clock_problem():
        raise WriteStopped(f"{write.get_kind_display()}: {problem}")
    enrollment, poa, facts = _lock_and_gather(write.enrollment_id)
    current = facts.unsettled
    if current is None or current.write_id != write.pk or current.status != WriteStatus.OPEN:
        raise WriteStopped(f"{write.get_kind_display()}: it was settled meanwhile.")
    status = EnrollmentStatus.OPEN if write.kind == WriteKind.ACCEPT_PLAN else facts.status
    comes_next = decide(replace(facts, unsettled=None, status=status), now=at, policy=tools.policy)
    if comes_next != step:
        raise WriteStopped(f"{write.get_kind_display()}: the case changed meanwhile. {comes_next.because}")
    assert poa is not None  # noqa: S101 - the step needs one, and is still the next
    is_conclusion = write.kind in {WriteKind.FINALIZE, WriteKind.UPDATE_ACCOUNT}
    try:
        check_authority(poa, esi_id=enrollment.site.esi_id, at=at, concluding=is_conclusion)
    except AuthorityMissing as missing:
        raise WriteStopped(f"{write.get_kind_display()}: {missing.for_staff}") from missing
    write.sent_at = at
    write.save(update_fields=["sent_at"])


def call(write: LightWrite, step: Step, send: Callable[[Callable[[], None]], Answer], *, tools: Tools) -> Answer:
    """
    Make the call that `write` records, and close the record unless an answer came.

    `send` is given what must be called at the last moment before anything is sent. With an answer the caller closes
    the record, in the transaction that keeps what the answer brought.

    An answer is not yet a success: the caller compares it with what was asked for.

    A worker that slept between record and call, in a paused machine say, must not send any more: others may already
    be looking for the outcome.

    :raises CallFailed: no answer; record and enrollment are up to date
    """
    clock = tools.clock
    if clock.now() - write.opened_at > MAX_DELAY_BEFORE_SENDING:
        close_not_done(write.pk, outcome="Not sent: too long after it was recorded.", at=clock.now())
        raise CallFailed(f"Write {write.pk} was too old to be sent.")
    try:
        return send(lambda: check_still_wanted(write, step, tools))
    except WriteStopped as stop:
        close_not_done(write.pk, outcome=f"Not sent. {stop}", at=clock.now())
        raise CallFailed from stop
    except InDoubt as doubt:
        lose_answer(write.pk, outcome=str(doubt), at=clock.now())
        raise CallFailed(str(doubt)) from doubt
    except Conflict as conflict:
        if write.kind == WriteKind.CREATE_ACCOUNT:
            close_refused(write.pk, outcome=_describe_problem(conflict), code=HoldCode.ACCOUNT_UNCLEAR, at=clock.now())
        elif write.kind == WriteKind.REQUEST_PLANS:  # never "done before": the account has nothing to tell
            close_refused(write.pk, outcome=_describe_problem(conflict), code=hold_code_for(conflict), at=clock.now())
        else:  # "done before" and "not possible now" look alike: the account tells which
            lose_answer(write.pk, outcome=_describe_problem(conflict), code=hold_code_for(conflict), at=clock.now())
        raise CallFailed(str(conflict)) from conflict
    except (Refused, Unauthorized) as refusal:
        close_refused(write.pk, outcome=_describe_problem(refusal), code=hold_code_for(refusal), at=clock.now())
        raise CallFailed(str(refusal)) from refusal
    except NotReached as problem:
        close_not_reached(write.pk, problem, at=clock.now())
        raise CallFailed(str(problem)) from problem


def close_done(
    write: LightWrite,
    *,
    answer: dict[str, Any],
    outcome: str,
    at: datetime,
    details: Mapping[str, Any] | None = None,
    poa: PoaDocument | None = None,
) -> None:
    """
    Close a write that Light did. Inside the caller's transaction, on a locked enrollment; `poa` as for a note.

    A write that was settled otherwise meanwhile is corrected: what Light says it did, it did.
    """
    write.status = WriteStatus.DONE
    write.closed_at = at
    write.answer = redact(answer)
    write.outcome = outcome
    write.hold_code = ""
    write.save()
    note(write.enrollment, f"done_{write.kind.lower()}", by=LIGHT, at=at, reason=outcome, details=details, poa=poa)


@repeatable
def lose_answer(
    write_id: int, *, outcome: str, at: datetime, code: HoldCode | None = None, answer: Mapping[str, Any] | None = None
) -> None:
    """
    Mark a write as in doubt, unless somebody has settled it since.

    `code` says that Light refused it, unless it was done before: should the account not show it, `outcome` is why.
    `answer` is what came, where that did not show the write.
    """
    write = _lock_write(write_id)
    if write.status != WriteStatus.OPEN:
        return
    write.status = WriteStatus.IN_DOUBT
    write.doubt_since = at
    write.outcome = outcome
    write.hold_code = code or ""
    write.answer = redact(answer or {})
    write.save()
    if write.kind == WriteKind.ACCEPT_PLAN:
        take_move(write.enrollment, "lose_answer", by=SYSTEM, at=at, reason=outcome)
    else:
        note(write.enrollment, f"doubt_{write.kind.lower()}", by=SYSTEM, at=at, reason=outcome)


@repeatable
def close_refused(write_id: int, *, outcome: str, code: HoldCode, at: datetime) -> None:
    """Close a write that Light refused; the decision then asks for a person."""
    write = _lock_write(write_id)
    if write.status not in UNSETTLED_WRITE_STATUSES:
        return
    write.hold_code = code
    _close_as_not_done(write, WriteStatus.REFUSED, outcome=outcome, at=at)


@repeatable
def close_not_done(write_id: int, *, outcome: str, at: datetime, code: str = "") -> None:
    """Close a write that shows not to have happened; `code` where Light refused it, and `outcome` has its words."""
    write = _lock_write(write_id)
    write.hold_code = code
    if write.status in UNSETTLED_WRITE_STATUSES:
        _close_as_not_done(write, WriteStatus.NOT_DONE, outcome=outcome, at=at)


@repeatable
def close_not_shown(write_id: int, *, outcome: str, at: datetime) -> None:
    """Close a doubtful write that the account does not show: as refused, with Light's words, where it gave any."""
    write = _lock_write(write_id)
    if write.hold_code:
        close_refused(write_id, outcome=write.outcome, code=HoldCode(write.hold_code), at=at)
    else:
        close_not_done(write_id, outcome=outcome, at=at)


@repeatable
def close_not_reached(write_id: int, problem: NotReached, *, at: datetime) -> None:
    """Close a write that never reached Light, and leave Light alone for a while."""
    write = _lock_write(write_id)
    if write.status in UNSETTLED_WRITE_STATUSES:
        back_off(write.enrollment, problem, at=at)
        _close_as_not_done(write, WriteStatus.NOT_DONE, outcome=str(problem), at=at)


def back_off(enrollment: Enrollment, problem: NotReached, *, at: datetime) -> None:
    """
    Make no call for this enrollment for a while: as long as Light asked, else twice as long each time, with jitter.

    A call that our own pace did not let out is no failure. On a locked enrollment, inside the caller's transaction.
    """
    doubled = timedelta()
    if not isinstance(problem, PaceExceeded):
        enrollment.calls_failed += 1
        enrollment.calls_failing_since = enrollment.calls_failing_since or at
        doubled = BACKOFF.pause_after(enrollment.calls_failed)
    asked = timedelta(seconds=problem.retry_after_seconds or 0)
    enrollment.calls_not_before = at + spread(max(doubled, asked))
    enrollment.last_error = str(problem)
    enrollment.save(update_fields=["calls_failed", "calls_failing_since", "calls_not_before", "last_error"])


def hold_code_for(refusal: LightError) -> HoldCode:
    match refusal:
        case Redirected():
            return HoldCode.REDIRECTED
        case WrongDialect():
            return HoldCode.WRONG_DIALECT
        case Unauthorized():
            return HoldCode.NOT_AUTHORIZED
        case _:
            return HoldCode.REFUSED_BY_LIGHT


def _close_as_not_done(write: LightWrite, status: WriteStatus, *, outcome: str, at: datetime) -> None:
    write.status = status
    write.closed_at = at
    write.outcome = outcome
    write.save()
    if write.kind == WriteKind.ACCEPT_PLAN:
        AcceptAttempt.objects.filter(write=write).update(succeeded=False)
        take_move(write.enrollment, "call_off", by=SYSTEM, at=at, reason=outcome)
    else:
        note(write.enrollment, f"{status.lower()}_{write.kind.lower()}", by=SYSTEM, at=at, reason=outcome)


def _lock_write(write_id: int) -> LightWrite:
    write = LightWrite.objects.get(pk=write_id)
    enrollment = lock(write.enrollment_id)
    write.refresh_from_db()
    write.enrollment = enrollment
    return write


def _describe_problem(problem: LightError) -> str:
    """Light's reasons, after our own words where those do not quote them already."""
    message = str(problem)
    return " ".join([message, *(reason for reason in getattr(problem, "reasons", ()) if reason not in message)])
