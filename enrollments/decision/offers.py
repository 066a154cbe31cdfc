"""
Judging an offer against the signed limits, field by field. Pure.

A limited field that the offer leaves out fails. Nobody can override a verdict: an offer that fails is never accepted.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from core.dates import chicago_day, chicago_midnight, earliest_after_business_days
from enrollments.light.dialect import RATE_KINDS
from poa_documents.limited_fields import LIMITED_FIELDS, Direction, LimitedField, Unit

Rank = tuple[Decimal, Decimal, Decimal, Decimal, int, str]

RATE_KIND = next(field.name for field in LIMITED_FIELDS if field.unit == Unit.RATE_KIND)
STALE_AFTER_BUSINESS_DAYS = 4
_UNITS = {Unit.CENTS_PER_KWH: "¢/kWh", Unit.DOLLARS: "$", Unit.MONTHS: "months"}


@dataclass(frozen=True)
class SignedLimits:
    """The part of the envelope that limits a plan. Prices in cents per kWh, fees in dollars."""

    light_plan_group: UUID
    rate_kind: str
    esi_id: str
    max_average_cents_per_kwh_500: Decimal
    max_average_cents_per_kwh_1000: Decimal
    max_average_cents_per_kwh_2000: Decimal
    max_base_fee_dollars: Decimal
    max_term_months: int
    max_termination_fee_dollars: Decimal
    min_buyback_cents_per_kwh: Decimal


@dataclass(frozen=True)
class OfferedPlan:
    """The fields of one priced plan that limits apply to. None: Light left it out, or it cannot be read."""

    light_plan_uuid: UUID
    light_plan_group: UUID | None
    rate_kind: str | None
    esi_id: str
    average_cents_per_kwh_500: Decimal | None
    average_cents_per_kwh_1000: Decimal | None
    average_cents_per_kwh_2000: Decimal | None
    base_fee_dollars: Decimal | None
    term_months: int | None
    termination_fee_dollars: Decimal | None
    buyback_cents_per_kwh: Decimal | None
    energy_cents_per_kwh: Decimal | None = None
    delivery_cents_per_kwh: Decimal | None = None


@dataclass(frozen=True)
class FieldVerdict:
    """`is_stated` is False if the offer leaves the field out, or uses a word we do not know."""

    field: str
    signed: str
    offered: str
    fits: bool
    because: str
    is_stated: bool = True


@dataclass(frozen=True)
class Verdict:
    fields: tuple[FieldVerdict, ...]

    @property
    def fits(self) -> bool:
        return all(field.fits for field in self.fields)

    @property
    def failures(self) -> tuple[FieldVerdict, ...]:
        return tuple(field for field in self.fields if not field.fits)

    @property
    def is_only_incomplete(self) -> bool:
        """Whether the offer fails only because it leaves something out."""
        return not self.fits and not any(field.is_stated for field in self.failures)

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(field) for field in self.fields]


def judge(offer: OfferedPlan, limits: SignedLimits) -> Verdict:
    """Compare every limited field of an offer with the envelope."""
    return Verdict(
        tuple(_verdict(field, getattr(limits, field.limit), getattr(offer, field.offered)) for field in LIMITED_FIELDS)
    )


def _verdict(field: LimitedField, signed: Any, offered: Any) -> FieldVerdict:
    match field.direction:
        case Direction.SAME if field.unit == Unit.RATE_KIND:
            return _rate_kind(signed, offered)
        case Direction.SAME:
            return _same(field.name, signed, offered)
        case Direction.AT_MOST:
            return _at_most(field.name, signed, offered, unit=_UNITS[field.unit])
        case Direction.AT_LEAST:
            return _at_least(field.name, signed, offered, unit=_UNITS[field.unit])


def choose(offers: Iterable[tuple[OfferedPlan, Verdict]]) -> OfferedPlan | None:
    """
    Return the cheapest offer that fits, or None when none does.

    Cheapest at 1,000 kWh, then at 500 and 2,000 kWh, then by base fee, longer term and plan UUID, so that the same
    offers always lead to the same choice.
    """
    fitting = [offer for offer, verdict in offers if verdict.fits]
    return min(fitting, key=rank, default=None)


def is_no_worse(offer: OfferedPlan, *, than: OfferedPlan) -> bool:
    """
    Whether an offer is at least as good for the customer as another one in every limited field.

    A field that only one of the two states counts as worse.
    """
    return all(
        _is_no_worse(field.direction, getattr(offer, field.offered), getattr(than, field.offered))
        for field in LIMITED_FIELDS
    )


def _is_no_worse(direction: Direction, offered: Any, than: Any) -> bool:
    match direction:
        case Direction.SAME:
            return bool(offered == than)
        case Direction.AT_MOST:
            return _is_at_most(offered, than)
        case Direction.AT_LEAST:
            return _is_at_most(than, offered)


def _is_at_most(low: Decimal | int | None, high: Decimal | int | None) -> bool:
    if low is None or high is None:
        return low is high
    return low <= high


def stale_at(requested_at: datetime, *, expires_at: datetime | None = None) -> datetime:
    """
    Return the instant from which plans are requested again: a business day before they expire under any calendar.

    Light's own expiry counts if it is sooner. Plans can be accepted for five business days.

    Source: Light notes, section 7; domain notes, section 3.
    """
    last_day = earliest_after_business_days(chicago_day(requested_at), STALE_AFTER_BUSINESS_DAYS)
    computed = chicago_midnight(last_day + timedelta(days=1))
    return min(computed, expires_at) if expires_at is not None else computed


def rank(offer: OfferedPlan) -> Rank:
    """Return the sort key of `choose`; the lowest is chosen."""
    return (
        offer.average_cents_per_kwh_1000 or Decimal(0),
        offer.average_cents_per_kwh_500 or Decimal(0),
        offer.average_cents_per_kwh_2000 or Decimal(0),
        offer.base_fee_dollars or Decimal(0),
        -(offer.term_months or 0),
        str(offer.light_plan_uuid),
    )


def _same(field: str, signed: UUID | str, offered: UUID | str | None) -> FieldVerdict:
    if offered in (None, ""):
        return _unsaid(field, str(signed))
    if offered != signed:
        return FieldVerdict(field, str(signed), str(offered), fits=False, because="It is not what was signed for.")
    return FieldVerdict(field, str(signed), str(offered), fits=True, because="It is what was signed for.")


def _rate_kind(signed: str, offered: str | None) -> FieldVerdict:
    if offered and offered not in RATE_KINDS:
        because = f"“{offered}” is not a kind of rate that we know."
        return FieldVerdict(RATE_KIND, signed, offered, fits=False, because=because, is_stated=False)
    return _same(RATE_KIND, signed, offered)


def _unsaid(field: str, limit: str) -> FieldVerdict:
    return FieldVerdict(field, limit, "not given", fits=False, because="The offer does not say.", is_stated=False)


def _at_most(field: str, signed: Decimal | int, offered: Decimal | int | None, *, unit: str) -> FieldVerdict:
    limit = f"at most {_quantity(signed, unit)}"
    if offered is None:
        return _unsaid(field, limit)
    shown = _quantity(offered, unit)
    if not Decimal(offered).is_finite() or offered < 0:
        return FieldVerdict(field, limit, shown, fits=False, because="It is not a valid price or term.")
    if offered > signed:
        return FieldVerdict(field, limit, shown, fits=False, because="It is above the signed limit.")
    return FieldVerdict(field, limit, shown, fits=True, because="It is within the signed limit.")


def _at_least(field: str, signed: Decimal, offered: Decimal | None, *, unit: str) -> FieldVerdict:
    shown = "not given" if offered is None else _quantity(offered, unit)
    if offered is not None and (not offered.is_finite() or offered < 0):
        return FieldVerdict(
            field, "not negative", shown, fits=False, because="The customer would have to pay for exported energy."
        )
    if signed == 0:
        return FieldVerdict(field, "none required", shown, fits=True, because="The customer did not require one.")
    limit = f"at least {_quantity(signed, unit)}"
    if offered is None:
        return _unsaid(field, limit)
    if offered < signed:
        return FieldVerdict(field, limit, shown, fits=False, because="It is below the signed limit.")
    return FieldVerdict(field, limit, shown, fits=True, because="It is within the signed limit.")


def _quantity(amount: Decimal | int, unit: str) -> str:
    if isinstance(amount, Decimal) and amount.is_finite():
        amount = amount.normalize()
    text = f"{amount:f}" if isinstance(amount, Decimal) else str(amount)
    return f"${text}" if unit == "$" else f"{text} {unit}"
