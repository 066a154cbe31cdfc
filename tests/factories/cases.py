"""Enrollments as staff see them: opened, decided by the engine, held, and with judged offers."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from enrollments.actions.case_opening import reconsider_site
from enrollments.actions.holds import place_hold
from enrollments.actions.writes import Tools
from enrollments.decision import offers, policy, steps
from enrollments.engine.engine import Engine
from enrollments.engine.gathering import offered_plan, signed_limits
from enrollments.engine.locked_case import lock_case
from enrollments.light.client import LightClient
from enrollments.models import Enrollment, Hold, LightWrite, PlanOffer
from enrollments.states import HoldCode, HoldOwner, WriteKind, WriteStatus
from installations.models import Installation
from poa_documents.models import PoaDocument
from tests.factories.installations import AT, installation
from tests.factories.poa_documents import sent_poa

UNREACHABLE_LIGHT = "http://127.0.0.1:9"


@dataclass(frozen=True)
class StoppedClock:
    at: datetime

    def now(self) -> datetime:
        return self.at


def decided_once(enrollment: Enrollment, *, at: datetime) -> Enrollment:
    """Let the engine decide once, with Light unreachable."""
    light = LightClient(base_url=UNREACHABLE_LIGHT, app_token="app-token-of-the-test", pause=lambda _seconds: None)
    Enrollment.objects.filter(pk=enrollment.pk).update(due_at=at)
    try:
        Engine(Tools(light=light, clock=StoppedClock(at), policy=policy.Policy())).advance(enrollment.pk)
    finally:
        light.close()
    enrollment.refresh_from_db()
    return enrollment


def case(at: datetime = AT, *, job: Installation | None = None, **fields: Any) -> Enrollment:
    """An open case without a POA. `fields` is passed to the installation."""
    job = job or installation(at, **fields)
    enrollment = reconsider_site(site_id=job.site_id, at=at)
    assert enrollment is not None
    return decided_once(enrollment, at=at)


def case_waiting_for_signature(at: datetime = AT, **fields: Any) -> Enrollment:
    job = installation(at, **fields)
    sent_poa(customer=job.customer, site=job.site, at=at)
    return case(at, job=job)


def held_case(
    at: datetime = AT,
    *,
    code: HoldCode = HoldCode.NO_PLANS,
    owner: HoldOwner = HoldOwner.OFFICE,
    because: str = "Light offers no plan for this meter today. Ask Light about the address, then release the hold.",
    **fields: Any,
) -> Enrollment:
    enrollment = case(at, **fields)
    hold(enrollment, at=at, code=code, owner=owner, because=because)
    return decided_once(enrollment, at=at)


def hold(
    enrollment: Enrollment,
    *,
    at: datetime,
    code: HoldCode = HoldCode.NO_PLANS,
    owner: HoldOwner = HoldOwner.OFFICE,
    because: str = "Light offers no plan for this meter today.",
) -> Hold:
    with transaction.atomic():
        return place_hold(lock_case(enrollment.pk), steps.Hold(code, owner, because=because), at=at)


def judged_offer(enrollment: Enrollment, poa: PoaDocument, *, at: datetime = AT, **fields: Any) -> PlanOffer:
    """An offer beside the limits of `poa`; within all of them unless `fields` says otherwise."""
    write = LightWrite.objects.create(
        enrollment=enrollment,
        kind=WriteKind.REQUEST_PLANS,
        status=WriteStatus.DONE,
        opened_at=at,
        closed_at=at,
        outcome="1 plan offered.",
    )
    envelope = poa.envelope
    offer = PlanOffer(
        **{
            "enrollment": enrollment,
            "write": write,
            "light_plan_uuid": uuid4(),
            "light_plan_group": UUID(str(envelope.light_plan_group)),
            "name": "Sunny Fixed 12",
            "esi_id": envelope.esi_id,
            "rate_kind": envelope.rate_kind,
            "term_months": 12,
            "average_cents_per_kwh_500": Decimal("17.2"),
            "average_cents_per_kwh_1000": Decimal("15.4"),
            "average_cents_per_kwh_2000": Decimal("14.9"),
            "energy_cents_per_kwh": Decimal("11.1"),
            "base_fee_dollars": Decimal("4.95"),
            "termination_fee_dollars": Decimal(120),
            "buyback_cents_per_kwh": Decimal("6.5"),
            "requested_at": at,
            "stale_at": at + timedelta(days=5),
            **fields,
        }
    )
    verdict = offers.judge(offered_plan(offer), signed_limits(envelope))
    offer.verdict, offer.fits = verdict.as_json(), verdict.fits
    offer.save()
    return offer
