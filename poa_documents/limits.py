"""The limits of an envelope: copied from a promise, checked for completeness, and formatted for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from core.dates import CHICAGO, chicago_day
from core.errors import Conflict
from installations.models import Language
from poa_documents.limited_fields import LIMIT_FIELDS, LIMITED_FIELDS, Direction, LimitedField, Unit
from poa_documents.models import Envelope, Limits, RateKind

NOON = 12

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
        "no_buyback": "none required",
        "no_payment": "none",
        "not_stated": "not stated",
        "start": "Service may start",
        "start_range": "from {earliest} to {latest}",
        "sunset": "This authority ends after",
        "uses": "How many times it may be used",
        "plan": "Plan",
        "cents": "{amount}¢ per kWh",
        "dollars": "${amount}",
        "months": "{count} months",
        Direction.AT_MOST: "at most {limit}",
        Direction.AT_LEAST: "at least {limit}",
        "month": "1 month",
        RateKind.FIXED: "fixed rate",
        RateKind.VARIABLE: "variable rate",
        RateKind.INDEXED: "indexed rate",
    },
    Language.SPANISH: {
        "no_buyback": "no se exige",
        "no_payment": "ninguno",
        "not_stated": "no se indica",
        "start": "El servicio puede iniciar",
        "start_range": "del {earliest} al {latest}",
        "sunset": "Este poder termina después del",
        "uses": "Cuántas veces se puede usar",
        "plan": "Plan",
        "cents": "{amount}¢ por kWh",
        "dollars": "${amount}",
        "months": "{count} meses",
        Direction.AT_MOST: "{limit} como máximo",
        Direction.AT_LEAST: "{limit} como mínimo",
        "month": "1 mes",
        RateKind.FIXED: "tarifa fija",
        RateKind.VARIABLE: "tarifa variable",
        RateKind.INDEXED: "tarifa indexada",
    },
}


class LimitMissing(Conflict):
    """A limit has no value. That does not mean "no limit", so it can be neither sent nor signed."""


def limit_problems(record: Limits) -> dict[str, str]:
    """Return a message for each limit without a value, by field name."""
    problems: dict[str, str] = {}
    names = ENVELOPE_FIELDS if isinstance(record, Envelope) else LIMIT_FIELDS
    for name in names:
        if getattr(record, name) in (None, ""):
            label = name.replace("_", " ")
            problems[name] = f"The {label} is missing. Enter it before this is sent. 0 is a valid value."
    return problems


def check_limits(record: Limits) -> None:
    """:raises LimitMissing: naming every field without a value"""
    problems = limit_problems(record)
    if problems:
        raise LimitMissing(problems)


def copy_limits(promise: Limits) -> dict[str, Any]:
    """
    Return the promise's limits as they go into an envelope.

    :raises LimitMissing: naming every field without a value
    """
    check_limits(promise)
    return {name: getattr(promise, name) for name in LIMIT_FIELDS}


def limit_lines(envelope: Envelope, language: str) -> list[tuple[str, str]]:
    """Return every limit as label and value in the customer's language, for the page, the document and the PDF."""
    words = _WORDS[language]
    return [
        (words["plan"], envelope.plan_name),
        *(
            (field.limit_label[language], format_limit(field, getattr(envelope, field.limit), language))
            for field in LIMITED_FIELDS
            if field.is_shown
        ),
        (
            words["start"],
            words["start_range"].format(
                earliest=format_date(envelope.earliest_start_date, language),
                latest=format_date(envelope.latest_start_date, language),
            ),
        ),
        (words["sunset"], format_date(envelope.sunset_date, language)),
        (words["uses"], str(envelope.uses)),
    ]


@dataclass(frozen=True)
class ComparedLine:
    """One limited field of a plan: what the plan offers and what was signed."""

    label: str
    offered: str
    limit: str


class Offered(Protocol):
    """A plan with a value or None for each limited field, under the field's `offered` name."""

    name: str


def compared_lines(plan: Offered, envelope: Envelope, language: str) -> list[ComparedLine]:
    """Return every limited field of a plan with its limit, in the customer's language."""
    return [
        ComparedLine(
            field.offered_label[language],
            format_offered(field, getattr(plan, field.offered), language),
            _bounded(field, format_limit(field, getattr(envelope, field.limit), language), language),
        )
        for field in LIMITED_FIELDS
        if field.is_shown
    ]


def format_limit(field: LimitedField, value: Any, language: str) -> str:
    if field.direction == Direction.AT_LEAST and not value:
        return _WORDS[language]["no_buyback"]
    return _format_value(field, value, language)


def format_offered(field: LimitedField, value: Any, language: str) -> str:
    """Format what a plan offers. A plan without a buyback rate pays nothing."""
    if field.direction == Direction.AT_LEAST and not value:
        return _WORDS[language]["no_payment"]
    return _WORDS[language]["not_stated"] if value in (None, "") else _format_value(field, value, language)


def _bounded(field: LimitedField, said: str, language: str) -> str:
    """Add “at most” or “at least” to a limit that is a bound."""
    if field.direction == Direction.SAME or said == _WORDS[language]["no_buyback"]:
        return said
    return _WORDS[language][field.direction].format(limit=said)


def _format_value(field: LimitedField, value: Any, language: str) -> str:
    words = _WORDS[language]
    match field.unit:
        case Unit.CENTS_PER_KWH:
            return words["cents"].format(amount=_trim_zeros(value))
        case Unit.DOLLARS:
            return words["dollars"].format(amount=f"{value:,.2f}")
        case Unit.MONTHS:
            return words["month"] if value == 1 else words["months"].format(count=value)
        case Unit.RATE_KIND:
            return words.get(value, str(value))
        case _:
            return str(value)


def format_date(day: date, language: str) -> str:
    if language == Language.SPANISH:
        return f"{day.day} de {_MONTHS_ES[day.month - 1]} de {day.year}"
    return f"{day:%B} {day.day}, {day.year}"


def format_time(at: datetime, language: str) -> str:
    """Format a Chicago time of day, without the zone."""
    local = at.astimezone(CHICAGO)
    half = "a" if local.hour < NOON else "p"
    return f"{local.hour % NOON or NOON}:{local:%M} {half}" + (". m." if language == Language.SPANISH else ".m.")


def at_time(time: str) -> str:
    """Add the Spanish “at” to a time of day: one o'clock is singular."""
    return f"{'a la' if time.startswith('1:') else 'a las'} {time}"


def format_moment(at: datetime | None, language: str) -> str:
    """Format a Chicago day and time with the zone, or return "" for None."""
    if at is None:
        return ""
    day, time = format_date(chicago_day(at), language), format_time(at, language)
    return (
        f"{day} {at_time(time)}, hora del centro" if language == Language.SPANISH else f"{day} at {time} Central Time"
    )


def _trim_zeros(amount: Decimal) -> str:
    """Format a price without trailing zeros, but with at least one decimal."""
    text = f"{amount:.6f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text
