from __future__ import annotations

from dataclasses import fields

import pytest

from enrollments.light.dialect import DIALECT_VARIABLES, Dialect, DialectNotUnderstood
from enrollments.light.signatures import WebhookScheme


def test_empty_environment_gives_the_defaults() -> None:
    assert Dialect.from_environment({"PATH": "/bin", "LIGHT_API_URL": "x"}) == Dialect()


def test_listed_defaults_are_the_defaults() -> None:
    listed = {name: variable.default for name, variable in DIALECT_VARIABLES.items()}

    assert Dialect.from_environment(listed) == Dialect()


def test_every_setting_has_a_variable() -> None:
    settings = {field.name for field in fields(Dialect)} - {"webhook"}
    settings |= {f"webhook_{field.name}" for field in fields(WebhookScheme)}

    assert set(DIALECT_VARIABLES) == {f"LIGHT_DIALECT_{name.upper()}" for name in settings}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FINALIZE_PATH", "https://elsewhere.example/v1/finalize"),
        ("FINALIZE_PATH", "/v2/finalize"),
        ("FINALIZE_PATH", "/v1/{plan}/finalize"),
        ("FINALIZE_PATH", "/v1/../x"),
        ("FINALIZE_TOKEN", "both"),
        ("STATUS_LOOKUP", "status,,x"),
        ("KNOWN_STATUSES", "a b"),
        ("ALREADY_RECORDED_STATUSES", "200"),
        ("ALREADY_RECORDED_STATUSES", "409,401"),
        ("ALREADY_RECORDED_STATUSES", "conflict"),
        ("RATE_KIND_LOOKUP", "Rate Kind"),
        ("RATE_KIND_SPELLINGS", "FLAT"),
        ("RATE_KIND_SPELLINGS", "FLAT=CHEAP"),
        ("RATE_KIND_SPELLINGS", "FLAT=FIXED,flat=VARIABLE"),
        ("PHONE_FIELD", "Phone Number"),
        ("ACCOUNT_SEARCH", "name"),
        ("PAGE_SIZE", "0"),
        ("PAGE_SIZE", "many"),
        ("WEBHOOK_ALGORITHM", "md5"),
        ("WEBHOOK_ENCODING", "utf-8"),
        ("WEBHOOK_PREFIX", "sha256="),
        ("WEBHOOK_SIGNED_TEXT", "headers"),
        ("WEBHOOK_HEADER", "X Light"),
        ("WEBHOOK_TOLERANCE_SECONDS", "-1"),
    ],
)
def test_value_that_cannot_work_is_refused_with_the_name_of_its_variable(name: str, value: str) -> None:
    with pytest.raises(DialectNotUnderstood, match=f"^LIGHT_DIALECT_{name} is .*must be") as caught:
        Dialect.from_environment({f"LIGHT_DIALECT_{name}": value})

    assert caught.value.variable == f"LIGHT_DIALECT_{name}"


def test_misspelled_variable_is_refused() -> None:
    with pytest.raises(DialectNotUnderstood, match="LIGHT_DIALECT_FINALISE_PATH is not a setting"):
        Dialect.from_environment({"LIGHT_DIALECT_FINALISE_PATH": "/v1/x"})


def test_app_token_needs_the_account_in_the_path() -> None:
    with pytest.raises(DialectNotUnderstood, match="account_uuid"):
        Dialect.from_environment({"LIGHT_DIALECT_FINALIZE_TOKEN": "app"})


def test_optional_fields_can_be_left_out() -> None:
    dialect = Dialect.from_environment(
        {
            "LIGHT_DIALECT_PHONE_FIELD": "none",
            "LIGHT_DIALECT_BIRTH_DATE_FIELD": "dob",
            "LIGHT_DIALECT_ALREADY_RECORDED_STATUSES": "none",
        }
    )

    assert (dialect.phone_field, dialect.birth_date_field, dialect.already_recorded_statuses) == (None, "dob", ())


def test_words_for_a_kind_of_rate_are_read_in_any_spelling() -> None:
    words = "flat-rate=FIXED, Month To Month=VARIABLE"

    dialect = Dialect.from_environment({"LIGHT_DIALECT_RATE_KIND_SPELLINGS": words})

    assert dict(dialect.rate_kind_spellings) == {"FLAT_RATE": "FIXED", "MONTH_TO_MONTH": "VARIABLE"}
