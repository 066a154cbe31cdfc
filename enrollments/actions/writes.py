"""
The three steps of every write to Light: record it, make the call with no transaction open, close the record.

A crash at any line leaves an open record. One older than a call can last is in doubt, never "not done".
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
from enrollments.actions.moves import EnrollmentMoved, note, take_move
from enrollments.decision.decide import decide
from enrollments.decision.policy import Policy
from enrollments.decision.steps import Step
from enrollments.engine.locked_case import LockedCase, lock_case
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
from poa_documents.authority_check import AuthorityMissing, check_authority

MAX_DELAY_BEFORE_SENDING = timedelta(seconds=30)
BACKOFF = Backoff(first=timedelta(seconds=5), longest=timedelta(minutes=15))

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Tools:
    """What every step needs: the client for Light, the clock, and the policy."""

    light: LightClient
    clock: Clock
    policy: Policy


class WriteStopped(Exception):
    """The write was stopped, or the case changed, after it was recorded. Nothing was sent."""


class CallFailed(Exception):
    """The write got no answer. Its record and the enrollment are already up to date."""


def still_due(enrollment_id: int, step: Step, *, at: datetime, policy: Policy) -> LockedCase:
    """
    Lock the case and check that exactly `step` is still the next one.

    Only inside a transaction. Anything that happened since the step was decided changes the decision, such as a
    revocation, a pause, midnight or another worker.

    :raises EnrollmentMoved: another step comes next now
    """
    case = lock_case(enrollment_id)
    if decide(case.facts, now=at, policy=policy) != step:
        raise EnrollmentMoved(f"{case.enrollment} changed before “{type(step).__name__}” could start.")
    return case


def check_authority_for(case: LockedCase, *, at: datetime, concluding: bool = False) -> None:
    """
    Check that the locked POA allows a write for the case's meter now. `concluding` is as in `authority.Use`.

    :raises AuthorityMissing: with the reason for staff
    """
    check_authority(case.known_poa, esi_id=case.enrollment.site.esi_id, at=at, concluding=concluding)


def open_write(case: LockedCase, kind: WriteKind, request: dict[str, Any], *, at: datetime) -> LightWrite:
    """Record a write before it is made. The database rejects a second one while one is unsettled."""
    write = LightWrite.objects.create(enrollment=case.enrollment, kind=kind, opened_at=at, request=redact(request))
    note(case, f"begin_{kind.lower()}", by=SYSTEM, at=at)
    return write


def abandon_open_writes(enrollment_id: int, *, at: datetime) -> None:
    """Mark the write that a dead or failed worker left open as in doubt, or as not done if it was never sent."""
    for write in LightWrite.objects.filter(enrollment_id=enrollment_id, status=WriteStatus.OPEN):
        if write.sent_at is None:
            close_not_done(write.pk, outcome="Not sent: the worker stopped first.", at=at)
        else:
            record_doubt(write.pk, outcome="The worker stopped before it stored an answer.", at=at)


@repeatable
def check_still_wanted(write: LightWrite, step: Step, tools: Tools) -> None:
    """
    Check the case once more right before a write is sent: is it still the next step, and is the authority valid?

    Time may pass between recording and sending: an account token is fetched, Light is slow, or the call waits its turn.
    A pause, a revocation, a withdrawn go-live or midnight must still count, and so must another worker that assumed
    this one was dead.

    From here on the write counts as sent. If the worker dies, it is in doubt; without `sent_at` it never happened.

    :raises WriteStopped: it must not be sent any more
    """
    at = tools.clock.now()
    if problem := clock_drift.clock_problem():
        raise WriteStopped(f"{write.get_kind_display()}: {problem}")
    case = lock_case(write.enrollment_id)
    facts = case.facts
    current = facts.unsettled
    if current is None or current.write_id != write.pk or current.status != WriteStatus.OPEN:
        raise WriteStopped(f"{write.get_kind_display()}: it has already been settled.")
    status = EnrollmentStatus.OPEN if write.kind == WriteKind.ACCEPT_PLAN else facts.status
    comes_next = decide(replace(facts, unsettled=None, status=status), now=at, policy=tools.policy)
    if comes_next != step:
        raise WriteStopped(f"{write.get_kind_display()}: the case has changed. {comes_next.because}")
    is_conclusion = write.kind in {WriteKind.FINALIZE, WriteKind.UPDATE_ACCOUNT}
    try:
        check_authority_for(case, at=at, concluding=is_conclusion)
    except AuthorityMissing as missing:
        raise WriteStopped(f"{write.get_kind_display()}: {missing.for_staff}") from missing
    write.sent_at = at
    write.save(update_fields=["sent_at"])


def call(write: LightWrite, step: Step, send: Callable[[Callable[[], None]], Answer], *, tools: Tools) -> Answer:
    """
    Make the call that `write` records, and close the record if no answer came.

    `send` gets the check to run right before anything is sent. If an answer came, the caller closes the record in the
    transaction that stores the answer. An answer is not yet a success: the caller compares it with the request.

    A worker that was suspended between record and call, such as on a paused machine, must not send: another worker may
    already be settling the write.

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
        record_doubt(write.pk, outcome=str(doubt), at=clock.now())
        raise CallFailed(str(doubt)) from doubt
    except Conflict as conflict:
        if write.kind == WriteKind.CREATE_ACCOUNT:
            close_refused(write.pk, outcome=_describe_problem(conflict), code=HoldCode.ACCOUNT_UNCLEAR, at=clock.now())
        elif write.kind == WriteKind.REQUEST_PLANS:  # cannot mean "done before", so the account shows nothing
            close_refused(write.pk, outcome=_describe_problem(conflict), code=hold_code_for(conflict), at=clock.now())
        else:  # "done before" and "not possible now" look the same, so the account decides
            record_doubt(write.pk, outcome=_describe_problem(conflict), code=hold_code_for(conflict), at=clock.now())
        raise CallFailed(str(conflict)) from conflict
    except (Refused, Unauthorized) as refusal:
        close_refused(write.pk, outcome=_describe_problem(refusal), code=hold_code_for(refusal), at=clock.now())
        raise CallFailed(str(refusal)) from refusal
    except NotReached as problem:
        close_not_reached(write.pk, problem, at=clock.now())
        raise CallFailed(str(problem)) from problem


def close_done(
    case: LockedCase,
    write: LightWrite,
    *,
    answer: dict[str, Any],
    outcome: str,
    at: datetime,
    details: Mapping[str, Any] | None = None,
) -> None:
    """
    Close a write that Light carried out.

    A write that has been settled differently since is corrected: Light's own answer counts.
    """
    write.status = WriteStatus.DONE
    write.closed_at = at
    write.answer = redact(answer)
    write.outcome = outcome
    write.hold_code = ""
    write.save()
    note(case, f"done_{write.kind.lower()}", by=LIGHT, at=at, reason=outcome, details=details)


@repeatable
def record_doubt(
    write_id: int, *, outcome: str, at: datetime, code: HoldCode | None = None, answer: Mapping[str, Any] | None = None
) -> None:
    """
    Mark a write as in doubt, unless it has been settled since.

    With `code`, Light refused it or it was done before: if the account does not show it, `outcome` says why. `answer`
    is an answer that did not show the write.
    """
    case, write = lock_write(write_id)
    if write.status == WriteStatus.OPEN:
        mark_in_doubt(case, write, outcome=outcome, at=at, code=code, answer=answer)


@repeatable
def close_refused(write_id: int, *, outcome: str, code: HoldCode, at: datetime) -> None:
    """Close a write that Light refused, unless it has been settled since. The decision then places a hold."""
    case, write = lock_write(write_id)
    if write.status in UNSETTLED_WRITE_STATUSES:
        mark_refused(case, write, outcome=outcome, code=code, at=at)


@repeatable
def close_not_done(write_id: int, *, outcome: str, at: datetime) -> None:
    """Close a write that did not happen, unless it has been settled since."""
    case, write = lock_write(write_id)
    if write.status in UNSETTLED_WRITE_STATUSES:
        mark_not_done(case, write, outcome=outcome, at=at)


@repeatable
def close_not_reached(write_id: int, problem: NotReached, *, at: datetime) -> None:
    """Close a write that never reached Light, and delay the next call."""
    case, write = lock_write(write_id)
    if write.status in UNSETTLED_WRITE_STATUSES:
        back_off(case.enrollment, problem, at=at)
        mark_not_done(case, write, outcome=str(problem), at=at)


def lock_write(write_id: int) -> tuple[LockedCase, LightWrite]:
    """Return a write as it is now, with its locked case."""
    case = lock_case(LightWrite.objects.values_list("enrollment_id", flat=True).get(pk=write_id))
    return case, LightWrite.objects.get(pk=write_id)


def mark_in_doubt(
    case: LockedCase,
    write: LightWrite,
    *,
    outcome: str,
    at: datetime,
    code: HoldCode | None = None,
    answer: Mapping[str, Any] | None = None,
) -> None:
    """Mark an open write of a locked case as in doubt. `code` and `answer` as for `record_doubt`."""
    write.status = WriteStatus.IN_DOUBT
    write.doubt_since = at
    write.outcome = outcome
    write.hold_code = code or ""
    write.answer = redact(answer or {})
    write.save()
    if write.kind == WriteKind.ACCEPT_PLAN:
        take_move(case, "mark_in_doubt", by=SYSTEM, at=at, reason=outcome)
    else:
        note(case, f"doubt_{write.kind.lower()}", by=SYSTEM, at=at, reason=outcome)


def mark_refused(case: LockedCase, write: LightWrite, *, outcome: str, code: HoldCode, at: datetime) -> None:
    """Close an unsettled write of a locked case as refused by Light."""
    _close_as_not_done(case, write, WriteStatus.REFUSED, outcome=outcome, code=code, at=at)


def mark_not_done(case: LockedCase, write: LightWrite, *, outcome: str, at: datetime, code: str = "") -> None:
    """Close an unsettled write that did not happen. With `code`, Light refused it, and `outcome` has Light's reason."""
    _close_as_not_done(case, write, WriteStatus.NOT_DONE, outcome=outcome, code=code, at=at)


def mark_not_shown(case: LockedCase, write: LightWrite, *, outcome: str, at: datetime) -> None:
    """Close a write in doubt that the account does not show, as refused if Light gave a reason."""
    if write.hold_code:
        mark_refused(case, write, outcome=write.outcome, code=HoldCode(write.hold_code), at=at)
    else:
        mark_not_done(case, write, outcome=outcome, at=at)


def back_off(enrollment: Enrollment, problem: NotReached, *, at: datetime) -> None:
    """
    Delay the next call for this enrollment: as long as Light asked, or twice as long each time, with jitter.

    A call that our own rate limit held back is not a failure. On a locked enrollment, inside the caller's transaction.
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


def _close_as_not_done(
    case: LockedCase, write: LightWrite, status: WriteStatus, *, outcome: str, code: str, at: datetime
) -> None:
    write.status = status
    write.closed_at = at
    write.outcome = outcome
    write.hold_code = code
    write.save()
    if write.kind == WriteKind.ACCEPT_PLAN:
        AcceptAttempt.objects.filter(write=write).update(succeeded=False)
        take_move(case, "mark_not_accepted", by=SYSTEM, at=at, reason=outcome)
    else:
        note(case, f"{status.lower()}_{write.kind.lower()}", by=SYSTEM, at=at, reason=outcome)


def _describe_problem(problem: LightError) -> str:
    """Return our message, followed by Light's reasons that it does not quote already."""
    message = str(problem)
    return " ".join([message, *(reason for reason in getattr(problem, "reasons", ()) if reason not in message)])
