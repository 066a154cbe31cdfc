"""
The one list of what an envelope limits about a plan.

Envelope, forms, customer pages, document, mails, API, admin, evidence and offer evaluation are all built from it,
so that nothing is judged that is not shown, and nothing shown that is not judged. Pure: no records, no Django.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID


class Unit(StrEnum):
    PLAN_GROUP = "PLAN_GROUP"
    RATE_KIND = "RATE_KIND"
    ESI_ID = "ESI_ID"
    CENTS_PER_KWH = "CENTS_PER_KWH"
    DOLLARS = "DOLLARS"
    MONTHS = "MONTHS"


class Direction(StrEnum):
    """How an offer must compare with what was signed."""

    SAME = "SAME"
    AT_MOST = "AT_MOST"
    AT_LEAST = "AT_LEAST"


Value = Decimal | int | str | UUID


@dataclass(frozen=True)
class LimitedField:
    """
    One field that the customer's signature limits.

    `limit` is its name in promise and envelope, `offered` its name in an offer, `name` what staff see. The labels are
    the customer's, by language. A field without labels is shown in another way, such as the plan group by its name.
    `parse` converts what the office or another system entered.
    """

    limit: str
    offered: str
    name: str
    unit: Unit
    direction: Direction
    parse: Callable[[Any], Value]
    limit_label: Mapping[str, str]
    offered_label: Mapping[str, str]
    is_promised: bool = True

    @property
    def is_shown(self) -> bool:
        return bool(self.limit_label)


def _average(kwh: str, limit: str, offered: str) -> LimitedField:
    return LimitedField(
        limit=limit,
        offered=offered,
        name=f"average price at {kwh} kWh",
        unit=Unit.CENTS_PER_KWH,
        direction=Direction.AT_MOST,
        parse=Decimal,
        limit_label={
            "en": f"Highest average price at {kwh} kWh a month",
            "es": f"Precio promedio más alto con {kwh} kWh al mes",
        },
        offered_label={
            "en": f"Average price at {kwh} kWh a month",
            "es": f"Precio promedio con {kwh} kWh al mes",
        },
    )


LIMITED_FIELDS: tuple[LimitedField, ...] = (
    LimitedField(
        limit="light_plan_group",
        offered="light_plan_group",
        name="plan group",
        unit=Unit.PLAN_GROUP,
        direction=Direction.SAME,
        parse=UUID,
        limit_label={},
        offered_label={},
    ),
    LimitedField(
        limit="esi_id",
        offered="esi_id",
        name="ESI ID",
        unit=Unit.ESI_ID,
        direction=Direction.SAME,
        parse=str,
        limit_label={"en": "Your meter (ESI ID)", "es": "Su medidor (ESI ID)"},
        offered_label={"en": "Your meter (ESI ID)", "es": "Su medidor (ESI ID)"},
        is_promised=False,
    ),
    LimitedField(
        limit="rate_kind",
        offered="rate_kind",
        name="rate kind",
        unit=Unit.RATE_KIND,
        direction=Direction.SAME,
        parse=str,
        limit_label={"en": "Kind of rate", "es": "Tipo de tarifa"},
        offered_label={"en": "Kind of rate", "es": "Tipo de tarifa"},
    ),
    _average("500", "max_average_cents_per_kwh_500", "average_cents_per_kwh_500"),
    _average("1,000", "max_average_cents_per_kwh_1000", "average_cents_per_kwh_1000"),
    _average("2,000", "max_average_cents_per_kwh_2000", "average_cents_per_kwh_2000"),
    LimitedField(
        limit="max_base_fee_dollars",
        offered="base_fee_dollars",
        name="monthly base fee",
        unit=Unit.DOLLARS,
        direction=Direction.AT_MOST,
        parse=Decimal,
        limit_label={"en": "Highest monthly base fee", "es": "Cargo base mensual más alto"},
        offered_label={"en": "Monthly base fee", "es": "Cargo base mensual"},
    ),
    LimitedField(
        limit="max_term_months",
        offered="term_months",
        name="term",
        unit=Unit.MONTHS,
        direction=Direction.AT_MOST,
        parse=int,
        limit_label={"en": "Longest contract term", "es": "Plazo de contrato más largo"},
        offered_label={"en": "Contract term", "es": "Plazo del contrato"},
    ),
    LimitedField(
        limit="max_termination_fee_dollars",
        offered="termination_fee_dollars",
        name="early termination fee",
        unit=Unit.DOLLARS,
        direction=Direction.AT_MOST,
        parse=Decimal,
        limit_label={"en": "Highest early termination fee", "es": "Cargo más alto por terminación anticipada"},
        offered_label={"en": "Early termination fee", "es": "Cargo por terminación anticipada"},
    ),
    LimitedField(
        limit="min_buyback_cents_per_kwh",
        offered="buyback_cents_per_kwh",
        name="solar buyback",
        unit=Unit.CENTS_PER_KWH,
        direction=Direction.AT_LEAST,
        parse=Decimal,
        limit_label={
            "en": "Lowest payment for solar power you send to the grid",
            "es": "Pago más bajo por la energía solar que usted envía a la red",
        },
        offered_label={
            "en": "Payment for solar power you send to the grid",
            "es": "Pago por la energía solar que usted envía a la red",
        },
    ),
)

LIMIT_FIELDS: tuple[str, ...] = tuple(field.limit for field in LIMITED_FIELDS if field.is_promised)
"""The limits that promise and envelope share. The meter comes from the site."""

OFFERED_FIELDS: tuple[str, ...] = tuple(field.offered for field in LIMITED_FIELDS)


def names_of(*units: Unit, offered: bool = False) -> tuple[str, ...]:
    """Return the names in the promise (or, `offered`, in an offer) of the fields with these units, in order."""
    return tuple(
        field.offered if offered else field.limit
        for field in LIMITED_FIELDS
        if field.unit in units and (offered or field.is_promised)
    )
