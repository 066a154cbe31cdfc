"""
Whether an offer is plausible at all. Pure. An implausible one is never accepted; staff must clear it up.

The signed limits only bound a price from above. A price in dollars instead of cents, or a zero instead of a missing
price, is within every limit and still not what the customer would pay.
"""

from decimal import Decimal

from enrollments.decision.offers import OfferedPlan

MIN_AVERAGE_CENTS_PER_KWH = Decimal(1)
MAX_AVERAGE_CENTS_PER_KWH = Decimal(100)
"""Ours, wide on purpose: residential averages in Texas are between about 8 and 40 cents."""
AVERAGE_ROUNDING_CENTS_PER_KWH = Decimal("0.1")
"""Average prices are rounded to a tenth of a cent. Source: Electricity Facts Label, 16 TAC §25.475(g)."""
MIN_TERM_MONTHS = 1
MAX_TERM_MONTHS = 120
MAX_BASE_FEE_DOLLARS = Decimal(200)
MAX_TERMINATION_FEE_DOLLARS = Decimal(2000)
MAX_BUYBACK_CENTS_PER_KWH = Decimal(100)


def problems_with(plan: OfferedPlan) -> tuple[str, ...]:
    """
    List what cannot be right about an offer, in phrases for staff; empty when nothing stands out.

    Missing fields are not judged here: a missing limited field fails in `offers.judge`.
    Source: an average price includes every recurring charge, 16 TAC §25.475(g); the bounds are ours.
    """
    averages = (
        (500, plan.average_cents_per_kwh_500),
        (1000, plan.average_cents_per_kwh_1000),
        (2000, plan.average_cents_per_kwh_2000),
    )
    found = [
        problem
        for usage, average in averages
        if average is not None
        if (problem := _problem_with_average(plan, usage, average))
    ]
    if plan.term_months is not None and not MIN_TERM_MONTHS <= plan.term_months <= MAX_TERM_MONTHS:
        found.append(f"a term of {plan.term_months} months")
    if plan.base_fee_dollars is not None and plan.base_fee_dollars > MAX_BASE_FEE_DOLLARS:
        found.append(f"a base fee of ${plan.base_fee_dollars:f} a month")
    if plan.termination_fee_dollars is not None and plan.termination_fee_dollars > MAX_TERMINATION_FEE_DOLLARS:
        found.append(f"an early termination fee of ${plan.termination_fee_dollars:f}")
    if plan.buyback_cents_per_kwh is not None and plan.buyback_cents_per_kwh > MAX_BUYBACK_CENTS_PER_KWH:
        found.append(f"a buyback of {plan.buyback_cents_per_kwh:f} ¢/kWh")
    return tuple(found)


def _problem_with_average(plan: OfferedPlan, usage: int, average: Decimal) -> str:
    stated = f"an average price of {average:f} ¢/kWh at {usage:,} kWh"
    if average < MIN_AVERAGE_CENTS_PER_KWH:
        return f"{stated}, below {MIN_AVERAGE_CENTS_PER_KWH} ¢: it may be dollars, or missing"
    if average > MAX_AVERAGE_CENTS_PER_KWH:
        return f"{stated}, above {MAX_AVERAGE_CENTS_PER_KWH} ¢"
    rates = [rate for rate in (plan.energy_cents_per_kwh, plan.delivery_cents_per_kwh) if rate is not None]
    if rates and average < sum(rates) - AVERAGE_ROUNDING_CENTS_PER_KWH:
        return f"{stated}, below the plan's own rates of {sum(rates):f} ¢ for energy and delivery"
    return ""
