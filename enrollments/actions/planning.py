"""Asking Light for plans and keeping every offer with its verdict."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from core.transactions import repeatable, repeatable_alone
from enrollments import offers, plausibility
from enrollments.actions.moving import lock
from enrollments.actions.writing import Tools, call, close_done, open_write, still_due
from enrollments.facts import offered_plan, signed_limits
from enrollments.light.payloads import Plan, PlanList
from enrollments.models import LightWrite, PlanOffer
from enrollments.states import WriteKind
from enrollments.steps import RequestPlans
from poa_documents.guards import check_authority
from poa_documents.models import Envelope, PoaDocument

KEPT_DECIMALS = 6
KEPT_BELOW = Decimal(10) ** 6
LONGEST_URL = 500


def request_plans(enrollment_id: int, step: RequestPlans, tools: Tools) -> None:
    """Ask for today's offers, judge each against the envelope and keep them all, exactly as they came."""

    @repeatable_alone
    def record() -> tuple[LightWrite, PoaDocument]:
        at = tools.clock.now()
        enrollment, poa, _ = still_due(enrollment_id, step, at=at, policy=tools.policy)
        esi_id = enrollment.site.esi_id
        check_authority(poa, esi_id=esi_id, at=at)
        return open_write(enrollment, WriteKind.REQUEST_PLANS, {"esi_id": esi_id}, at=at, poa=poa), poa

    write, poa = record()
    esi_id = write.enrollment.site.esi_id
    account_uuid = str(write.enrollment.light_account_uuid)

    offered = call(
        write,
        step,
        lambda last_look: tools.light.request_plans(account_uuid, esi_id=esi_id, last_look=last_look),
        tools=tools,
    )

    @repeatable
    def keep() -> None:
        write.enrollment = lock(enrollment_id)
        kept = _keep(offered, write=write, esi_id=esi_id, envelope=poa.envelope, at=tools.clock.now())
        outcome = f"{len(kept)} plans offered, {sum(offer.fits for offer in kept)} within the signed limits."
        close_done(
            write,
            answer={"plans": len(kept), "without_uuid": offered.dropped},
            outcome=outcome,
            at=tools.clock.now(),
            details={"offers": {str(offer.pk): offer.raw_sha256 for offer in kept}},
        )

    keep()


def _keep(offered: PlanList, *, write: LightWrite, esi_id: str, envelope: Envelope, at: datetime) -> list[PlanOffer]:
    limits = signed_limits(envelope)
    kept = []
    for plan in offered.plans:
        offer = _offer_from(plan, write=write, esi_id=esi_id, at=at)
        judged = offered_plan(offer)
        verdict = offers.judge(judged, limits)
        offer.implausible_because = "; ".join(plausibility.doubts_about(judged))
        offer.verdict = verdict.as_json()
        offer.fits = verdict.fits
        kept.append(offer)
    return PlanOffer.objects.bulk_create(kept)


def _offer_from(plan: Plan, *, write: LightWrite, esi_id: str, at: datetime) -> PlanOffer:
    return PlanOffer(
        enrollment=write.enrollment,
        write=write,
        light_plan_uuid=UUID(plan.uuid),
        light_plan_group=_uuid(plan.group_uuid),
        name=(plan.name or "")[:200],
        esi_id=esi_id,
        rate_kind=_rate_kind(plan),
        term_months=plan.term_months,
        average_cents_per_kwh_500=_kept(plan.avg_cents_per_kwh_500),
        average_cents_per_kwh_1000=_kept(plan.avg_cents_per_kwh_1000),
        average_cents_per_kwh_2000=_kept(plan.avg_cents_per_kwh_2000),
        energy_cents_per_kwh=_kept(plan.energy_rate_cents_per_kwh),
        delivery_cents_per_kwh=_kept(plan.delivery_rate_cents_per_kwh),
        base_fee_dollars=_kept(plan.plan_monthly_cost_dollars),
        termination_fee_dollars=_kept(plan.early_termination_fee_dollars),
        buyback_cents_per_kwh=_kept(plan.export_rate_cents_per_kwh),
        efl_url=_kept_url(plan.efl_url),
        tos_url=_kept_url(plan.tos_url),
        yrac_url=_kept_url(plan.yrac_url),
        requested_at=write.opened_at,
        stale_at=offers.stale_at(write.opened_at, expires_at=plan.expires_at),
        raw=plan.raw,
    )


def _rate_kind(plan: Plan) -> str:
    """Light's published samples name no values; a word we do not know fails against every envelope."""
    text = (plan.rate_structure or plan.plan_type or "").strip().upper().replace("-", "_").replace(" ", "_")
    return text.removesuffix("_RATE")[:40]


def _kept(amount: Decimal | None) -> Decimal | None:
    """An amount that a column would round is as good as unreadable: what is judged must be what is kept."""
    if amount is None or not amount.is_finite() or abs(amount) >= KEPT_BELOW:
        return None
    return amount if amount == round(amount, KEPT_DECIMALS) else None


def _kept_url(url: str | None) -> str:
    return url if url is not None and len(url) <= LONGEST_URL else ""


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
