"""
What to do about a call whose answer was lost, or that Light refused. Pure.

A call that may still be running is left alone. The outcome of a lost one is read at Light over the settling period.
"""

from datetime import datetime, timedelta

from enrollments.decision.facts import Facts, WriteFacts
from enrollments.decision.policy import Policy
from enrollments.decision.steps import OPERATIONS_HOLDS, Hold, SettleDoubt, Step, Wait, Waiting
from enrollments.states import HoldCode, HoldOwner, WriteKind, WriteStatus

READING_SHARES = (0.0, 0.02, 0.1, 0.3, 0.6, 1.0)
"""When the account is read after a lost answer, as shares of the settling period: soon at first, last at its end."""


def settle(write: WriteFacts, now: datetime, policy: Policy) -> Step:
    """Return the wait or reading that settles an open or lost write."""
    if write.status == WriteStatus.OPEN:
        lost_at = write.opened_at + policy.max_call_duration
        if now < lost_at:
            return Wait(
                until=lost_at, code=Waiting.CALL_IN_PROGRESS, because=f"A call is in progress: {write.kind.label}."
            )
    doubt_since = write.doubt_since or now
    read_at = _next_reading(write, doubt_since, policy)
    if now < read_at:
        return Wait(
            until=read_at,
            code=Waiting.CALL_IN_PROGRESS,
            because=f"The answer to “{write.kind.label}” was lost; the account is read again to see if it happened.",
        )
    return SettleDoubt(
        write.write_id,
        is_last_reading=now >= doubt_since + policy.settling_period and write.doubt_readings > 0,
        because=f"The answer to “{write.kind.label}” was lost; the account is read to see whether it happened.",
    )


def _next_reading(write: WriteFacts, doubt_since: datetime, policy: Policy) -> datetime:
    """Return the next reading: often at first, the last at the end of the settling period, hourly after that."""
    planned = len(READING_SHARES)
    if write.doubt_readings < planned:
        return doubt_since + policy.settling_period * READING_SHARES[write.doubt_readings]
    return doubt_since + policy.settling_period + policy.collecting_interval * (write.doubt_readings - planned + 1)


def hold_for_refusal(write: WriteFacts) -> Hold:
    if write.hold_code == HoldCode.REDIRECTED:
        return Hold(
            write.hold_code,
            HoldOwner.OPERATIONS,
            because=f"“{write.kind.label}” did not happen: {write.outcome.rstrip('.')}. It is not sent again until "
            "operations correct the URL and release the hold. All cases are affected.",
        )
    return Hold(
        write.hold_code,
        HoldOwner.OPERATIONS if write.hold_code in OPERATIONS_HOLDS else HoldOwner.OFFICE,
        because=f"Light refused “{write.kind.label}”: {write.outcome.rstrip('.')}. Fix the cause, then release the "
        "hold.",
    )


def too_many_failed_attempts(kind: WriteKind, facts: Facts, policy: Policy) -> Hold | None:
    """
    Return a hold after too many tries: for the office if Light refused each one, for operations if answers were lost.

    An acceptance whose answer was lost is never sent again without a person. An account that lags looks the same as
    one without the acceptance, and Light might not refuse a second one.
    """
    refusals = [said for what, said in facts.rejected_attempts if what == kind]
    lost = facts.failed_attempts.count(kind) - len(refusals)
    light_said = f" One attempt was answered: {refusals[-1].rstrip('.')}." if refusals else ""
    if kind == WriteKind.ACCEPT_PLAN and lost:
        return Hold(
            HoldCode.OUTCOME_UNKNOWN,
            HoldOwner.OPERATIONS,
            because=f"“{kind.label}” got no clear answer, and the account did not show the acceptance within "
            f"{_minutes(policy.settling_period)}.{light_said} It may still appear, so it is not sent again "
            "automatically. The account is read every hour. Check it at Light. If Light has no acceptance, release the "
            "hold to send it again.",
        )
    if facts.failed_attempts.count(kind) < policy.tries_after_doubt:
        return None
    if len(refusals) == facts.failed_attempts.count(kind):
        return Hold(
            HoldCode.REFUSED_BY_LIGHT,
            HoldOwner.OFFICE,
            because=f"Light refused “{kind.label}” {len(refusals)} times. {refusals[-1].rstrip('.')}. Fix the cause, "
            "then release the hold to try again.",
        )
    return Hold(
        HoldCode.OUTCOME_UNKNOWN,
        HoldOwner.OPERATIONS,
        because=f"“{kind.label}” was sent {facts.failed_attempts.count(kind)} times, and the account shows no trace of "
        f"it.{light_said} Check the account at Light by hand, then release the hold to try again.",
    )


def _minutes(period: timedelta) -> str:
    minutes = round(period.total_seconds() / 60)
    return "one minute" if minutes == 1 else f"{minutes} minutes"
