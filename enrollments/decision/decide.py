"""
The next step of an enrollment, and why: one pure function over the facts. No database, no clock, no HTTP.

The engine calls it and stores the answer on the enrollment. Screens, mails and other systems read the stored answer.
Only the preview "what if PTO were marked today" decides again, and it is labeled as a preview.

The functions appear in the order of the rules: `decide`, then one function per stage. Lost and refused calls are in
`lost_answers`, and everything that follows an acceptance is in `after_acceptance`.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from core.dates import chicago_day, chicago_midnight, chicago_time, short_date
from enrollments.decision import after_acceptance, email_correction, lost_answers, notices, offers, plausibility
from enrollments.decision.facts import Facts, NoticeFacts, OfferFacts
from enrollments.decision.gates import authority_gate, cancel_reported, go_live_gate, readiness_gate
from enrollments.decision.notices import start_plan
from enrollments.decision.offers import OfferedPlan, Verdict
from enrollments.decision.policy import Policy
from enrollments.decision.start_dates import NoLegalStart, StartPlan
from enrollments.decision.steps import (
    ALLOWED_UNDER_HOLD,
    PRIORITY_HOLDS,
    REMOTE_STEPS,
    SELF_CLEARING_HOLDS,
    STOPPED_STEPS,
    AcceptPlan,
    Close,
    Finished,
    GiveNotice,
    Hold,
    LiftHold,
    OpenAccount,
    ReadAccount,
    RecordClientAgent,
    RequestPlans,
    Step,
    Wait,
    Waiting,
)
from enrollments.light.payloads import BEYOND_ACCEPTANCE
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteKind
from poa_documents.states import PoaStatus


def decide(facts: Facts, *, now: datetime, policy: Policy) -> Step:
    """Return the one next step."""
    step = _next_step(facts, now, policy)
    if facts.mail_returned_because:
        step = _hold_if_unreachable(facts, step)
    if facts.hold is not None:
        step = _under_hold(facts, step, now, policy)
    if isinstance(step, Hold) and _can_still_be_accepted(facts):
        step = _with_last_day(step, facts, now, policy)
    if _has_failed_acceptance(facts):
        step = _keep_reading(facts, step, policy)
    if facts.writes_stopped_because and isinstance(step, STOPPED_STEPS):
        return _wait_for_writes(facts, now, policy)
    if facts.calls_not_before is not None and now < facts.calls_not_before and isinstance(step, REMOTE_STEPS):
        rest = _back_off(facts, facts.calls_not_before, now, policy)
        is_before_acceptance = facts.status == EnrollmentStatus.OPEN and facts.authority is not None
        return _with_last_day(rest, facts, now, policy) if is_before_acceptance else rest
    return step


def _hold_if_unreachable(facts: Facts, step: Step) -> Step:
    """
    Hold for the office when mail to the customer bounces: choose no plan, and do not wait silently for the customer.

    An accepted plan is still finalized and watched.
    """
    is_choosing = isinstance(step, (RequestPlans, GiveNotice, AcceptPlan))
    is_waiting = isinstance(step, Wait) and step.code not in {Waiting.CALL_IN_PROGRESS, Waiting.BACKING_OFF}
    if not (is_choosing or is_waiting):
        return step
    return Hold(
        HoldCode.MAIL_RETURNED,
        HoldOwner.OFFICE,
        because=f"E-mail to the customer bounces. {facts.mail_returned_because.rstrip('.')}. Ask the customer for "
        "another address and correct it on the customer's page. Waiting mail is then sent, and this hold ends "
        "automatically. If the address is correct, press “Mail gets through again” on the case.",
        look_again_at=step.until if isinstance(step, Wait) else None,
        act_by=step.act_by if isinstance(step, Wait) else None,
    )


def without_mail_trouble(facts: Facts) -> Facts:
    """Return the facts as they apply to the customer's own page, where bounced mail does not matter."""
    is_held_for_it = facts.hold is not None and facts.hold.code == HoldCode.MAIL_RETURNED
    return replace(facts, mail_returned_because="", hold=None if is_held_for_it else facts.hold)


def _wait_for_writes(facts: Facts, now: datetime, policy: Policy) -> Wait:
    """Send no writes while operations have stopped them. Deciding again regularly keeps the account readings going."""
    return Wait(
        until=now + policy.collecting_interval,
        code=Waiting.WRITES_STOPPED,
        because=f"Operations stopped all writes to Light: {facts.writes_stopped_because}",
        whose_turn=HoldOwner.OPERATIONS,
    )


def _has_failed_acceptance(facts: Facts) -> bool:
    """Whether an acceptance was recorded as failed because the account did not show it. It may still appear later."""
    has_failed = facts.status == EnrollmentStatus.OPEN and WriteKind.ACCEPT_PLAN in facts.failed_attempts
    return has_failed and facts.account is not None


def _keep_reading(facts: Facts, step: Step, policy: Policy) -> Step:
    """Keep reading the account, whatever else the case is waiting for."""
    account = facts.known_account
    if account.read_at is None:
        return step
    next_reading = account.read_at + policy.collecting_interval
    match step:
        case Wait(until=None):
            return replace(step, until=next_reading)
        case Hold(look_again_at=again):
            return replace(step, look_again_at=min(again or next_reading, next_reading))
        case _:
            return step


def _back_off(facts: Facts, until: datetime, now: datetime, policy: Policy) -> Wait | Hold:
    """Make no call for a while. People still see an open hold; after repeated failures it is operations' turn."""
    if facts.hold is not None:
        return Hold(facts.hold.code, facts.hold.owner, because=facts.hold.because, look_again_at=until)
    failing = facts.failing
    if failing is None:
        because = "Light could not be reached or asked us to wait. It is tried again automatically."
        return Wait(until=until, code=Waiting.BACKING_OFF, because=because)
    tries = "once" if failing.tries == 1 else f"{failing.tries} times"
    is_long = now >= failing.since + policy.max_failing_time
    return Wait(
        until=until,
        code=Waiting.BACKING_OFF,
        because=f"Light could not be reached for “{failing.what}” or asked us to wait, {tries} since "
        f"{chicago_time(failing.since)}. It is tried again automatically.",
        whose_turn=HoldOwner.OPERATIONS if is_long else None,
    )


def decide_as_if_live(day: date, facts: Facts, *, now: datetime, policy: Policy) -> Step:
    """Return the next step as if the hardware's go-live had been reported, and counted, for `day`."""
    live = replace(facts.go_live, counted_date=day, is_awaiting_office=False)
    return decide(replace(facts, go_live=live), now=now, policy=policy)


def _next_step(facts: Facts, now: datetime, policy: Policy) -> Step:
    if facts.unsettled is not None:
        return lost_answers.settle(facts.unsettled, now, policy)
    if _is_reading_requested(facts) or (_has_failed_acceptance(facts) and _read_if_due(facts, now, policy)):
        return ReadAccount(because="There is news about the account; it is read to see what changed.")
    if facts.refused is not None:
        return lost_answers.hold_for_refusal(facts.refused)
    match facts.status:
        case EnrollmentStatus.OPEN:
            return _toward_acceptance(facts, now, policy)
        case EnrollmentStatus.ACCEPTING | EnrollmentStatus.IN_DOUBT:
            return Hold(
                HoldCode.OUTCOME_UNKNOWN,
                HoldOwner.OPERATIONS,
                because="An acceptance is under way, but no call is on record. Check the account at Light by hand.",
            )
        case EnrollmentStatus.ACCEPTED:
            conflict = after_acceptance.conflicts_with_acceptance(facts, now, policy)
            return (
                conflict
                or email_correction.send_correction(facts, policy)
                or after_acceptance.finish(facts, now, policy)
            )
        case EnrollmentStatus.FINALIZED:
            conflict = after_acceptance.conflicts_with_acceptance(facts, now, policy)
            return (
                conflict
                or email_correction.send_correction(facts, policy)
                or after_acceptance.watch(facts, now, policy)
            )
        case EnrollmentStatus.ACTIVE:
            return email_correction.send_correction(facts, policy) or after_acceptance.in_service(facts, now, policy)
        case EnrollmentStatus.ENDED:
            return after_acceptance.hold_if_customer_left(facts) or Finished(because="The enrollment has ended.")


def _under_hold(facts: Facts, step: Step, now: datetime, policy: Policy) -> Step:
    """While a person is needed, only readings continue. A hold whose reason is gone is lifted."""
    hold = facts.hold
    assert hold is not None  # noqa: S101 - the only caller has checked
    if isinstance(step, ALLOWED_UNDER_HOLD):
        return step
    is_shown_right = facts.accepted_at is not None and not facts.accepted_differently
    if hold.code == HoldCode.ACCEPTED_DIFFERENTLY and is_shown_right:
        return LiftHold(hold.hold_id, because="The account shows the plan, start and meter that we asked for.")
    if isinstance(step, Hold) and step.code in PRIORITY_HOLDS and step.code != hold.code:
        return LiftHold(hold.hold_id, because=f"Something more important came up: {step.because}")
    if hold.code in SELF_CLEARING_HOLDS and not (isinstance(step, Hold) and step.code == hold.code):
        return LiftHold(hold.hold_id, because=f"The reason is gone: {hold.because}")
    if hold.code in {HoldCode.OUTSIDE_LIMITS, HoldCode.OFFER_UNCLEAR} and _signed_since(hold.since, facts):
        return LiftHold(hold.hold_id, because="The customer has since signed for other limits.")
    if facts.unsettled is not None and isinstance(step, Wait):  # keep reading until the outcome is known
        return Hold(hold.code, hold.owner, because=hold.because, look_again_at=step.until)
    if facts.account is None or facts.status == EnrollmentStatus.ENDED:
        return Hold(hold.code, hold.owner, because=hold.because)
    next_reading = (facts.account.read_at or now) + policy.watching_interval
    if now >= next_reading:
        return ReadAccount(because="The account is read daily, even while a person is needed.")
    return Hold(hold.code, hold.owner, because=hold.because, look_again_at=next_reading)


def _signed_since(moment: datetime, facts: Facts) -> bool:
    poa = facts.authority
    return poa is not None and poa.signed_at is not None and poa.signed_at > moment


# Before the acceptance


def _toward_acceptance(facts: Facts, now: datetime, policy: Policy) -> Step:
    """Check the authority, then the account and our attestation, then readiness and go-live, then choose a plan."""
    if facts.go_live.is_job_canceled:
        return Close(because="Every installation at this site was canceled.")
    if without_us := _accepted_without_us(facts):
        return without_us
    authority = authority_gate(facts, now)
    if not isinstance(authority, str):
        return authority
    return (
        _set_up_account(facts, policy)
        or email_correction.send_correction(facts, policy)
        or _read_if_due(facts, now, policy)
        or _toward_plan(facts, now, policy)
    )


def _set_up_account(facts: Facts, policy: Policy) -> Step | None:
    """Return the step that creates the account at Light or records our attestation; None when both are done."""
    poa = facts.known_authority
    if facts.account is None:
        return lost_answers.too_many_failed_attempts(WriteKind.CREATE_ACCOUNT, facts, policy) or OpenAccount(
            because="The customer has signed; the account at Light is created next."
        )
    if not poa.is_attested:
        return lost_answers.too_many_failed_attempts(WriteKind.RECORD_CLIENT_AGENT, facts, policy) or RecordClientAgent(
            poa.poa_id, because="Light must be told that we act for the customer before a plan can be accepted."
        )
    return None


def _read_if_due(facts: Facts, now: datetime, policy: Policy) -> Step | None:
    account = facts.known_account
    if account.read_at is None or now >= account.read_at + policy.collecting_interval:
        return ReadAccount(because="It is time to check the account at Light.")
    return None


def _accepted_without_us(facts: Facts) -> Hold | None:
    """Hold if the account already shows an accepted plan, whatever else the case is waiting for."""
    account = facts.account
    if account is None or not (account.has_accepted_plan or account.stage in BEYOND_ACCEPTANCE):
        return None
    if facts.accepted_differently:
        return after_acceptance.accepted_differently(facts.accepted_differently)
    return Hold(
        HoldCode.SELF_ENROLLED,
        HoldOwner.OFFICE,
        because="Light shows an accepted plan that we have no record of. The customer may have chosen it without us; "
        "after a restore it may be our own. We do not accept another plan. Check at Light who accepted it, and ask the "
        "customer. If it was ours, adopt it; otherwise close the case.",
    )


def _toward_plan(facts: Facts, now: datetime, policy: Policy) -> Step:
    if facts.is_cancel_reported and HoldCode.CANCEL_REPORTED not in facts.settled_codes:
        return cancel_reported()
    for gate in (readiness_gate(facts, now, policy), go_live_gate(facts)):
        if not isinstance(gate, str):
            return _with_last_day(gate, facts, now, policy)
    return _choose_and_accept(facts, now, policy)


def _choose_and_accept(facts: Facts, now: datetime, policy: Policy) -> Step:
    # Checked before another plan is requested or announced: the lost acceptance may still appear.
    if hold := lost_answers.too_many_failed_attempts(WriteKind.ACCEPT_PLAN, facts, policy):
        return hold
    start = start_plan(facts, now, policy)
    if isinstance(start, NoLegalStart):
        return Hold(
            HoldCode.NO_LEGAL_START,
            HoldOwner.OFFICE,
            because=f"No legal start date is left. {start} Send a new power of attorney with later dates.",
        )
    if start.act_from.date > chicago_day(now):
        return Wait(
            until=chicago_midnight(start.act_from.date),
            code=Waiting.START_TOO_FAR,
            because=f"A plan can be accepted starting {short_date(start.act_from.date)}: {start.act_from.rule.value}.",
        )
    if facts.held_by_customer_since is not None:
        return Wait(
            until=now + policy.collecting_interval,
            code=Waiting.HELD_BY_CUSTOMER,
            because=f"The customer put the enrollment on hold on {short_date(facts.held_by_customer_since)}. Only the "
            "customer can resume it, on their own page. Call them while there is time.",
            whose_turn=HoldOwner.CUSTOMER,
            act_by=notices.last_day_to_begin(start, policy),
        )
    notice = notices.notice_in_force(facts, now, policy)
    if notice is not None and now < notice.until:
        return Wait(
            until=notice.until,
            code=Waiting.NOTICE,
            because=f"The customer was told which plan starts on {short_date(notice.start)} and may object through "
            f"{short_date(notice.last_day)}.",
        )
    fresh = [offer for offer in facts.offers if offer.requested_at <= now < offer.stale_at]
    if not fresh:
        return _ask_for_plans(facts, policy)
    judged = [(offer.plan, offers.judge(offer.plan, facts.known_authority.limits)) for offer in fresh]
    chosen = offers.choose((plan, verdict) for plan, verdict in judged if not plausibility.problems_with(plan))
    if chosen is None:
        return _no_choice(judged, facts, act_by=start.last_act.date)
    offer = _offer_of(chosen, fresh)
    is_told = notice is not None and notices.covers(notice, chosen)
    if policy.notice_days and not is_told:
        return _paused(start, facts, now, policy) or _give_notice(offer, facts, now, policy)
    return _accept(offer, notice, start, facts, now, policy)


def _give_notice(offer: OfferFacts, facts: Facts, now: datetime, policy: Policy) -> GiveNotice | Hold:
    planned = notices.planned_notice(facts, now, policy)
    if planned is None:
        return Hold(
            HoldCode.NO_LEGAL_START,
            HoldOwner.OFFICE,
            because="No legal start date leaves the customer a full day to object before the plan is accepted. Send a "
            "new power of attorney with later dates.",
        )
    shortened = " The notice is shorter than usual because of the signed dates." if planned.is_shortened else ""
    return GiveNotice(
        offer.offer_id,
        facts.known_authority.poa_id,
        planned.start,
        planned.until,
        because="An offer is within every signed limit. The customer is told and may object through "
        f"{short_date(planned.last_day)}.{shortened}",
    )


def _ask_for_plans(facts: Facts, policy: Policy) -> Step:
    if facts.has_asked_for_offers and not facts.offers and facts.unusable_offers:
        return Hold(
            HoldCode.NO_PLANS,
            HoldOwner.OFFICE,
            because="Light offers no usable plan. These entries of its list cannot be accepted: "
            f"{', '.join(facts.unusable_offers[:5])}. Ask Light about them, then release the hold to ask again.",
        )
    if facts.has_asked_for_offers and not facts.offers:
        return Hold(
            HoldCode.NO_PLANS,
            HoldOwner.OFFICE,
            because="Light offers no plan for this meter today. Ask Light about the address, then release the hold.",
        )
    if facts.offers and all(_has_expired_on_arrival(offer, policy) for offer in facts.offers):
        asked_at = max(offer.requested_at for offer in facts.offers)
        return Hold(
            HoldCode.OFFERS_EXPIRED,
            HoldOwner.OFFICE,
            because=f"Every plan that Light offered on {chicago_time(asked_at)} had already expired or expired within "
            "minutes. Ask Light, then release the hold to ask for plans again.",
        )
    return RequestPlans(
        because="All three gates are open, but the offers we have are too old to accept."
        if facts.offers
        else "All three gates are open; Light is asked for plans next."
    )


def _has_expired_on_arrival(offer: OfferFacts, policy: Policy) -> bool:
    return offer.expires_at is not None and offer.expires_at < offer.requested_at + policy.min_plan_life


def _paused(start: StartPlan, facts: Facts, now: datetime, policy: Policy) -> Wait | None:
    if not facts.is_paused:
        return None
    return Wait(
        until=now + policy.collecting_interval,
        code=Waiting.PAUSED,
        because="Acceptances are paused by the office.",
        whose_turn=HoldOwner.OFFICE,
        act_by=start.last_act.date,
    )


def _accept(
    offer: OfferFacts, notice: NoticeFacts | None, start: StartPlan, facts: Facts, now: datetime, policy: Policy
) -> Step:
    if paused := _paused(start, facts, now, policy):
        return paused
    account = facts.known_account
    is_fresh = account.read_at is not None and account.read_at <= now <= account.read_at + policy.fresh_reading
    if not is_fresh or not account.is_read_in_this_turn:
        return ReadAccount(because="The account is read once more just before a plan is accepted.")
    first_day = notices.start_to_name(notice, start)
    why = "the start date announced to the customer"
    if first_day == start.best:
        why = f"the earliest legal start ({start.earliest.rule.value})"
    return AcceptPlan(
        offer.offer_id,
        facts.known_authority.poa_id,
        first_day,
        because=f"The offer is within every signed limit. Its start, {short_date(first_day)}, is {why}.",
        notice_id=notice.notice_id if notice else None,
    )


# Conditions


def _can_still_be_accepted(facts: Facts) -> bool:
    """Whether a hold keeps us from using a signed authority. It has a last day, which staff must see."""
    poa = facts.authority
    is_signed = poa is not None and poa.status in {PoaStatus.SIGNED, PoaStatus.SUSPENDED} and not poa.stopped_because
    return is_signed and facts.status == EnrollmentStatus.OPEN


def _is_reading_requested(facts: Facts) -> bool:
    is_over = facts.status == EnrollmentStatus.ENDED
    return facts.account is not None and facts.account.is_reading_requested and not is_over


def _with_last_day(gate: Wait | Hold, facts: Facts, now: datetime, policy: Policy) -> Wait | Hold:
    """Add the last day on which the gate may open, or the hold may end, for a legal start."""
    start = start_plan(facts, now, policy)
    return replace(gate, act_by=notices.last_day_to_begin(start, policy)) if isinstance(start, StartPlan) else gate


def _offer_of(chosen: OfferedPlan, among: Sequence[OfferFacts]) -> OfferFacts:
    return next(offer for offer in among if offer.plan == chosen)


def _no_choice(judged: Sequence[tuple[OfferedPlan, Verdict]], facts: Facts, *, act_by: date) -> Hold:
    """
    Return the hold that says why no offer can be accepted.

    Either the offers within the limits are implausible, or Light leaves out something we must know, or none is within
    the limits.
    """
    problems = [problem for plan, verdict in judged if verdict.fits for problem in plausibility.problems_with(plan)]
    if problems:
        return Hold(
            HoldCode.IMPLAUSIBLE_OFFER,
            HoldOwner.OFFICE,
            because=f"Light's offer cannot be right: {'; '.join(dict.fromkeys(problems))}. We do not accept it. Check "
            "the plan's Electricity Facts Label and ask Light, then release the hold to ask for plans again.",
            act_by=act_by,
        )
    _, nearest = min(judged, key=lambda pair: _distance_from_limits(*pair))
    count = len(judged) + facts.left_out_offers
    if nearest.is_only_incomplete:
        return Hold(HoldCode.OFFER_UNCLEAR, HoldOwner.OPERATIONS, because=_unsaid(nearest, count), act_by=act_by)
    return Hold(HoldCode.OUTSIDE_LIMITS, HoldOwner.OFFICE, because=_nearest_miss(nearest, count), act_by=act_by)


def _distance_from_limits(offer: OfferedPlan, verdict: Verdict) -> tuple[bool, int, str]:
    return not verdict.is_only_incomplete, len(verdict.failures), str(offer.light_plan_uuid)


def _unsaid(nearest: Verdict, count: int) -> str:
    unsaid = "; ".join(f"{field.field} {field.offered}, signed {field.signed}" for field in nearest.failures)
    advice = "Ask Light where to find this. "
    if any(field.field == offers.RATE_KIND for field in nearest.failures):
        advice = (
            "Ask Light which field holds the kind of rate and how it is spelled, and set "
            "LIGHT_DIALECT_RATE_KIND_LOOKUP or LIGHT_DIALECT_RATE_KIND_SPELLINGS accordingly. "
        )
    return (
        f"Light's {count} offers leave out something we must know before accepting one: {unsaid}. {advice}Then release "
        "the hold to ask for plans again. Waiting for better prices does not help."
    )


def _nearest_miss(nearest: Verdict, count: int) -> str:
    """Describe the offer with the fewest failures."""
    misses = "; ".join(f"{field.field} {field.offered}, signed {field.signed}" for field in nearest.failures)
    return (
        f"None of the {count} plans offered is within the signed limits. Closest: {misses}. Wait for better prices and "
        "release the hold to ask again, or send the customer a new power of attorney."
    )
