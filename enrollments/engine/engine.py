"""
Advancing enrollments: claim one that is due, then decide and perform steps until it must wait.

The row is the source of truth: any step may run twice, and any process may stop at any line.
"""

import logging
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from django.db import OperationalError, transaction
from django.db.models import Count, Max

from core import clock_drift
from core.dates import chicago_time
from core.due_rows import Backoff
from core.transactions import repeatable
from enrollments.actions import acceptance, account_reading, accounts, closing, holds, mails, notices, plans
from enrollments.actions.account_reading import ReadingFailed
from enrollments.actions.moves import EnrollmentMoved
from enrollments.actions.writes import CallFailed, Tools
from enrollments.decision import gates, steps
from enrollments.decision.customer_message import CHECKING, WORKING, customer_state
from enrollments.decision.decide import decide
from enrollments.decision.facts import Facts
from enrollments.decision.steps import Step
from enrollments.engine import leases
from enrollments.engine.gathering import gather, governing_poa
from enrollments.engine.locked_case import lock_case, with_locked_poa
from enrollments.models import Enrollment, Hold, RemoteCall
from enrollments.states import HoldCode, HoldOwner
from poa_documents.authority_check import AuthorityMissing, SealedFileAltered, SealedFileUnreadable

logger = logging.getLogger(__name__)

MAX_STEPS_PER_TURN = 20
MAX_READINGS_IN_A_ROW = 3
FLOOD_PAUSE = timedelta(seconds=5)
MAX_FAILURES = 8
"""After this many, operations get a hold. The case is still retried."""
BACKOFF = Backoff(first=timedelta(seconds=20), longest=timedelta(hours=1))
NOT_DUE = "not due"
RESTING_STEPS = (steps.Wait, steps.Hold, steps.Finished)


class TooManySteps(Exception):
    """A turn used all its steps without coming to rest, so it is probably in a loop."""


class ClockWrong(Exception):
    """The clock of this process differs from the database's or Light's, so it must not decide anything."""


@dataclass(frozen=True)
class Engine:
    """Advances enrollments step by step."""

    tools: Tools
    keep_lease: Callable[[str], AbstractContextManager[object]] = nullcontext

    def advance(self, enrollment_id: int) -> str:
        """Advance an enrollment as far as possible now, and return where it rests, for the log."""
        turn = leases.claim(enrollment_id, at=self.tools.clock.now())
        if turn is None:
            return NOT_DUE
        with self.keep_lease(turn):
            try:
                resting, facts = self._take_steps(enrollment_id)
            except TooManySteps as used_up:
                logger.warning("Enrollment %s: %s", enrollment_id, used_up)
                self._note_failure(enrollment_id, used_up, turn)
                return "continues later"
            except ClockWrong as wrong:
                logger.warning("Enrollment %s is left to another process. %s", enrollment_id, wrong)
                leases.release(turn, due_at=self.tools.clock.now())
                return "left to another process"
            except Exception as problem:
                logger.exception("Enrollment %s could not be advanced.", enrollment_id)
                self._note_failure(enrollment_id, problem, turn)
                return "failed"
            return self._rest(resting, facts, turn)

    def _take_steps(self, enrollment_id: int) -> tuple[Step, Facts]:
        """
        Perform steps until one rests, and return it with the facts it was decided from.

        :raises TooManySteps: it must continue in another turn, after a pause
        :raises ClockWrong: it must continue in another process
        """
        taken = list[Step]()
        for _ in range(MAX_STEPS_PER_TURN):
            if problem := clock_drift.clock_problem():
                raise ClockWrong(problem)
            enrollment = Enrollment.objects.select_related("site", "customer").get(pk=enrollment_id)
            facts = gather(enrollment, governing_poa(enrollment))
            step = decide(facts, now=self.tools.clock.now(), policy=self.tools.policy)
            step = self._check_progress(step, facts, taken)
            try:
                self._perform(enrollment, step)
            except (EnrollmentMoved, CallFailed, ReadingFailed, SealedFileAltered) as news:
                logger.info("Enrollment %s: %s", enrollment_id, news)
                continue
            except AuthorityMissing as missing:
                self._hold_for_authority(enrollment_id, missing)
                continue
            if isinstance(step, RESTING_STEPS):
                return step, facts
            taken.append(step)
        names = ", ".join(type(step).__name__ for step in taken[-3:])
        raise TooManySteps(f"The case did not come to rest within {MAX_STEPS_PER_TURN} steps. The last were {names}.")

    def _check_progress(self, step: Step, facts: Facts, taken: list[Step]) -> Step:
        """
        Return the step, or a hold if it was performed without effect or too many times in a day.

        Every step must change what comes next. A reading may repeat if news arrived while it was made.
        """
        limit = MAX_READINGS_IN_A_ROW if isinstance(step, steps.ReadAccount) else 1
        in_a_row = len(list(takewhile(lambda before: before == step, reversed(taken))))
        is_news = facts.account is not None and facts.account.is_reading_requested
        if in_a_row >= limit and isinstance(step, steps.ReadAccount) and is_news:
            return self._rest_during_flood(facts)
        if in_a_row >= limit and not isinstance(step, RESTING_STEPS):
            because = (
                f"“{_describe_step(step)}” was done but had no effect, since it would come next again. {step.because} "
                "Compare what Light shows with what the case shows, then release the hold to try again."
            )
            return self._operations_hold(HoldCode.NO_PROGRESS, because, facts)
        is_first_call = isinstance(step, steps.REMOTE_STEPS) and not any(
            isinstance(before, steps.REMOTE_STEPS) for before in taken
        )
        purpose = self._find_excessive_call(facts.enrollment_id) if is_first_call else ""
        if purpose:
            because = (
                f"Light answered “{purpose}” for this case more than {self.tools.policy.max_calls_a_day} times in a "
                "day. Find out what causes this, then release the hold to continue."
            )
            return self._operations_hold(HoldCode.TOO_MANY_CALLS, because, facts)
        return step

    def _rest_during_flood(self, facts: Facts) -> Step:
        """Rest for a moment during a flood of webhooks: one later reading then covers all of them."""
        again = self.tools.clock.now() + FLOOD_PAUSE
        if facts.hold is not None:
            return steps.Hold(facts.hold.code, facts.hold.owner, because=facts.hold.because, look_again_at=again)
        because = "Light keeps reporting changes to the account. Switchyard reads it again in a moment."
        return steps.Wait(until=again, code=steps.Waiting.CALL_IN_PROGRESS, because=because)

    def _operations_hold(self, code: HoldCode, because: str, facts: Facts) -> steps.Hold:
        """Return a hold for operations, or the open hold if there is one. Reading continues after a pause."""
        again = self.tools.clock.now() + self.tools.policy.collecting_interval
        if facts.hold is not None:
            return steps.Hold(facts.hold.code, facts.hold.owner, because=facts.hold.because, look_again_at=again)
        return steps.Hold(code, HoldOwner.OPERATIONS, because=because, look_again_at=again)

    def _find_excessive_call(self, enrollment_id: int) -> str:
        """
        Return the call that Light answered too many times in a day for one case, since the last release of that hold.

        Failed calls are not counted: they back off, and an outage raises one alarm for all cases.
        """
        a_day_ago = self.tools.clock.now() - timedelta(days=1)
        answered = RemoteCall.objects.filter(enrollment_id=enrollment_id, http_status__range=(200, 299))
        limit = self.tools.policy.max_calls_a_day

        def too_often(since: datetime) -> str:
            counted = answered.filter(at__gt=since).values_list("purpose").annotate(count=Count("pk"))
            return next((purpose for purpose, count in counted.order_by("-count")[:1] if count > limit), "")

        purpose = too_often(a_day_ago)
        if not purpose:
            return ""
        looked_at = Hold.objects.filter(enrollment_id=enrollment_id, code=HoldCode.TOO_MANY_CALLS).aggregate(
            last=Max("released_at")
        )["last"]
        return too_often(max(a_day_ago, looked_at)) if looked_at is not None else purpose

    def _perform(self, enrollment: Enrollment, step: Step) -> None:
        """Perform a step that was decided from this enrollment."""
        enrollment_id = enrollment.pk
        match step:
            case steps.OpenAccount():
                accounts.open_account(enrollment, step, self.tools)
            case steps.RecordClientAgent():
                accounts.record_client_agent(enrollment_id, step, self.tools)
            case steps.UpdateAccount():
                accounts.update_account(enrollment_id, step, self.tools)
            case steps.ReadAccount():
                account_reading.read_account(enrollment, self.tools)
            case steps.RequestPlans():
                plans.request_plans(enrollment_id, step, self.tools)
            case steps.AcceptPlan():
                acceptance.accept_plan(enrollment_id, step, self.tools)
            case steps.Finalize():
                acceptance.finalize(enrollment_id, step, self.tools)
            case steps.SettleDoubt():
                account_reading.settle_doubt(enrollment_id, step, self.tools)
            case _:
                self._conclude(enrollment_id, step)

    def _conclude(self, enrollment_id: int, step: Step) -> None:
        """Perform a step that needs no call to Light."""
        at = self.tools.clock.now()
        match step:
            case steps.GiveNotice():
                notices.give_notice(enrollment_id, step, at=at, policy=self.tools.policy)
            case steps.LiftHold():
                holds.lift_hold(hold_id=step.hold_id, because=step.because, at=at)
            case steps.Close():
                closing.close_canceled_case(enrollment_id=enrollment_id, because=step.because, at=at)
            case steps.Hold():
                _place_hold(enrollment_id, step, at=at)
            case steps.Wait(code=code) if code in mails.TURN_MAIL_FOR:
                mails.schedule_turn_mail(enrollment_id=enrollment_id, code=code, at=at)
            case _:
                pass

    def _hold_for_authority(self, enrollment_id: int, missing: AuthorityMissing) -> None:
        """Place a hold because the guard before the call found what the decision did not. Nothing was sent."""
        if not missing.is_consent_failure:
            raise missing
        hold = steps.Hold(HoldCode.AUTHORITY_UNCLEAR, HoldOwner.OFFICE, because=missing.for_staff)
        _place_hold(enrollment_id, hold, at=self.tools.clock.now())

    # Resting

    def _rest(self, step: Step, facts: Facts, turn: str) -> str:
        """Release the enrollment and store what it waits for."""
        shown = {"failures": 0, "failing_since": None, **self._decision_columns(step, facts)}
        if isinstance(step, steps.Hold):
            Hold.objects.filter(enrollment_id=facts.enrollment_id, released_at__isnull=True).update(
                act_by_date=step.act_by
            )
        leases.release(turn, due_at=_due_at(step), shown=shown)
        return _name(step)

    def _decision_columns(self, step: Step, facts: Facts) -> dict[str, object]:
        now = self.tools.clock.now()
        shown = gates.gates(facts, now=now, policy=self.tools.policy)
        customer = customer_state(facts, step, now=now, policy=self.tools.policy)
        return {
            "decided_at": now,
            "next_step": _name(step),
            "because": step.because,
            "whose_turn": _whose_turn(step),
            "act_by_date": getattr(step, "act_by", None),
            "gates": [{"name": gate.name, "is_open": gate.is_open, "because": gate.because} for gate in shown],
            "customer_code": customer.code,
            "customer_until_date": customer.until,
            "changes_decided": facts.changes_noted,
        }

    def _note_failure(self, enrollment_id: int, problem: Exception, turn: str) -> None:
        """Release a failing enrollment with growing pauses, and place a hold after enough failures."""
        at = self.tools.clock.now()
        leases.abandon(enrollment_id, at=at)

        @repeatable
        def put_off() -> None:
            # Only the enrollment itself: the failure may come from a related record that cannot be read.
            enrollment = Enrollment.objects.select_for_update().get(pk=enrollment_id)
            enrollment.failures += 1
            enrollment.failing_since = enrollment.failing_since or at
            enrollment.last_error = f"{type(problem).__name__}: {problem}"[:2000]
            enrollment.save(update_fields=["failures", "failing_since", "last_error"])
            shown = _retry_state(enrollment)
            if isinstance(problem, SealedFileUnreadable):  # ends for all cases at once, so no holds
                shown = _storage_outage_state(problem) | _customer_state_while_retrying(enrollment)
            elif enrollment.failures >= MAX_FAILURES:
                _hold_for_operations(enrollment, at=at)
                shown["customer_code"] = CHECKING
            leases.release(turn, due_at=BACKOFF.next_time(enrollment.failures, at=at), shown=shown)

        put_off()


def _retry_state(enrollment: Enrollment) -> dict[str, object]:
    """Return what screens show while a case is retried: since when and how many times."""
    tries = "once" if enrollment.failures == 1 else f"{enrollment.failures} times"
    since = chicago_time(enrollment.failing_since) if enrollment.failing_since else "now"
    return {
        "next_step": steps.Waiting.RETRYING.value,
        "because": f"This step has failed {tries} since {since}. Switchyard retries automatically and asks operations "
        f"after {MAX_FAILURES} failures.",
        "whose_turn": "",
        **_customer_state_while_retrying(enrollment),
    }


def _customer_state_while_retrying(enrollment: Enrollment) -> dict[str, object]:
    """Tell the customer that we are working on it, if the stored decision is from before the last change."""
    if enrollment.changes_decided == enrollment.changes_noted:
        return {}
    return {"customer_code": WORKING, "customer_until_date": None, "changes_decided": enrollment.changes_noted}


def _storage_outage_state(problem: SealedFileUnreadable) -> dict[str, object]:
    """Return what screens show while the file storage is down and operations must restore it."""
    because = f"{problem.for_staff} Switchyard retries automatically about every hour."
    return {
        "next_step": steps.AcceptPlan.__name__.upper(),
        "because": because,
        "whose_turn": HoldOwner.OPERATIONS,
    }


def _hold_for_operations(enrollment: Enrollment, *, at: datetime) -> None:
    """Place a hold even if the journal fails: a missing entry is better than a case that no one sees."""
    because = (
        f"Processing this case failed {enrollment.failures} times: {enrollment.last_error.rstrip('.')}. Fix the cause, "
        "then release the hold."
    )
    hold = steps.Hold(HoldCode.REPEATED_FAILURES, HoldOwner.OPERATIONS, because=because)
    try:
        with transaction.atomic():
            holds.place_hold(with_locked_poa(enrollment), hold, at=at)
    except OperationalError:
        raise
    except Exception:
        logger.exception("The hold of enrollment %s could not be recorded in the journal.", enrollment.pk)
        holds.open_hold(enrollment, hold, at=at)


@repeatable
def _place_hold(enrollment_id: int, hold: steps.Hold, *, at: datetime) -> None:
    holds.place_hold(lock_case(enrollment_id), hold, at=at)


def _due_at(step: Step) -> datetime | None:
    match step:
        case steps.Wait(until=until):
            return until
        case steps.Hold(look_again_at=look_again_at):
            return look_again_at
        case _:
            return None


def _name(step: Step) -> str:
    match step:
        case steps.Wait(code=code):
            return code.value
        case steps.Hold():
            return "HOLD"
        case _:
            return type(step).__name__.upper()


def _describe_step(step: Step) -> str:
    """Return the name of a step in words, such as “Request plans”."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(step).__name__).capitalize()


def _whose_turn(step: Step) -> str:
    match step:
        case steps.Wait(whose_turn=whose_turn):
            return whose_turn.value if whose_turn else ""
        case steps.Hold(owner=owner):
            return owner.value
        case _:
            return ""
