"""Accepting a plan at Light, and finalizing the enrollment afterward."""

from datetime import datetime

from django.db.models import Q

from core.actors import LIGHT, SYSTEM
from core.dates import chicago_day, short_date
from core.transactions import repeatable, repeatable_alone
from enrollments.actions import proven_outcomes
from enrollments.actions.holds import place_hold
from enrollments.actions.moves import EnrollmentMoved, take_move
from enrollments.actions.plan_documents import schedule_documents
from enrollments.actions.writes import (
    Tools,
    call,
    check_authority_for,
    close_done,
    lock_write,
    mark_in_doubt,
    open_write,
    record_doubt,
    still_due,
)
from enrollments.decision import acceptance_at_light, offers, plausibility, start_dates
from enrollments.decision.facts import Facts
from enrollments.decision.notices import start_plan
from enrollments.decision.policy import Policy
from enrollments.decision.steps import AcceptPlan, Finalize, Hold
from enrollments.engine.gathering import offered_plan, sent_acceptance, signed_limits
from enrollments.engine.locked_case import lock_case
from enrollments.light.payloads import Acceptance, WriteResult
from enrollments.models import AcceptAttempt, LightWrite, PlanOffer
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteKind, WriteStatus
from poa_documents.actions import verify_or_suspend


class OutsideAuthority(Exception):
    """The offer or the start is not within what the customer signed or Light allows. Nothing was sent."""


def accept_plan(enrollment_id: int, step: AcceptPlan, tools: Tools) -> None:
    """
    Accept one plan, once.

    The sealed document is read back and verified first. Then everything is checked again on locked rows, as of now: the
    decision, the authority, the offer against the envelope, and the start date against today's window.

    :raises EnrollmentMoved: something changed since the step was decided; nothing was sent
    :raises OutsideAuthority: a rule that the decision should have enforced is violated; nothing was sent
    """
    verify_or_suspend(poa_id=step.poa_id, at=tools.clock.now())

    attempt = _open_attempt(enrollment_id, step, at=tools.clock.now(), policy=tools.policy)
    acceptance = Acceptance(
        plan_uuid=str(attempt.offer.light_plan_uuid),
        esi_id=attempt.esi_id,
        service_start_date=attempt.service_start_date,
    )
    account_uuid = str(attempt.enrollment.light_account_uuid)

    answer = call(
        attempt.write,
        step,
        lambda before_send: tools.light.accept_plan(account_uuid, acceptance, before_send=before_send),
        tools=tools,
    )

    if acceptance_at_light.is_proven_by(answer, sent_acceptance(attempt)):
        _keep_acceptance(attempt, answer.raw, at=tools.clock.now())
    else:
        _doubt_acceptance(attempt, answer, at=tools.clock.now())


@repeatable_alone
def _open_attempt(enrollment_id: int, step: AcceptPlan, *, at: datetime, policy: Policy) -> AcceptAttempt:
    case = still_due(enrollment_id, step, at=at, policy=policy)
    check_authority_for(case, at=at)
    enrollment, poa = case.enrollment, case.known_poa
    if enrollment.attested_poa_id != poa.pk:
        raise EnrollmentMoved(f"{poa} is not attested to Light yet.")
    offer = PlanOffer.objects.get(pk=step.offer_id, enrollment=enrollment)
    verdict = offers.judge(offered_plan(offer), signed_limits(poa.envelope))
    if not verdict.fits:
        raise OutsideAuthority(f"The offer {offer} is outside the envelope of {poa}.")
    if doubts := plausibility.problems_with(offered_plan(offer)):
        raise OutsideAuthority(f"The offer {offer} is implausible: {'; '.join(doubts)}.")
    if not start_dates.is_legal(step.start, sent=chicago_day(at), window=policy.window):
        raise OutsideAuthority(
            f"{short_date(step.start)} is not a legal start date for an acceptance sent on {short_date(at)}."
        )

    request = {
        "plan_uuid": str(offer.light_plan_uuid),
        "esi_id": offer.esi_id,
        "service_start_date": step.start.isoformat(),
        "poa": str(poa.public_id),
        "poa_sha256": poa.pdf_sha256,
        "verdict": verdict.as_json(),
        "notice": step.notice_id,
        "date_plan": _date_plan(case.facts, at=at, policy=policy),
    }
    write = open_write(case, WriteKind.ACCEPT_PLAN, request, at=at)
    attempt = AcceptAttempt.objects.create(
        write=write,
        enrollment=enrollment,
        poa=poa,
        poa_sha256=poa.pdf_sha256,
        offer_sha256=offer.raw_sha256,
        poa_use=poa.uses_made + 1,
        offer=offer,
        esi_id=enrollment.site.esi_id,
        service_start_date=step.start,
        chicago_date=chicago_day(at),
    )
    schedule_documents(offer, at=at)
    details = {
        **{name: request[name] for name in ("plan_uuid", "service_start_date", "poa", "poa_sha256", "notice")},
        "offer_sha256": attempt.offer_sha256,
        "acceptance": attempt.public_id,
        "offer": offer.public_id,
    }
    take_move(case, "start_accepting", by=SYSTEM, at=at, reason=step.because, details=details)
    return attempt


def _date_plan(facts: Facts, *, at: datetime, policy: Policy) -> dict[str, object]:
    """Record which rule set each date, for audits years later."""
    planned = start_plan(facts, at, policy)
    if not isinstance(planned, start_dates.StartPlan):
        raise OutsideAuthority(str(planned))
    bounds = {"act_from": planned.act_from, "earliest": planned.earliest, "latest": planned.latest}
    return {
        **{
            name: {"date": bound.date.isoformat(), "rule": bound.rule.value}
            for name, bound in {**bounds, "last_act": planned.last_act}.items()
        },
        "best": planned.best.isoformat(),
    }


@repeatable
def _keep_acceptance(attempt: AcceptAttempt, answer: dict[str, object], *, at: datetime) -> None:
    """Record the answer, even if the attempt has since been settled, as done or as not done."""
    case = lock_case(attempt.enrollment_id)
    attempts = AcceptAttempt.objects.filter(enrollment=case.enrollment).select_related("write", "offer")
    known = {each.pk: each for each in attempts.filter(Q(pk=attempt.pk) | Q(succeeded__isnull=True))}
    attempt = known.pop(attempt.pk)
    write = attempt.write
    if write.status == WriteStatus.DONE:
        return
    is_another_open = bool(known)
    if is_another_open or case.enrollment.status not in _MAY_CONFIRM:
        close_done(case, write, answer=answer, outcome="Accepted, according to a late answer.", at=at)
        because = (
            "A late answer from Light says that it accepted a plan, although we had recorded that it did not. Check "
            "the account at Light."
        )
        place_hold(case, Hold(HoldCode.OUTCOME_UNKNOWN, HoldOwner.OPERATIONS, because=because), at=at)
        return
    case.enrollment.readings_asked += 1  # the account must show the acceptance before it is finalized
    case = proven_outcomes.confirm(case, attempt, by=LIGHT, at=at)
    close_done(case, write, answer=answer, outcome=f"Accepted, start {short_date(attempt.service_start_date)}.", at=at)


@repeatable
def _doubt_acceptance(attempt: AcceptAttempt, answer: WriteResult, *, at: datetime) -> None:
    """Mark the write in doubt: the 2xx does not show the acceptance. Hold the case if it shows something else."""
    difference = acceptance_at_light.difference(answer.locations, sent_acceptance(attempt))
    outcome = difference or f"{answer.summary}. It does not show the acceptance."
    case, write = lock_write(attempt.write_id)
    if write.status == WriteStatus.OPEN:
        mark_in_doubt(case, write, outcome=outcome, answer=answer.raw, at=at)
    if difference:
        proven_outcomes.hold_for_difference(case, difference, at=at)


_MAY_CONFIRM = frozenset({EnrollmentStatus.OPEN, EnrollmentStatus.ACCEPTING, EnrollmentStatus.IN_DOUBT})


def finalize(enrollment_id: int, step: Finalize, tools: Tools) -> None:
    """
    Finalize an accepted enrollment at Light. Not needed if a reading shows it finalized already.

    :raises EnrollmentMoved: something changed since the step was decided; nothing was sent
    """
    write = _open_finalizing(enrollment_id, step, at=tools.clock.now(), policy=tools.policy)
    account_uuid = str(write.enrollment.light_account_uuid)

    answer = call(
        write, step, lambda before_send: tools.light.finalize(account_uuid, before_send=before_send), tools=tools
    )

    if not answer.error_text and answer.account is not None and answer.account.is_enrollment_finalized:
        _keep_finalized(write, answer.raw, at=tools.clock.now())
    else:
        outcome = f"{answer.summary}. It does not show the enrollment as finalized."
        record_doubt(write.pk, outcome=outcome, answer=answer.raw, at=tools.clock.now())


@repeatable_alone
def _open_finalizing(enrollment_id: int, step: Finalize, *, at: datetime, policy: Policy) -> LightWrite:
    case = still_due(enrollment_id, step, at=at, policy=policy)
    check_authority_for(case, at=at, concluding=True)
    return open_write(case, WriteKind.FINALIZE, {}, at=at)


@repeatable
def _keep_finalized(write: LightWrite, answer: dict[str, object], *, at: datetime) -> None:
    case = lock_case(write.enrollment_id)
    if case.enrollment.status == EnrollmentStatus.ACCEPTED:
        proven_outcomes.finalize(case, at=at)
    close_done(case, write, answer=answer, outcome="Finalized.", at=at)
