from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from enrollments.light.dialect import Dialect
from enrollments.light.dialect_settings import NAMED_DIALECTS, OVERRIDES, DialectNotUnderstood, read_dialect
from enrollments.light.webhook_signatures import WebhookScheme


def test_reference_is_the_default_in_code() -> None:
    assert read_dialect("reference", {}) == Dialect()


def test_reference_file_lists_every_value() -> None:
    listed = tomllib.loads(NAMED_DIALECTS["reference"].read_text())

    assert {f"LIGHT_DIALECT_{name.upper()}" for name in listed} == set(OVERRIDES)


def test_own_dialect_file_is_read_and_overridden(tmp_path: Path) -> None:
    file = tmp_path / "light.toml"
    file.write_text('page_size = 7\nphone_field = "none"\n[rate_kind_spellings]\nFLAT = "FIXED"\n')

    dialect = read_dialect(str(file), {"LIGHT_DIALECT_PAGE_SIZE": "8", "LIGHT_DIALECT_PHONE_FIELD": " "})

    assert (dialect.page_size, dialect.phone_field, dialect.rate_kind_spellings) == (8, None, (("FLAT", "FIXED"),))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("page_size = 0", "^page_size in .*light.toml is '0'; it must be a whole number"),
        ("page_size = true", "^page_size in .*light.toml must be a text, a number"),
        ("known_statuses = []", "^known_statuses in .*light.toml must be a text, a number"),
        ("page = 5", "^page in .*light.toml is not a value of a dialect. Known are: "),
        ("page_size", "light.toml is not TOML"),
    ],
)
def test_invalid_file_is_refused_with_the_setting_name(tmp_path: Path, content: str, problem: str) -> None:
    file = tmp_path / "light.toml"
    file.write_text(content)

    with pytest.raises(DialectNotUnderstood, match=problem):
        read_dialect(str(file), {})


def test_missing_dialect_is_refused() -> None:
    with pytest.raises(
        DialectNotUnderstood, match=r"^LIGHT_DIALECT cannot be used. It should be alternate, reference, or"
    ):
        read_dialect("texan", {})


def test_documented_defaults_are_the_defaults() -> None:
    listed = {name: value.default for name, value in OVERRIDES.items()}

    assert read_dialect("alternate", listed) == Dialect()


def test_every_value_can_be_overridden() -> None:
    settings = {field.name for field in fields(Dialect)} - {"webhook"}
    settings |= {f"webhook_{field.name}" for field in fields(WebhookScheme)}

    assert set(OVERRIDES) == {f"LIGHT_DIALECT_{name.upper()}" for name in settings}


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
def test_invalid_value_is_refused_with_its_variable_name(name: str, value: str) -> None:
    with pytest.raises(DialectNotUnderstood, match=f"^LIGHT_DIALECT_{name} is .*must be") as caught:
        read_dialect("reference", {f"LIGHT_DIALECT_{name}": value})

    assert caught.value.place == f"LIGHT_DIALECT_{name}"


def test_misspelled_variable_is_refused() -> None:
    with pytest.raises(DialectNotUnderstood, match="LIGHT_DIALECT_FINALISE_PATH is not a setting"):
        read_dialect("reference", {"LIGHT_DIALECT_FINALISE_PATH": "/v1/x"})


def test_app_token_needs_the_account_in_the_path() -> None:
    with pytest.raises(DialectNotUnderstood, match=r"^LIGHT_DIALECT_FINALIZE_PATH is .* must contain .account_uuid."):
        read_dialect("reference", {"LIGHT_DIALECT_FINALIZE_TOKEN": "app"})


def test_optional_fields_can_be_left_out() -> None:
    dialect = read_dialect(
        "reference",
        {
            "LIGHT_DIALECT_PHONE_FIELD": "none",
            "LIGHT_DIALECT_BIRTH_DATE_FIELD": "dob",
            "LIGHT_DIALECT_ALREADY_RECORDED_STATUSES": "none",
        },
    )

    assert (dialect.phone_field, dialect.birth_date_field, dialect.already_recorded_statuses) == (None, "dob", ())


def test_rate_kinds_are_read_in_any_spelling() -> None:
    words = "flat-rate=FIXED, Month To Month=VARIABLE"

    dialect = read_dialect("reference", {"LIGHT_DIALECT_RATE_KIND_SPELLINGS": words})

    assert dict(dialect.rate_kind_spellings) == {"FLAT_RATE": "FIXED", "MONTH_TO_MONTH": "VARIABLE"}
