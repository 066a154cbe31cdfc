"""JSON objects of Light's responses, built from the stand-in's state."""

from typing import Any

from simulator.accounts import Account, has_started, shown_status
from simulator.calendar_days import chicago_day
from simulator.clock import iso_instant
from simulator.meters import Meter
from simulator.pricing import PricedPlan
from simulator.world import MAIN_APP_UUID, World

__all__ = ["account_payload", "documents_payload", "location_payload", "meter_payload", "plan_payload"]


def account_payload(world: World, account: Account, *, is_read: bool = True) -> dict[str, Any]:
    """Return an account as in section 2.6. A read may lag behind the acceptance; the response to a write does not."""
    dialect = world.dialect
    shows_acceptance = account.acceptance is not None and (not is_read or world.shows_acceptance(account))
    payload: dict[str, Any] = {
        "uuid": account.uuid,
        "account_number": account.account_number if shows_acceptance else None,
        "created_at": iso_instant(account.created_at),
        "first_name": account.first_name,
        "last_name": account.last_name,
        "email": account.email,
        "phone_number": account.phone_number,
        "app": {"uuid": account.app_uuid, "name": "Switchyard" if account.app_uuid == MAIN_APP_UUID else "Other"},
        "locations": [location_payload(account)] if shows_acceptance else [],
    }
    if has_started(account) or not dialect.enrollment_absent_at_first:
        payload["enrollment"] = {
            "has_accepted_plan": shows_acceptance,
            "has_payment_method": account.card is not None,
            "is_billing_address_confirmed": account.billing_address is not None,
            "is_identity_verified": account.is_identity_verified,
            "is_enrollment_finalized": shows_acceptance and account.finalized_at is not None,
            "is_service_active": shows_acceptance and account.is_service_active,
        }
    if dialect.client_agent_read_back:
        at = account.client_agent_accepted_at
        payload["client_agent_accepted"] = at is not None
        payload["client_agent_accepted_at"] = iso_instant(at) if at else None
    _put_status(payload, dialect.status_places, shown_status(account, dialect, shows_acceptance=shows_acceptance))
    return payload


def location_payload(account: Account) -> dict[str, Any]:
    acceptance = account.acceptance
    if acceptance is None:
        raise ValueError("an account has a location only after an acceptance")
    final_date = account.final_service_date
    return {
        "uuid": acceptance.location_uuid,
        **acceptance.meter.address(),
        "utility_number": acceptance.meter.esi_id,
        "service_start_date": acceptance.service_start_date.isoformat(),
        "final_service_date": final_date.isoformat() if final_date else None,
        "is_service_active": account.is_service_active,
        "has_usage_history": False,
        "estimated_next_reading_date": None,
        "plan_name": acceptance.plan.name,
        "plan_uuid": acceptance.plan.uuid,
    }


def plan_payload(world: World, plan: PricedPlan, *, base_url: str) -> dict[str, Any]:
    """Return a plan as in section 5, with decimals as text."""
    payload: dict[str, Any] = {
        "uuid": plan.uuid,
        "group_uuid": plan.group.uuid,
        "name": plan.name,
        "term_months": plan.term_months,
        "plan_type": "residential",
        "energy_rate_cents_per_kwh": str(plan.energy_cents_per_kwh),
        "plan_monthly_cost_dollars": str(plan.monthly_cost_dollars),
        "delivery_rate_cents_per_kwh": str(plan.utility.delivery_cents_per_kwh),
        "delivery_monthly_cost_dollars": str(plan.utility.delivery_monthly_dollars),
        "tdu_shortname": plan.utility.name,
        "avg_cents_per_kwh_500": str(plan.average_cents_per_kwh(500)),
        "avg_cents_per_kwh_1000": str(plan.average_cents_per_kwh(1000)),
        "avg_cents_per_kwh_2000": str(plan.average_cents_per_kwh(2000)),
        "early_termination_fee_dollars": str(plan.early_termination_fee_dollars),
        "links": _document_links(plan, base_url),
    }
    if world.dialect.rate_place:
        payload[world.dialect.rate_place] = world.dialect.rate_word
    if plan.export_cents_per_kwh is not None:
        payload["export_rate_cents_per_kwh"] = str(plan.export_cents_per_kwh)
    if world.dialect.plan_expiry_field:
        payload["expires_at"] = iso_instant(plan.expires_at)
    return payload


def documents_payload(account: Account, *, base_url: str) -> dict[str, Any]:
    acceptance = account.acceptance
    if acceptance is None:
        raise ValueError("an account has documents only after an acceptance")
    start = acceptance.service_start_date
    end_month = start.month - 1 + acceptance.plan.term_months
    end = start.replace(year=start.year + end_month // 12, month=end_month % 12 + 1, day=min(start.day, 28))
    return {
        **_document_links(acceptance.plan, base_url),
        "contract_start": start.isoformat(),
        "contract_end": end.isoformat(),
    }


def meter_payload(meter: Meter) -> dict[str, Any]:
    return {**meter.address(), "esi_id": meter.esi_id}


def _document_links(plan: PricedPlan, base_url: str) -> dict[str, str]:
    day = chicago_day(plan.requested_at).isoformat()
    stem = f"{base_url}/documents/{plan.group.uuid}-{plan.term_months}-{day}"
    return {kind: f"{stem}/{kind}.html" for kind in ("efl", "tos", "yrac")}


def _put_status(payload: dict[str, Any], places: tuple[str, ...], status: str) -> None:
    for place in places:
        *parents, key = place.split(".")
        target: dict[str, Any] | None = payload
        for parent in parents:
            target = target.get(parent) if target is not None else None
        if target is not None:
            target[key] = status
