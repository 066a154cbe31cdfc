"""Implausible offers, whatever the signed limits say."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrollments.decision.decide import decide
from enrollments.decision.offers import OfferedPlan
from enrollments.decision.plausibility import problems_with
from enrollments.decision.steps import AcceptPlan, Hold
from enrollments.states import HoldCode, HoldOwner
from tests.unit.enrollments.facts_of_a_case import NOW, OFFER, PLAN, POLICY, READY_TO_ACCEPT

AVERAGES = ("average_cents_per_kwh_500", "average_cents_per_kwh_1000", "average_cents_per_kwh_2000")


def plan_with(**changes: Any) -> OfferedPlan:
    return replace(PLAN, **changes)


prices = st.decimals(min_value=0, max_value=200, places=3)


@pytest.mark.parametrize("name", AVERAGES)
@pytest.mark.parametrize("value", ["0", "0.139", "0.999", "100.001"])
def test_impossible_average_is_doubted(name: str, value: str) -> None:
    assert len(problems_with(plan_with(**{name: Decimal(value)}))) == 1


def test_average_below_energy_and_delivery_is_doubted() -> None:
    rates = replace(PLAN, energy_cents_per_kwh=Decimal("10.2"), delivery_cents_per_kwh=Decimal("4.5"))

    assert [text for text in problems_with(rates) if "own rates" in text]
    assert problems_with(replace(rates, average_cents_per_kwh_2000=Decimal("14.6"))) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"term_months": 0},
        {"term_months": 121},
        {"base_fee_dollars": Decimal("995")},
        {"termination_fee_dollars": Decimal("15000")},
        {"buyback_cents_per_kwh": Decimal("650")},
    ],
)
def test_impossible_terms_and_fees_are_doubted(change: dict[str, Any]) -> None:
    assert len(problems_with(plan_with(**change))) == 1


@given(average=prices, energy=st.none() | prices, delivery=st.none() | prices)
def test_no_doubted_offer_is_ever_accepted(average: Decimal, energy: Decimal | None, delivery: Decimal | None) -> None:
    averages: dict[str, Any] = dict.fromkeys(AVERAGES, average)
    plan = plan_with(**averages, energy_cents_per_kwh=energy, delivery_cents_per_kwh=delivery)

    step = decide(replace(READY_TO_ACCEPT, offers=(replace(OFFER, plan=plan),)), now=NOW, policy=POLICY)

    if problems_with(plan):
        assert isinstance(step, Hold)
        assert step.code in {HoldCode.IMPLAUSIBLE_OFFER, HoldCode.OUTSIDE_LIMITS}
        assert step.owner == HoldOwner.OFFICE
    else:
        assert isinstance(step, AcceptPlan | Hold)
    assert not (isinstance(step, AcceptPlan) and average < 1)


def test_sound_offer_beside_a_doubted_one_is_accepted() -> None:
    doubted = replace(OFFER, offer_id=99, plan=replace(PLAN, average_cents_per_kwh_1000=Decimal("0.139")))

    step = decide(replace(READY_TO_ACCEPT, offers=(doubted, OFFER)), now=NOW, policy=POLICY)

    assert isinstance(step, AcceptPlan)
    assert step.offer_id == OFFER.offer_id
