"""The limits of an envelope: copied from a promise, checked for completeness, and said in plain words."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from core.dates import CHICAGO, chicago_day
from installations.models import Language
from poa_documents.models import Envelope, Limits, RateKind

NOON = 12

LIMIT_FIELDS: tuple[str, ...] = (
    "light_plan_group",
    "rate_kind",
    "highest_average_cents_per_kwh_500",
    "highest_average_cents_per_kwh_1000",
    "highest_average_cents_per_kwh_2000",
    "highest_base_fee_dollars",
    "longest_term_months",
    "highest_termination_fee_dollars",
    "lowest_buyback_cents_per_kwh",
)
ENVELOPE_FIELDS: tuple[str, ...] = (
    *LIMIT_FIELDS,
    "plan_name",
    "esi_id",
    "earliest_start_date",
    "latest_start_date",
    "sunset_date",
    "uses",
)

_MONTHS_ES = (
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
)

_WORDS: Mapping[str, Mapping[str, str]] = {
    Language.ENGLISH: {
        "rate_kind": "Kind of rate",
        "price": "Highest average price at {kwh} kWh a month",
        "base_fee": "Highest monthly base fee",
        "term": "Longest contract term",
        "termination_fee": "Highest early termination fee",
        "buyback": "Lowest payment for solar power you send to the grid",
        "no_buyback": "none required",
        "start": "Service may start",
        "start_range": "from {earliest} to {latest}",
        "sunset": "This authority ends after",
        "uses": "How many times it may be used",
        "plan": "Plan",
        "esi_id": "Your meter (ESI ID)",
        "cents": "{amount}¢ per kWh",
        "dollars": "${amount}",
        "months": "{count} months",
        "month": "1 month",
        RateKind.FIXED: "fixed rate",
        RateKind.VARIABLE: "variable rate",
        RateKind.INDEXED: "indexed rate",
    },
    Language.SPANISH: {
        "rate_kind": "Tipo de tarifa",
        "price": "Precio promedio más alto con {kwh} kWh al mes",
        "base_fee": "Cargo base mensual más alto",
        "term": "Plazo de contrato más largo",
        "termination_fee": "Cargo más alto por terminación anticipada",
        "buyback": "Pago más bajo por la energía solar que usted envía a la red",
        "no_buyback": "no se exige",
        "start": "El servicio puede iniciar",
        "start_range": "del {earliest} al {latest}",
        "sunset": "Este poder termina después del",
        "uses": "Cuántas veces se puede usar",
        "plan": "Plan",
        "esi_id": "Su medidor (ESI ID)",
        "cents": "{amount}¢ por kWh",
        "dollars": "${amount}",
        "months": "{count} meses",
        "month": "1 mes",
        RateKind.FIXED: "tarifa fija",
        RateKind.VARIABLE: "tarifa variable",
        RateKind.INDEXED: "tarifa indexada",
    },
}


class LimitMissing(Exception):
    """A limit has no value. That would not mean "no limit", so nothing with such a gap can be sent or signed."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


def limit_problems(record: Limits) -> dict[str, str]:
    """Tell for each limit that has no value which it is; empty when all are set."""
    problems: dict[str, str] = {}
    names = ENVELOPE_FIELDS if isinstance(record, Envelope) else LIMIT_FIELDS
    for name in names:
        if getattr(record, name) in (None, ""):
            label = name.replace("_", " ")
            problems[name] = f"The {label} is missing: set it before this is sent. 0 can be said; nothing cannot."
    return problems


def check_limits(record: Limits) -> None:
    """:raises LimitMissing: naming every field without a value"""
    problems = limit_problems(record)
    if problems:
        raise LimitMissing(problems)


def copy_limits(promise: Limits) -> dict[str, Any]:
    """
    Give the promise's limits as they go into an envelope.

    :raises LimitMissing: naming every field without a value
    """
    check_limits(promise)
    return {name: getattr(promise, name) for name in LIMIT_FIELDS}


def limit_lines(envelope: Envelope, language: str) -> list[tuple[str, str]]:
    """Say every limit as a label and a value, in the customer's language: what page, document and file show alike."""
    words = _WORDS[language]

    def cents(amount: Decimal) -> str:
        return words["cents"].format(amount=_shortest(amount))

    def dollars(amount: Decimal) -> str:
        return words["dollars"].format(amount=f"{amount:,.2f}")

    months = envelope.longest_term_months
    return [
        (words["plan"], envelope.plan_name),
        (words["esi_id"], envelope.esi_id),
        (words["rate_kind"], words[envelope.rate_kind]),
        (words["price"].format(kwh="500"), cents(envelope.highest_average_cents_per_kwh_500)),
        (words["price"].format(kwh="1,000"), cents(envelope.highest_average_cents_per_kwh_1000)),
        (words["price"].format(kwh="2,000"), cents(envelope.highest_average_cents_per_kwh_2000)),
        (words["base_fee"], dollars(envelope.highest_base_fee_dollars)),
        (words["term"], words["month"] if months == 1 else words["months"].format(count=months)),
        (words["termination_fee"], dollars(envelope.highest_termination_fee_dollars)),
        (
            words["buyback"],
            cents(envelope.lowest_buyback_cents_per_kwh)
            if envelope.lowest_buyback_cents_per_kwh
            else words["no_buyback"],
        ),
        (
            words["start"],
            words["start_range"].format(
                earliest=say_date(envelope.earliest_start_date, language),
                latest=say_date(envelope.latest_start_date, language),
            ),
        ),
        (words["sunset"], say_date(envelope.sunset_date, language)),
        (words["uses"], str(envelope.uses)),
    ]


def say_date(day: date, language: str) -> str:
    if language == Language.SPANISH:
        return f"{day.day} de {_MONTHS_ES[day.month - 1]} de {day.year}"
    return f"{day:%B} {day.day}, {day.year}"


def say_time(at: datetime, language: str) -> str:
    """Say a time of day as clocks in Texas show it, without naming the zone."""
    local = at.astimezone(CHICAGO)
    half = "a" if local.hour < NOON else "p"
    return f"{local.hour % NOON or NOON}:{local:%M} {half}" + (". m." if language == Language.SPANISH else ".m.")


def say_moment(at: datetime | None, language: str) -> str:
    """Say day and time in Texas, with the zone; nothing for a moment that has not come."""
    if at is None:
        return ""
    day, time = say_date(chicago_day(at), language), say_time(at, language)
    return f"{day}, {time}, hora del centro" if language == Language.SPANISH else f"{day} at {time} Central Time"


def _shortest(amount: Decimal) -> str:
    """Write a price without needless zeros, but never with fewer than one digit after the point."""
    text = f"{amount:.4f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text
