"""
What a call asks for whose answer was lost, or which Light refused. Pure.

A call that may still be running is left alone; what became of a lost one is read at Light over the settling period.
"""

from datetime import datetime, timedelta

from enrollments.decision.facts import Facts, WriteFacts
from enrollments.decision.policy import Policy
from enrollments.decision.steps import FOR_OPERATIONS, Hold, SettleDoubt, Step, Wait, Waiting
from enrollments.states import HoldCode, HoldOwner, WriteKind, WriteStatus

READING_SHARES = (0.0, 0.02, 0.1, 0.3, 0.6, 1.0)
"""When a doubt is read, as shares of the settling period: soon at first, last at its very end."""


def settle(write: WriteFacts, now: datetime, policy: Policy) -> Step:
    """Leave a call alone that may still be running; read over the settling period what became of the others."""
    if write.status == WriteStatus.OPEN:
        lost_at = write.opened_at + policy.longest_call
        if now < lost_at:
            return Wait(until=lost_at, code=Waiting.CALL_UNDER_WAY, because=f"A call is under way: {write.kind.label}.")
    doubt_since = write.doubt_since or now
    read_at = _next_reading(write, doubt_since, policy)
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


def _next_reading(write: WriteFacts, doubt_since: datetime, policy: Policy) -> datetime:
    """Often at first, last at the end of the settling period, and hourly while even that left it unclear."""
    planned = len(READING_SHARES)
    if write.doubt_readings < planned:
        return doubt_since + policy.settling_period * READING_SHARES[write.doubt_readings]
    return doubt_since + policy.settling_period + policy.collecting_interval * (write.doubt_readings - planned + 1)


def hold_for_refusal(write: WriteFacts) -> Hold:
    if write.hold_code == HoldCode.REDIRECTED:
        return Hold(
            write.hold_code,
            HoldOwner.OPERATIONS,
            because=f"“{write.kind.label}” was not done: {write.outcome.rstrip('.')}. It is not sent again before "
            "operations have corrected the address and released the hold. All cases will show this at once.",
        )
    return Hold(
        write.hold_code,
        HoldOwner.OPERATIONS if write.hold_code in FOR_OPERATIONS else HoldOwner.OFFICE,
        because=f"Light refused “{write.kind.label}”: {write.outcome.rstrip('.')}. Mend the cause, then release the "
        "hold.",
    )


def came_to_nothing_too_often(kind: WriteKind, facts: Facts, policy: Policy) -> Hold | None:
    """
    Ask for a person after so many tries: the office where Light refused each, operations where answers were lost.

    An acceptance whose answer was lost is never sent again without a person: an account that lags looks the same as
    one without it, and nothing says that Light would refuse the second one.
    """
    refusals = [said for what, said in facts.refused_in_vain if what == kind]
    lost = facts.fruitless.count(kind) - len(refusals)
    light_said = f" Once it had an answer: {refusals[-1].rstrip('.')}." if refusals else ""
    if kind == WriteKind.ACCEPT_PLAN and lost:
        return Hold(
            HoldCode.DOUBT_UNSETTLED,
            HoldOwner.OPERATIONS,
            because=f"No clear answer came to “{kind.label}”, and the account did not show the acceptance within "
            f"{_minutes(policy.settling_period)}.{light_said} It may still appear, so it is not sent again "
            "automatically; the account is read every hour. Compare it at Light. If Light has no acceptance, release "
            "the hold to send it again.",
        )
    if facts.fruitless.count(kind) < policy.tries_after_doubt:
        return None
    if len(refusals) == facts.fruitless.count(kind):
        return Hold(
            HoldCode.REFUSED_BY_LIGHT,
            HoldOwner.OFFICE,
            because=f"Light refused “{kind.label}” {len(refusals)} times. {refusals[-1].rstrip('.')}. Mend the cause, "
            "then release the hold to try again.",
        )
    return Hold(
        HoldCode.DOUBT_UNSETTLED,
        HoldOwner.OPERATIONS,
        because=f"“{kind.label}” was sent {facts.fruitless.count(kind)} times, and the account shows no trace of it."
        f"{light_said} Compare the account at Light by hand, then release the hold to try again.",
    )


def _minutes(period: timedelta) -> str:
    minutes = round(period.total_seconds() / 60)
    return "one minute" if minutes == 1 else f"{minutes} minutes"
