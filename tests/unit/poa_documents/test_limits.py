"""Limits: complete, copied unchanged, and written in plain language."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.public_records import MirroredRecord
from poa_documents.limited_fields import LIMIT_FIELDS
from poa_documents.limits import (
    ENVELOPE_FIELDS,
    LimitMissing,
    check_limits,
    copy_limits,
    format_date,
    format_moment,
    limit_lines,
)
from poa_documents.models import Envelope, Limits, PlanPromise, RateKind

FULL: dict[str, Any] = {
    "light_plan_group": "7d1c4d4e-51a7-4f1c-9a58-0e6a52d6f001",
    "rate_kind": RateKind.FIXED,
    "max_average_cents_per_kwh_500": Decimal("18.5000"),
    "max_average_cents_per_kwh_1000": Decimal("16.9"),
    "max_average_cents_per_kwh_2000": Decimal("16.1234"),
    "max_base_fee_dollars": Decimal("9.95"),
    "max_term_months": 12,
    "max_termination_fee_dollars": Decimal(1500),
    "min_buyback_cents_per_kwh": Decimal(0),
}
REST: dict[str, Any] = {
    "plan_name": "Solar Buyback 12",
    "esi_id": "10443720000000001",
    "earliest_start_date": date(2026, 3, 2),
    "latest_start_date": date(2026, 5, 1),
    "sunset_date": date(2026, 6, 1),
    "uses": 1,
}


def test_every_model_field_is_a_limit() -> None:
    assert set(LIMIT_FIELDS) == {field.name for field in Limits._meta.get_fields()}
    of_every_record = {"id", *(field.name for field in MirroredRecord._meta.get_fields())}
    assert set(ENVELOPE_FIELDS) == {field.name for field in Envelope._meta.concrete_fields} - of_every_record


def test_full_product_is_copied_field_by_field() -> None:
    assert copy_limits(PlanPromise(name="x", **FULL)) == FULL


@pytest.mark.parametrize("name", LIMIT_FIELDS)
def test_missing_limit_is_named(name: str) -> None:
    with pytest.raises(LimitMissing, match=name.replace("_", " ")) as refusal:
        copy_limits(PlanPromise(name="x", **{**FULL, name: None}))

    assert list(refusal.value.problems) == [name]


@given(missing=st.sets(st.sampled_from(ENVELOPE_FIELDS), min_size=1))
def test_all_missing_limits_are_reported_together(missing: set[str]) -> None:
    envelope = Envelope(**{**FULL, **REST, **dict.fromkeys(missing)})

    with pytest.raises(LimitMissing) as refusal:
        check_limits(envelope)

    assert set(refusal.value.problems) == missing


def test_zero_is_a_limit_and_not_missing() -> None:
    check_limits(Envelope(**{**FULL, **REST, "max_base_fee_dollars": Decimal(0)}))


def test_limits_read_naturally() -> None:
    lines = dict(limit_lines(Envelope(**FULL, **REST), "en"))

    assert lines["Highest average price at 500 kWh a month"] == "18.5¢ per kWh"
    assert lines["Highest average price at 2,000 kWh a month"] == "16.1234¢ per kWh"
    assert lines["Highest early termination fee"] == "$1,500.00"
    assert lines["Lowest payment for solar power you send to the grid"] == "none required"
    assert lines["Service may start"] == "from March 2, 2026 to May 1, 2026"


def test_limits_read_naturally_in_spanish() -> None:
    lines = dict(limit_lines(Envelope(**FULL, **REST), "es"))

    assert lines["Tipo de tarifa"] == "tarifa fija"
    assert lines["El servicio puede iniciar"] == "del 2 de marzo de 2026 al 1 de mayo de 2026"


@given(
    amount=st.decimals(min_value=Decimal("0.0001"), max_value=Decimal("9999.9999"), places=4),
    language=st.sampled_from(["en", "es"]),
)
def test_prices_keep_every_digit(amount: Decimal, language: str) -> None:
    envelope = Envelope(**{**FULL, **REST, "max_average_cents_per_kwh_500": amount})

    said = limit_lines(envelope, language)[3][1]

    assert Decimal(said.split("¢")[0]) == amount


@pytest.mark.parametrize(("language", "said"), [("en", "September 5, 2026"), ("es", "5 de septiembre de 2026")])
def test_dates_are_written_out(language: str, said: str) -> None:
    assert format_date(date(2026, 9, 5), language) == said


@pytest.mark.parametrize(
    ("hour", "language", "said"),
    [
        (5, "en", "July 4, 2026 at 12:30 a.m. Central Time"),
        (4, "en", "July 3, 2026 at 11:30 p.m. Central Time"),
        (17, "en", "July 4, 2026 at 12:30 p.m. Central Time"),
        (18, "es", "4 de julio de 2026 a la 1:30 p. m., hora del centro"),
        (13, "es", "4 de julio de 2026 a las 8:30 a. m., hora del centro"),
    ],
)
def test_times_are_shown_in_texas_time(hour: int, language: str, said: str) -> None:
    assert format_moment(datetime(2026, 7, 4, hour, 30, tzinfo=UTC), language) == said


def test_missing_time_is_not_shown() -> None:
    assert format_moment(None, "en") == ""
