"""Plan groups, and the price of their plans by meter and day."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import uuid4

from simulator.meters import Utility

__all__ = [
    "EV_GROUP_UUID",
    "FIXED_BUYBACK_GROUP_UUID",
    "FIXED_GROUP_UUID",
    "PLAN_GROUPS",
    "RATE_STRUCTURE",
    "PlanGroup",
    "PricedPlan",
    "price_plans",
]

FIXED_GROUP_UUID = "11111111-aaaa-4aaa-8aaa-000000000001"
FIXED_BUYBACK_GROUP_UUID = "22222222-bbbb-4bbb-8bbb-000000000002"
EV_GROUP_UUID = "33333333-cccc-4ccc-8ccc-000000000003"

RATE_STRUCTURE = "FIXED"

_CENT = Decimal("0.01")
_PRICEY_FACTOR = 3


@dataclass(frozen=True)
class PlanGroup:
    uuid: str
    name: str
    energy_cents_per_kwh: Decimal
    export_cents_per_kwh: Decimal | None
    monthly_cost_dollars: Decimal


PLAN_GROUPS = (
    PlanGroup(FIXED_GROUP_UUID, "Lone Star Fixed", Decimal("8.90"), None, Decimal("4.95")),
    PlanGroup(
        FIXED_BUYBACK_GROUP_UUID,
        "Lone Star Solar Buyback",
        Decimal("9.60"),
        Decimal("6.50"),
        Decimal("9.95"),
    ),
    PlanGroup(EV_GROUP_UUID, "Lone Star EV Nights", Decimal("9.20"), None, Decimal("6.95")),
)

# A longer term costs a little less per kWh and has a higher termination fee.
_TERMS = ((12, Decimal("0.40"), Decimal("150.00")), (24, Decimal("0.00"), Decimal("200.00")))


@dataclass(frozen=True)
class PricedPlan:
    uuid: str
    account_uuid: str | None
    esi_id: str | None
    group: PlanGroup
    name: str
    term_months: int
    energy_cents_per_kwh: Decimal
    export_cents_per_kwh: Decimal | None
    monthly_cost_dollars: Decimal
    utility: Utility
    early_termination_fee_dollars: Decimal
    requested_at: datetime
    expires_at: datetime

    def average_cents_per_kwh(self, usage_kwh: int) -> Decimal:
        """Return the all-in price at a monthly usage, including fixed charges."""
        fixed_cents = (self.monthly_cost_dollars + self.utility.delivery_monthly_dollars) * 100
        per_kwh = self.energy_cents_per_kwh + self.utility.delivery_cents_per_kwh
        return (per_kwh + fixed_cents / usage_kwh).quantize(_CENT)


def price_plans(
    *,
    account_uuid: str | None,
    esi_id: str | None,
    utility: Utility,
    day: date,
    requested_at: datetime,
    expires_at: datetime,
    is_pricey: bool = False,
    offers_per_plan: int = 1,
    price_factor: Decimal = Decimal(1),
) -> list[PricedPlan]:
    """Price every group and term. The same meter on the same Chicago day always costs the same."""
    plans = [
        PricedPlan(
            uuid=str(uuid4()),
            account_uuid=account_uuid,
            esi_id=esi_id,
            group=group,
            name=f"{group.name} {term_months}",
            term_months=term_months,
            energy_cents_per_kwh=_energy_price(
                group, esi_id or utility.name, day, surcharge, price_factor * (_PRICEY_FACTOR if is_pricey else 1)
            ),
            export_cents_per_kwh=group.export_cents_per_kwh,
            monthly_cost_dollars=group.monthly_cost_dollars,
            utility=utility,
            early_termination_fee_dollars=exit_fee,
            requested_at=requested_at,
            expires_at=expires_at,
        )
        for group, (term_months, surcharge, exit_fee) in _offers()
        for _ in range(offers_per_plan)
    ]
    return sorted(plans, key=lambda plan: _digest(plan.name, esi_id or utility.name, day))


def _offers() -> Iterator[tuple[PlanGroup, tuple[int, Decimal, Decimal]]]:
    for group in PLAN_GROUPS:
        for term in _TERMS:
            yield group, term


def _energy_price(group: PlanGroup, place: str, day: date, surcharge: Decimal, factor: Decimal) -> Decimal:
    jitter = Decimal(_digest(group.uuid, place, day) % 61) / 100 - Decimal("0.30")
    return ((group.energy_cents_per_kwh + surcharge + jitter) * factor).quantize(_CENT)


def _digest(*parts: object) -> int:
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
