"""
What happens next with an enrollment, and why: one pure function over the facts.

It drives the engine, which stores the answer on the enrollment; screens, mails and other systems read what is stored.
Only "what would happen if PTO were marked today" asks again, and says so. No database, no clock, no HTTP.

The reading order is the order of the rules: `decide`, then one function per stretch of the road. Lost and refused calls
have a room of their own, `lost_answers`, and so has what follows an acceptance, `after_acceptance`.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from core.dates import chicago_day, chicago_midnight, chicago_time
from enrollments.decision import address_correction, after_acceptance, lost_answers, notices, offers, plausibility
from enrollments.decision.facts import Facts, NoticeFacts, OfferFacts
from enrollments.decision.gates import BEYOND_ACCEPTANCE, authority_gate, cancel_reported, go_live_gate, readiness_gate
from enrollments.decision.notices import start_plan
from enrollments.decision.offers import OfferedPlan, Verdict
from enrollments.decision.policy import Policy
from enrollments.decision.start_dates import NoLegalStart, StartPlan
from enrollments.decision.steps import (
    HARMLESS_UNDER_HOLD,
    OVERTAKING_HOLDS,
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
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteKind
from poa_documents.states import PoaStatus


def decide(facts: Facts, *, now: datetime, policy: Policy) -> Step:
    """Give the one next step."""
    step = _next_step(facts, now, policy)
    if facts.mail_returned_because:
        step = _unless_unreachable(facts, step)
    if facts.hold is not None:
        step = _under_hold(facts, step, now, policy)
    if isinstance(step, Hold) and _may_yet_be_accepted(facts):
        step = _with_last_day(step, facts, now, policy)
    if _was_called_off(facts):
        step = _kept_in_view(facts, step, policy)
    if facts.writes_stopped_because and isinstance(step, STOPPED_STEPS):
        return _stopped(facts, now, policy)
    if facts.calls_not_before is not None and now < facts.calls_not_before and isinstance(step, REMOTE_STEPS):
        rest = _left_alone(facts, facts.calls_not_before, now, policy)
        is_before_acceptance = facts.status == EnrollmentStatus.OPEN and facts.authority is not None
        return _with_last_day(rest, facts, now, policy) if is_before_acceptance else rest
    return step


def _unless_unreachable(facts: Facts, step: Step) -> Step:
    """
    Ask the office where nobody can write to the customer: nothing new is chosen, and no waiting for him goes unseen.

    What was accepted is finished and watched all the same.
    """
    is_choosing = isinstance(step, (RequestPlans, GiveNotice, AcceptPlan))
    is_waiting = isinstance(step, Wait) and step.code not in {Waiting.CALL_UNDER_WAY, Waiting.BACKING_OFF}
    if not (is_choosing or is_waiting):
        return step
    return Hold(
        HoldCode.MAIL_RETURNED,
        HoldOwner.OFFICE,
        because=f"Mail to the customer comes back. {facts.mail_returned_because.rstrip('.')}. Ask the customer for "
        "another address and correct it on the customer's page: what waits then goes out, and this ends by itself. If "
        "the address is right after all, press “Mail gets through again” on the case.",
        look_again_at=step.until if isinstance(step, Wait) else None,
        act_by=step.act_by if isinstance(step, Wait) else None,
    )


def without_mail_trouble(facts: Facts) -> Facts:
    """Give the facts as they matter to the customer himself, who reads his page: that mail comes back stops him not."""
    is_held_for_it = facts.hold is not None and facts.hold.code == HoldCode.MAIL_RETURNED
    return replace(facts, mail_returned_because="", hold=None if is_held_for_it else facts.hold)


def _stopped(facts: Facts, now: datetime, policy: Policy) -> Wait:
    """Write nothing while operations hold all writes; looking again keeps the reading going."""
    return Wait(
        until=now + policy.collecting_interval,
        code=Waiting.WRITES_HELD,
        because=f"All writes to Light are stopped by operations: {facts.writes_stopped_because}",
        whose_turn=HoldOwner.OPERATIONS,
    )


def _was_called_off(facts: Facts) -> bool:
    """Whether an acceptance was given up because the account did not show it: it may yet, however late."""
    is_fruitless = facts.status == EnrollmentStatus.OPEN and WriteKind.ACCEPT_PLAN in facts.fruitless
    return is_fruitless and facts.account is not None


def _kept_in_view(facts: Facts, step: Step, policy: Policy) -> Step:
    """Have the account read on and on, whatever else the case waits for."""
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


def _left_alone(facts: Facts, until: datetime, now: datetime, policy: Policy) -> Wait | Hold:
    """No call for a while. An open hold stays what people see; what fails for long is for operations."""
    if facts.hold is not None:
        return Hold(facts.hold.code, facts.hold.owner, because=facts.hold.because, look_again_at=until)
    failing = facts.failing
    if failing is None:
        because = "Light could not be reached or asked us to wait. It is tried again automatically."
        return Wait(until=until, code=Waiting.BACKING_OFF, because=because)
    tries = "once" if failing.tries == 1 else f"{failing.tries} times"
    is_long = now >= failing.since + policy.failing_patience
    return Wait(
        until=until,
        code=Waiting.BACKING_OFF,
        because=f"Light could not be reached for “{failing.what}” or asked us to wait, {tries} since "
        f"{chicago_time(failing.since)}. It is tried again automatically.",
        whose_turn=HoldOwner.OPERATIONS if is_long else None,
    )


def if_live_on(day: date, facts: Facts, *, now: datetime, policy: Policy) -> Step:
    """Answer what would happen next if the hardware's go-live were reported, and counted, for `day`."""
    live = replace(facts.go_live, counted_date=day, is_awaiting_office=False)
    return decide(replace(facts, go_live=live), now=now, policy=policy)


def _next_step(facts: Facts, now: datetime, policy: Policy) -> Step:
    if facts.unsettled is not None:
        return lost_answers.settle(facts.unsettled, now, policy)
    if _is_reading_asked_for(facts) or (_was_called_off(facts) and _read_if_due(facts, now, policy)):
        return ReadAccount(because="There is news of the account; what it means stands at Light.")
    if facts.refused is not None:
        return lost_answers.hold_for_refusal(facts.refused)
    match facts.status:
        case EnrollmentStatus.OPEN:
            return _toward_acceptance(facts, now, policy)
        case EnrollmentStatus.ACCEPTING | EnrollmentStatus.IN_DOUBT:
            return Hold(
                HoldCode.DOUBT_UNSETTLED,
                HoldOwner.OPERATIONS,
                because="An acceptance is under way, yet no call is on record: compare the account at Light by hand.",
            )
        case EnrollmentStatus.ACCEPTED:
            conflict = after_acceptance.what_speaks_against(facts, now, policy)
            return (
                conflict or address_correction.tell_light(facts, policy) or after_acceptance.finish(facts, now, policy)
            )
        case EnrollmentStatus.FINALIZED:
            conflict = after_acceptance.what_speaks_against(facts, now, policy)
            return (
                conflict or address_correction.tell_light(facts, policy) or after_acceptance.watch(facts, now, policy)
            )
        case EnrollmentStatus.ACTIVE:
            return address_correction.tell_light(facts, policy) or after_acceptance.in_service(facts, now, policy)
        case EnrollmentStatus.ENDED:
            return after_acceptance.has_left(facts) or Finished(because="The enrollment has ended.")


def _under_hold(facts: Facts, step: Step, now: datetime, policy: Policy) -> Step:
    """While a person is needed, only reading goes on; a hold whose reason is gone by itself is lifted."""
    hold = facts.hold
    assert hold is not None  # noqa: S101 - the only caller has checked
    if isinstance(step, HARMLESS_UNDER_HOLD):
        return step
    is_shown_right = facts.accepted_at is not None and not facts.accepted_differently
    if hold.code == HoldCode.ACCEPTED_DIFFERENTLY and is_shown_right:
        return LiftHold(hold.hold_id, because="The account shows the plan, start and meter that were asked for.")
    if isinstance(step, Hold) and step.code in OVERTAKING_HOLDS and step.code != hold.code:
        return LiftHold(hold.hold_id, because=f"Something else comes first: {step.because}")
    if hold.code in SELF_CLEARING_HOLDS and not (isinstance(step, Hold) and step.code == hold.code):
        return LiftHold(hold.hold_id, because=f"The reason is gone: {hold.because}")
    if hold.code in {HoldCode.OUTSIDE_LIMITS, HoldCode.OFFER_UNCLEAR} and _signed_since(hold.since, facts):
        return LiftHold(hold.hold_id, because="The customer signed for other limits since.")
    if facts.unsettled is not None and isinstance(step, Wait):  # doubt is read on
        return Hold(hold.code, hold.owner, because=hold.because, look_again_at=step.until)
    if facts.account is None or facts.status == EnrollmentStatus.ENDED:
        return Hold(hold.code, hold.owner, because=hold.because)
    next_reading = (facts.account.read_at or now) + policy.watching_interval
    if now >= next_reading:
        return ReadAccount(because="The account is read daily, also while a person is needed.")
    return Hold(hold.code, hold.owner, because=hold.because, look_again_at=next_reading)


def _signed_since(moment: datetime, facts: Facts) -> bool:
    poa = facts.authority
    return poa is not None and poa.signed_at is not None and poa.signed_at > moment


# Before the acceptance


def _toward_acceptance(facts: Facts, now: datetime, policy: Policy) -> Step:
    """Authority first, then Light's account and our attestation, then readiness and go-live, then the plan."""
    if facts.go_live.is_called_off:
        return Close(because="Every installation at this site was canceled.")
    if without_us := _accepted_without_us(facts):
        return without_us
    authority = authority_gate(facts, now)
    if not isinstance(authority, str):
        return authority
    return (
        _introduce(facts, policy)
        or address_correction.tell_light(facts, policy)
        or _read_if_due(facts, now, policy)
        or _toward_plan(facts, now, policy)
    )


def _introduce(facts: Facts, policy: Policy) -> Step | None:
    """Have an account at Light and our attestation on it."""
    poa = facts.known_authority
    if facts.account is None:
        return lost_answers.came_to_nothing_too_often(WriteKind.CREATE_ACCOUNT, facts, policy) or OpenAccount(
            because="The customer signed; Light has no account for the case yet."
        )
    if not poa.is_attested:
        return lost_answers.came_to_nothing_too_often(
            WriteKind.RECORD_CLIENT_AGENT, facts, policy
        ) or RecordClientAgent(
            poa.poa_id, because="Light must know since when we act for the customer before a plan can be accepted."
        )
    return None


def _read_if_due(facts: Facts, now: datetime, policy: Policy) -> Step | None:
    account = facts.known_account
    if account.read_at is None or now >= account.read_at + policy.collecting_interval:
        return ReadAccount(because="It is time to see how far the account at Light has come.")
    return None


def _accepted_without_us(facts: Facts) -> Hold | None:
    """Accept nothing over a plan that the account shows, whatever else the case waits for."""
    account = facts.account
    if account is None or not (account.has_accepted_plan or account.stage in BEYOND_ACCEPTANCE):
        return None
    if facts.accepted_differently:
        return after_acceptance.accepted_differently(facts.accepted_differently)
    return Hold(
        HoldCode.CUSTOMER_ENROLLED_HIMSELF,
        HoldOwner.OFFICE,
        because="Light shows an accepted plan of which we have no record. The customer may have chosen it without "
        "us; after a restore it may be one that we accepted and forgot. Nothing is accepted over it. Look at Light "
        "who accepted it, and ask the customer. If it was ours, adopt it; otherwise close the case.",
    )


def _toward_plan(facts: Facts, now: datetime, policy: Policy) -> Step:
    if facts.is_cancel_reported and HoldCode.CANCEL_REPORTED not in facts.settled_codes:
        return cancel_reported()
    for gate in (readiness_gate(facts, now, policy), go_live_gate(facts)):
        if not isinstance(gate, str):
            return _with_last_day(gate, facts, now, policy)
    return _choose_and_accept(facts, now, policy)


def _choose_and_accept(facts: Facts, now: datetime, policy: Policy) -> Step:
    if in_vain := lost_answers.came_to_nothing_too_often(WriteKind.ACCEPT_PLAN, facts, policy):
        return in_vain  # before another plan is asked for or told: the lost acceptance may yet appear
    start = start_plan(facts, now, policy)
    if isinstance(start, NoLegalStart):
        return Hold(
            HoldCode.NO_LEGAL_START,
            HoldOwner.OFFICE,
            because=f"No start date is legal any more. {start} Send a new power of attorney with later dates.",
        )
    if start.act_from.date > chicago_day(now):
        return Wait(
            until=chicago_midnight(start.act_from.date),
            code=Waiting.START_TOO_FAR,
            because=f"A plan can be accepted from {start.act_from.date} on: {start.act_from.rule.value}.",
        )
    if facts.held_by_customer_since is not None:
        return Wait(
            until=now + policy.collecting_interval,
            code=Waiting.HELD_BY_CUSTOMER,
            because=f"The customer put the enrollment on hold on {chicago_day(facts.held_by_customer_since)}. Only the "
            "customer lets it go on, on the page behind the link; call and ask while there is time.",
            whose_turn=HoldOwner.CUSTOMER,
            act_by=notices.last_day_to_begin(start, policy),
        )
    notice = notices.standing_notice(facts, now, policy)
    if notice is not None and now < notice.until:
        return Wait(
            until=notice.until,
            code=Waiting.NOTICE,
            because=f"The customer was told which plan starts on {notice.start}, and may object until the end of "
            f"{notice.last_day}.",
        )
    fresh = [offer for offer in facts.offers if offer.requested_at <= now < offer.stale_at]
    if not fresh:
        return _ask_for_plans(facts, policy)
    judged = [(offer.plan, offers.judge(offer.plan, facts.known_authority.limits)) for offer in fresh]
    chosen = offers.choose((plan, verdict) for plan, verdict in judged if not plausibility.doubts_about(plan))
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
            because="No start is legal any more that leaves the customer a day to object before the plan is accepted. "
            "Send a new power of attorney with later dates.",
        )
    shortened = " It is shorter than usual, as the signed dates leave no more room." if planned.is_shortened else ""
    return GiveNotice(
        offer.offer_id,
        facts.known_authority.poa_id,
        planned.start,
        planned.until,
        because="An offer is within every signed limit; the customer is told, and may object until the end of "
        f"{planned.last_day}.{shortened}",
    )


def _ask_for_plans(facts: Facts, policy: Policy) -> Step:
    if facts.has_asked_for_offers and not facts.offers and facts.unusable_offers:
        return Hold(
            HoldCode.NO_PLANS,
            HoldOwner.OFFICE,
            because=f"Light offers no plan that anybody could accept: {', '.join(facts.unusable_offers[:5])} of its "
            "list cannot be used. Ask Light about it, then release the hold to ask again.",
        )
    if facts.has_asked_for_offers and not facts.offers:
        return Hold(
            HoldCode.NO_PLANS,
            HoldOwner.OFFICE,
            because="Light offers no plan for this meter today. Ask Light about the address, then release the hold.",
        )
    if facts.offers and all(_is_dead_on_arrival(offer, policy) for offer in facts.offers):
        asked_at = max(offer.requested_at for offer in facts.offers)
        return Hold(
            HoldCode.OFFERS_EXPIRED,
            HoldOwner.OFFICE,
            because=f"Every plan that Light offered on {chicago_time(asked_at)} had expired when it arrived, or soon "
            "after. Ask Light, then release the hold to ask for plans again.",
        )
    return RequestPlans(
        because="All three gates are open and the offers at hand are too old to accept."
        if facts.offers
        else "All three gates are open: it is time to ask Light for plans."
    )


def _is_dead_on_arrival(offer: OfferFacts, policy: Policy) -> bool:
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
        return ReadAccount(because="The account is read once more right before a plan is accepted.")
    first_day = notices.start_to_name(notice, start)
    why = "the start that the customer was told"
    if first_day == start.best:
        why = f"the earliest legal start ({start.earliest.rule.value})"
    return AcceptPlan(
        offer.offer_id,
        facts.known_authority.poa_id,
        first_day,
        because=f"The offer is within every signed limit, and {first_day} is {why}.",
        notice_id=notice.notice_id if notice else None,
    )


# Small questions


def _may_yet_be_accepted(facts: Facts) -> bool:
    """Whether something was signed that a hold keeps us from using: it has a last day, which a person must know."""
    poa = facts.authority
    is_signed = poa is not None and poa.status in {PoaStatus.SIGNED, PoaStatus.SUSPENDED} and not poa.stopped_because
    return is_signed and facts.status == EnrollmentStatus.OPEN


def _is_reading_asked_for(facts: Facts) -> bool:
    is_over = facts.status == EnrollmentStatus.ENDED
    return facts.account is not None and facts.account.is_reading_asked_for and not is_over


def _with_last_day(gate: Wait | Hold, facts: Facts, now: datetime, policy: Policy) -> Wait | Hold:
    """Say by when a shut gate must open, or a hold must end, for a start to be legal still."""
    start = start_plan(facts, now, policy)
    return replace(gate, act_by=notices.last_day_to_begin(start, policy)) if isinstance(start, StartPlan) else gate


def _offer_of(chosen: OfferedPlan, among: Sequence[OfferFacts]) -> OfferFacts:
    return next(offer for offer in among if offer.plan == chosen)


def _no_choice(judged: Sequence[tuple[OfferedPlan, Verdict]], facts: Facts, *, act_by: date) -> Hold:
    """
    Say what is wrong with all offers: those within the limits cannot be right, or Light does not say what must be
    known of one, or none is within the limits.
    """
    doubts = [doubt for plan, verdict in judged if verdict.fits for doubt in plausibility.doubts_about(plan)]
    if doubts:
        return Hold(
            HoldCode.IMPLAUSIBLE_OFFER,
            HoldOwner.OFFICE,
            because=f"Light's offer cannot be right: {'; '.join(dict.fromkeys(doubts))}. It is not accepted. Compare "
            "the plan's Electricity Facts Label and ask Light, then release the hold to ask for plans again.",
            act_by=act_by,
        )
    _, nearest = min(judged, key=lambda pair: _nearness(*pair))
    count = len(judged) + facts.left_out_offers
    if nearest.lacks_only_words:
        return Hold(HoldCode.OFFER_UNCLEAR, HoldOwner.OPERATIONS, because=_unsaid(nearest, count), act_by=act_by)
    return Hold(HoldCode.OUTSIDE_LIMITS, HoldOwner.OFFICE, because=_nearest_miss(nearest, count), act_by=act_by)


def _nearness(offer: OfferedPlan, verdict: Verdict) -> tuple[bool, int, str]:
    return not verdict.lacks_only_words, len(verdict.failures), str(offer.light_plan_uuid)


def _unsaid(nearest: Verdict, count: int) -> str:
    unsaid = "; ".join(f"{field.field} {field.offered}, signed {field.signed}" for field in nearest.failures)
    advice = "Ask Light where it says this. "
    if any(field.field == offers.RATE_KIND for field in nearest.failures):
        advice = (
            "Ask Light where a plan says its kind of rate and in which word, and set LIGHT_DIALECT_RATE_KIND_LOOKUP or "
            "LIGHT_DIALECT_RATE_KIND_SPELLINGS to that. "
        )
    return (
        f"Light does not say what must be known before one of the {count} plans on offer can be accepted: {unsaid}. "
        f"{advice}Then release the hold to ask for plans again. Waiting for better prices does not help."
    )


def _nearest_miss(nearest: Verdict, count: int) -> str:
    """Say how far off the offer with the fewest failures is."""
    misses = "; ".join(f"{field.field} {field.offered}, signed {field.signed}" for field in nearest.failures)
    return (
        f"None of the {count} plans on offer is within the signed limits. Nearest: {misses}. Wait for better "
        "prices and release the hold to ask again, or send the customer a new power of attorney."
    )
