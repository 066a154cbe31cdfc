"""Judging offers against signed limits."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dates import chicago_day
from enrollments.decision.offers import OfferedPlan, SignedLimits, choose, judge, stale_at

GROUP = UUID("11111111-1111-4111-8111-111111111111")
OTHER_GROUP = UUID("22222222-2222-4222-8222-222222222222")
ESI_ID = "10443720000000001"

LIMITS = SignedLimits(
    light_plan_group=GROUP,
    rate_kind="FIXED",
    esi_id=ESI_ID,
    max_average_cents_per_kwh_500=Decimal("18"),
    max_average_cents_per_kwh_1000=Decimal("16"),
    max_average_cents_per_kwh_2000=Decimal("15"),
    max_base_fee_dollars=Decimal("10"),
    max_term_months=24,
    max_termination_fee_dollars=Decimal("150"),
    min_buyback_cents_per_kwh=Decimal("3"),
)
FITTING = OfferedPlan(
    light_plan_uuid=UUID("33333333-3333-4333-8333-333333333333"),
    light_plan_group=GROUP,
    rate_kind="FIXED",
    esi_id=ESI_ID,
    average_cents_per_kwh_500=Decimal("17.9"),
    average_cents_per_kwh_1000=Decimal("15.2"),
    average_cents_per_kwh_2000=Decimal("14.1"),
    base_fee_dollars=Decimal("9.95"),
    term_months=12,
    termination_fee_dollars=Decimal("150"),
    buyback_cents_per_kwh=Decimal("3"),
)
LIMITED_FIELDS = (
    "light_plan_group",
    "rate_kind",
    "average_cents_per_kwh_500",
    "average_cents_per_kwh_1000",
    "average_cents_per_kwh_2000",
    "base_fee_dollars",
    "term_months",
    "termination_fee_dollars",
    "buyback_cents_per_kwh",
)
JUST_OUTSIDE = {
    "light_plan_group": OTHER_GROUP,
    "rate_kind": "VARIABLE",
    "esi_id": "10443720000000002",
    "average_cents_per_kwh_500": Decimal("18.000001"),
    "average_cents_per_kwh_1000": Decimal("16.000001"),
    "average_cents_per_kwh_2000": Decimal("15.000001"),
    "base_fee_dollars": Decimal("10.01"),
    "term_months": 25,
    "termination_fee_dollars": Decimal("150.01"),
    "buyback_cents_per_kwh": Decimal("2.999999"),
}


def changed(field: str, value: object) -> OfferedPlan:
    fields: dict[str, Any] = {field: value}
    return replace(FITTING, **fields)


def test_offer_exactly_at_every_limit_fits() -> None:
    verdict = judge(FITTING, LIMITS)

    assert verdict.fits
    assert verdict.failures == ()


@pytest.mark.parametrize("field", LIMITED_FIELDS)
def test_field_missing_in_the_offer_fails(field: str) -> None:
    verdict = judge(changed(field, None), LIMITS)

    assert [failure.offered for failure in verdict.failures] == ["not given"]


@pytest.mark.parametrize(("field", "value"), JUST_OUTSIDE.items())
def test_field_just_outside_its_limit_fails_alone(field: str, value: object) -> None:
    verdict = judge(changed(field, value), LIMITS)

    assert not verdict.fits
    assert len(verdict.failures) == 1


@pytest.mark.parametrize(
    "value", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal(-1)]
)
@pytest.mark.parametrize(
    "field", [field for field in LIMITED_FIELDS if field.endswith(("_500", "_1000", "_2000", "dollars"))]
)
def test_invalid_price_fails(field: str, value: Decimal) -> None:
    assert not judge(changed(field, value), LIMITS).fits


def test_customer_without_buyback_need_never_pays_for_exporting() -> None:
    limits = replace(LIMITS, min_buyback_cents_per_kwh=Decimal(0))

    assert judge(replace(FITTING, buyback_cents_per_kwh=Decimal(0)), limits).fits
    assert not judge(replace(FITTING, buyback_cents_per_kwh=Decimal("-0.01")), limits).fits


def test_buyback_is_optional_if_signed_so() -> None:
    limits = replace(LIMITS, min_buyback_cents_per_kwh=Decimal(0))

    assert judge(replace(FITTING, buyback_cents_per_kwh=None), limits).fits


amounts = st.none() | st.decimals(min_value=-5, max_value=400, places=4) | st.just(Decimal("NaN"))


@given(
    group=st.sampled_from([GROUP, OTHER_GROUP, None]),
    rate_kind=st.sampled_from(["FIXED", "VARIABLE", "", None]),
    averages=st.tuples(amounts, amounts, amounts),
    fees=st.tuples(amounts, amounts),
    term=st.none() | st.integers(-1, 120),
    buyback=amounts,
)
def test_fitting_offer_is_inside_every_limit(
    group: UUID | None,
    rate_kind: str | None,
    averages: tuple[Decimal | None, Decimal | None, Decimal | None],
    fees: tuple[Decimal | None, Decimal | None],
    term: int | None,
    buyback: Decimal | None,
) -> None:
    offer = OfferedPlan(
        light_plan_uuid=FITTING.light_plan_uuid,
        light_plan_group=group,
        rate_kind=rate_kind,
        esi_id=ESI_ID,
        average_cents_per_kwh_500=averages[0],
        average_cents_per_kwh_1000=averages[1],
        average_cents_per_kwh_2000=averages[2],
        base_fee_dollars=fees[0],
        termination_fee_dollars=fees[1],
        term_months=term,
        buyback_cents_per_kwh=buyback,
    )

    if judge(offer, LIMITS).fits:
        assert offer.light_plan_group == GROUP
        assert offer.rate_kind == "FIXED"
        assert offer.average_cents_per_kwh_500 is not None
        assert 0 <= offer.average_cents_per_kwh_500 <= 18
        assert offer.average_cents_per_kwh_1000 is not None
        assert 0 <= offer.average_cents_per_kwh_1000 <= 16
        assert offer.average_cents_per_kwh_2000 is not None
        assert 0 <= offer.average_cents_per_kwh_2000 <= 15
        assert offer.base_fee_dollars is not None
        assert 0 <= offer.base_fee_dollars <= 10
        assert offer.termination_fee_dollars is not None
        assert 0 <= offer.termination_fee_dollars <= 150
        assert offer.term_months is not None
        assert 0 <= offer.term_months <= 24
        assert offer.buyback_cents_per_kwh is not None
        assert offer.buyback_cents_per_kwh >= 3


def test_cheapest_fitting_offer_is_chosen_in_any_order() -> None:
    cheap = replace(FITTING, light_plan_uuid=UUID(int=5), average_cents_per_kwh_1000=Decimal("14"), term_months=12)
    cheaper_but_outside = replace(
        FITTING, light_plan_uuid=UUID(int=6), average_cents_per_kwh_1000=Decimal(9), term_months=36
    )
    judged = [(offer, judge(offer, LIMITS)) for offer in (FITTING, cheap, cheaper_but_outside)]

    assert choose(judged) == cheap
    assert choose(reversed(judged)) == cheap


@pytest.mark.cell("L18")
def test_choice_between_identical_offers_ignores_their_order() -> None:
    twin = replace(FITTING, light_plan_uuid=UUID(int=7))
    judged = [(offer, judge(offer, LIMITS)) for offer in (FITTING, twin)]

    assert choose(judged) == choose(reversed(judged)) == twin


def test_nothing_is_chosen_if_nothing_fits() -> None:
    outside = replace(FITTING, term_months=36)

    assert choose([(outside, judge(outside, LIMITS))]) is None


@pytest.mark.cell("D6")
def test_plans_are_requested_again_a_business_day_before_expiry() -> None:
    requested = datetime(2026, 11, 25, 18, tzinfo=UTC)

    assert chicago_day(stale_at(requested)) == date(2026, 12, 2)


def test_earlier_expiry_named_by_light_counts() -> None:
    requested = datetime(2026, 11, 25, 18, tzinfo=UTC)
    expiry = datetime(2026, 11, 26, 18, tzinfo=UTC)

    assert stale_at(requested, expires_at=expiry) == expiry
