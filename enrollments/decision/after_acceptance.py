"""After the acceptance: finish the enrollment, watch the service, and never undo anything silently. Pure."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from core.dates import chicago_day, chicago_midnight, short_date
from enrollments.decision import lost_answers
from enrollments.decision.facts import AuthorityFacts, Facts
from enrollments.decision.gates import cancel_reported
from enrollments.decision.policy import Policy
from enrollments.decision.steps import Finalize, Finished, Hold, ReadAccount, Step, Wait, Waiting
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteKind
from poa_documents.states import PoaStatus


def conflicts_with_acceptance(facts: Facts, now: datetime, policy: Policy) -> Step | None:
    """Return the hold for news that conflicts with the accepted plan, or the account reading needed to find out."""
    account = facts.known_account
    poa = facts.authority
    why_not = _stopped_after_acceptance(poa, facts) if poa is not None else ""
    # Releasing the hold does not end a stop signal, so the hold comes back.
    is_stopped = poa is not None and bool(poa.stopped_because)
    if why_not and (is_stopped or HoldCode.REVOKED_AFTER_ACCEPTANCE not in facts.settled_codes):
        return Hold(
            HoldCode.REVOKED_AFTER_ACCEPTANCE,
            HoldOwner.OFFICE,
            because=why_not,
            look_again_at=now + policy.watching_interval,
        )
    if changed := _go_live_changed(facts):
        return replace(changed, look_again_at=now + policy.watching_interval)
    if facts.is_cancel_reported and HoldCode.CANCEL_REPORTED not in facts.settled_codes:
        return cancel_reported()
    if account.read_at is None or facts.accepted_at is None or account.read_at < facts.accepted_at:
        return ReadAccount(because="The account is read to check how Light shows the acceptance.")
    if facts.accepted_differently and HoldCode.ACCEPTED_DIFFERENTLY not in facts.settled_codes:
        return replace(
            accepted_differently(facts.accepted_differently), look_again_at=account.read_at + policy.collecting_interval
        )
    return None


def in_service(facts: Facts, now: datetime, policy: Policy) -> Step:
    """While service is active, only news that staff must hear leads to a step. It does not end the service."""
    if leaving := hold_if_customer_left(facts):
        return leaving if facts.service_end is None else replace(leaving, look_again_at=_after(facts.service_end))
    if facts.service_end is not None:
        if now >= _after(facts.service_end):
            return ReadAccount(because=f"The last day of service, {facts.service_end}, has passed.")
        return Wait(
            until=_after(facts.service_end),
            code=Waiting.SERVICE_ENDING,
            because=f"Light shows that service ends on {facts.service_end}.",
        )
    poa = facts.authority
    why_not = _stopped_after_acceptance(poa, facts) if poa is not None else ""
    if why_not and HoldCode.REVOKED_AFTER_ACCEPTANCE not in facts.settled_codes:
        return Hold(HoldCode.REVOKED_AFTER_ACCEPTANCE, HoldOwner.OFFICE, because=why_not)
    if changed := _go_live_changed(facts):
        return changed
    if facts.is_cancel_reported and HoldCode.CANCEL_REPORTED not in facts.settled_codes:
        return cancel_reported()
    return Finished(because="Service is active under the accepted plan.")


def hold_if_customer_left(facts: Facts) -> Hold | None:
    """Ask the office, once, about a customer whose service is ending or has ended."""
    is_over = facts.accepted_at is not None and facts.status == EnrollmentStatus.ENDED
    if not (facts.service_end is not None or is_over) or HoldCode.CUSTOMER_LEFT in facts.settled_codes:
        return None
    shown = (
        f"Light shows {short_date(facts.service_end)} as the last day of service"
        if facts.service_end
        else "Service has ended"
    )
    before = "" if facts.active_at else ", before it began"
    return Hold(
        HoldCode.CUSTOMER_LEFT,
        HoldOwner.OFFICE,
        because=f"{shown}{before}: the customer opted out, switched away or moved, or Light canceled it. Ask the "
        "customer, then record why they left and what could win them back.",
    )


def _day(day: date | None) -> str:
    return short_date(day) if day else "an unknown day"


def _after(day: date) -> datetime:
    return chicago_midnight(day + timedelta(days=1))


def _go_live_changed(facts: Facts) -> Hold | None:
    """
    Hold if, after the acceptance, the hardware may no longer run or may not run by the start of the plan.

    A correction that awaits confirmation does not cause a hold as long as its date does not affect the plan.
    """
    live, start = facts.go_live, facts.accepted_start
    current = live.counted_date or live.awaited_date
    is_late = current is not None and start is not None and current > start
    if (current is not None and not is_late) or HoldCode.GO_LIVE_WITHDRAWN in facts.settled_codes:
        return None
    what = (
        f"The go-live date was corrected to {_day(current)}, after the start of the plan on {_day(start)}."
        if is_late
        else ""
    )
    return Hold(
        HoldCode.GO_LIVE_WITHDRAWN,
        HoldOwner.OFFICE,
        because=f"{what or 'The go-live report was withdrawn after the plan was accepted.'} {_how_to_undo(facts)} "
        "Decide with the customer, then release the hold.",
    )


def _how_to_undo(facts: Facts) -> str:
    """Describe what is still in force, and until when it can be undone."""
    if facts.active_at is not None:
        return f"Service has been active since {short_date(facts.active_at)}; this does not end it."
    return f"The acceptance is still in force; it can be canceled at Light before {_day(facts.accepted_start)}."


def accepted_differently(difference: str) -> Hold:
    """Hold before anything is finalized: Light shows a contract that the customer did not sign for."""
    return Hold(
        HoldCode.ACCEPTED_DIFFERENTLY,
        HoldOwner.OFFICE,
        because=f"{difference} Nothing more is sent for this case. Have Light correct it, or agree with the customer "
        "how to undo it. This hold ends automatically once the account shows what we asked for.",
    )


def _stopped_after_acceptance(poa: AuthorityFacts, facts: Facts) -> str:
    undo = _how_to_undo(facts)
    if poa.stopped_because or poa.status == PoaStatus.CEASED:
        last = " The hold comes back as long as the stop signal is in force." if poa.stopped_because else ""
        return (
            f"After the plan was accepted: {poa.stopped_because or poa.ended_because} {undo} Ask the person who now "
            f"decides for the customer what to do, then release the hold.{last}"
        )
    if poa.status == PoaStatus.SUSPENDED:
        return (
            f"The authority was suspended after the plan was accepted: {poa.suspended_because} {undo} Resolve that "
            "with the customer, then resume the power of attorney and release the hold."
        )
    if poa.status == PoaStatus.REVOKED:
        return (
            f"The customer revoked the authority after the plan was accepted. {undo} Tell the customer how to leave, "
            "then release the hold."
        )
    if facts.held_by_customer_since is not None and facts.active_at is None:
        return (
            f"The customer put the enrollment on hold on {short_date(facts.held_by_customer_since)}, but the "
            f"acceptance already under way went through. {undo} Ask what the customer wants, then release the hold."
        )
    return ""


def finish(facts: Facts, now: datetime, policy: Policy) -> Step:
    """Finalize the enrollment while the authority is in force; otherwise only watch the accepted plan."""
    poa = facts.known_authority
    if poa.status in {PoaStatus.SUPERSEDED, PoaStatus.LAPSED} and HoldCode.AUTHORITY_UNCLEAR not in facts.settled_codes:
        return Hold(
            HoldCode.AUTHORITY_UNCLEAR,
            HoldOwner.OFFICE,
            because="The power of attorney ended after the plan was accepted and before the enrollment was finalized: "
            f"{poa.status.label.lower()}. Ask the customer to finish the enrollment at Light, then release the hold.",
            look_again_at=now + policy.watching_interval,
        )
    if poa.stopped_because or poa.status not in {PoaStatus.SIGNED, PoaStatus.EXHAUSTED}:
        return _watch_unfinished(facts, now, policy)
    return lost_answers.too_many_failed_attempts(WriteKind.FINALIZE, facts, policy) or Finalize(
        because="The plan is accepted; Light is waiting for the enrollment to be finalized."
    )


def _watch_unfinished(facts: Facts, now: datetime, policy: Policy) -> Step:
    step = watch(facts, now, policy)
    if not isinstance(step, Wait):
        return step
    return replace(
        step,
        because="The plan was accepted but not finalized at Light, because the power of attorney is "
        f"{facts.known_authority.status.label.lower()}. Nothing more is sent. The accepted start is "
        f"{_day(facts.accepted_start)}.",
    )


def watch(facts: Facts, now: datetime, policy: Policy) -> Step:
    account = facts.known_account
    read_at = account.read_at or now
    start = facts.accepted_start
    is_late = start is not None and chicago_day(now) > start + policy.active_grace
    if is_late and HoldCode.NOT_ACTIVE_IN_TIME not in facts.settled_codes:
        return Hold(
            HoldCode.NOT_ACTIVE_IN_TIME,
            HoldOwner.OFFICE,
            because=f"Service was due to start on {_day(start)}, but Light does not show it as active. Ask Light.",
            look_again_at=now + policy.watching_interval,
        )
    next_reading = read_at + policy.watching_interval
    if now >= next_reading:
        return ReadAccount(because="The account is read daily until service is active.")
    return Wait(
        until=next_reading,
        code=Waiting.SERVICE_TO_START,
        because=f"Everything is done; service starts on {_day(start)}.",
    )
