"""Requesting plans from Light, judging every offer, and storing the relevant ones with their verdicts."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from core.transactions import repeatable, repeatable_alone
from enrollments.actions.writes import Tools, call, check_authority_for, close_done, open_write, still_due
from enrollments.decision import offers, plausibility
from enrollments.decision.steps import RequestPlans
from enrollments.engine.gathering import offered_plan, signed_limits
from enrollments.engine.locked_case import lock_case
from enrollments.light.payloads import Plan, PlanList, name_unusable
from enrollments.models import LightWrite, PlanOffer
from enrollments.states import WriteKind
from poa_documents.models import Envelope, PoaDocument

STORED_DECIMALS = 6
STORED_AMOUNT_LIMIT = Decimal(10) ** 6
MAX_URL_LENGTH = 500
MAX_KEPT_OFFERS = 100
"""More than Light has ever shown. Of a longer list, the best are stored; the others are judged and only counted."""


def request_plans(enrollment_id: int, step: RequestPlans, tools: Tools) -> None:
    """Request today's offers, judge each against the envelope, and store the relevant ones exactly as they came."""

    @repeatable_alone
    def record() -> tuple[LightWrite, PoaDocument]:
        at = tools.clock.now()
        case = still_due(enrollment_id, step, at=at, policy=tools.policy)
        check_authority_for(case, at=at)
        request = {"esi_id": case.enrollment.site.esi_id}
        return open_write(case, WriteKind.REQUEST_PLANS, request, at=at), case.known_poa

    write, poa = record()
    esi_id = write.enrollment.site.esi_id
    account_uuid = str(write.enrollment.light_account_uuid)

    offered = call(
        write,
        step,
        lambda before_send: tools.light.request_plans(account_uuid, esi_id=esi_id, before_send=before_send),
        tools=tools,
    )

    @repeatable
    def keep() -> None:
        case = lock_case(enrollment_id)
        judged = _judge(offered, write=write, esi_id=esi_id, envelope=poa.envelope, at=tools.clock.now())
        fitting = sum(offer.fits for offer in judged)
        kept = PlanOffer.objects.bulk_create(_most_relevant(judged))
        close_done(
            case,
            write,
            answer={
                "plans": len(judged),
                "left_out": len(judged) - len(kept),
                "unusable": [str(entry) for entry in offered.unusable[:MAX_KEPT_OFFERS]],
                "unusable_count": len(offered.unusable),
            },
            outcome=_summarize(offered, fitting=fitting, kept=len(kept)),
            at=tools.clock.now(),
            details={"offers": {str(offer.public_id): offer.raw_sha256 for offer in kept}},
        )

    keep()


def _summarize(offered: PlanList, *, fitting: int, kept: int) -> str:
    summary = f"{len(offered.plans)} plans offered, {fitting} within the signed limits."
    if kept < len(offered.plans):
        summary += f" The best {kept} are stored. The other {len(offered.plans) - kept} were judged but only counted."
    if offered.unusable:
        summary += f" Left out because they cannot be accepted: {name_unusable(offered.unusable)}."
    return summary


def _judge(offered: PlanList, *, write: LightWrite, esi_id: str, envelope: Envelope, at: datetime) -> list[PlanOffer]:
    limits = signed_limits(envelope)
    judged = []
    for plan in offered.plans:
        offer = _offer_from(plan, write=write, esi_id=esi_id, at=at)
        offered_here = offered_plan(offer)
        verdict = offers.judge(offered_here, limits)
        offer.implausible_because = "; ".join(plausibility.problems_with(offered_here))
        offer.verdict = verdict.as_json()
        offer.fits = verdict.fits
        judged.append(offer)
    return judged


def _most_relevant(judged: list[PlanOffer]) -> list[PlanOffer]:
    """Return the offers to store, in Light's order: of a long list, the best fits first, then the nearest misses."""
    if len(judged) <= MAX_KEPT_OFFERS:
        return judged

    def rank(number: int) -> tuple[bool, int, offers.Rank]:
        offer = judged[number]
        is_useless = bool(offer.implausible_because) or offer.stale_at <= offer.requested_at
        return is_useless, sum(not field["fits"] for field in offer.verdict), offers.rank(offered_plan(offer))

    best = sorted(range(len(judged)), key=rank)[:MAX_KEPT_OFFERS]
    return [judged[number] for number in sorted(best)]


def _offer_from(plan: Plan, *, write: LightWrite, esi_id: str, at: datetime) -> PlanOffer:
    return PlanOffer(
        enrollment=write.enrollment,
        write=write,
        light_plan_uuid=UUID(plan.uuid),
        light_plan_group=_uuid(plan.group_uuid),
        name=(plan.name or "")[:200],
        esi_id=esi_id,
        rate_kind=(plan.rate_kind or "")[:40],
        term_months=plan.term_months,
        average_cents_per_kwh_500=_storable(plan.avg_cents_per_kwh_500),
        average_cents_per_kwh_1000=_storable(plan.avg_cents_per_kwh_1000),
        average_cents_per_kwh_2000=_storable(plan.avg_cents_per_kwh_2000),
        energy_cents_per_kwh=_storable(plan.energy_rate_cents_per_kwh),
        delivery_cents_per_kwh=_storable(plan.delivery_rate_cents_per_kwh),
        base_fee_dollars=_storable(plan.plan_monthly_cost_dollars),
        termination_fee_dollars=_storable(plan.early_termination_fee_dollars),
        buyback_cents_per_kwh=_storable(plan.export_rate_cents_per_kwh),
        efl_url=_storable_url(plan.efl_url),
        tos_url=_storable_url(plan.tos_url),
        yrac_url=_storable_url(plan.yrac_url),
        requested_at=write.opened_at,
        stale_at=offers.stale_at(write.opened_at, expires_at=plan.expires_at),
        raw=plan.raw,
    )


def _storable(amount: Decimal | None) -> Decimal | None:
    """Return None for an amount that its column would round: what is judged must be what is stored."""
    if amount is None or not amount.is_finite() or abs(amount) >= STORED_AMOUNT_LIMIT:
        return None
    return amount if amount == round(amount, STORED_DECIMALS) else None


def _storable_url(url: str | None) -> str:
    return url if url is not None and len(url) <= MAX_URL_LENGTH else ""


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
