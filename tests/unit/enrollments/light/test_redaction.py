from __future__ import annotations

import pytest

from enrollments.light.reasons import fields_named, reasons_from
from enrollments.light.redaction import MASK, redact, redact_text


def test_only_secrets_and_personal_data_are_masked() -> None:
    payload = {
        "email": "maria@example.com",
        "first_name": "Maria",
        "phone_number": "+15125550100",
        "dob": "1980-02-03",
        "plan": {"uuid": "p", "name": "Solar 12", "links": [{"token": "t"}]},
        "login_link": "https://flow.light.dev/?token=abc",
        "esi_id": "10443720001234567",
        "terms_accepted": True,
        "is_billing_address_confirmed": True,
        "has_card": None,
        "note": "write to maria@example.com",
    }

    masked = redact(payload)

    assert masked == {
        "email": MASK,
        "first_name": MASK,
        "phone_number": MASK,
        "dob": MASK,
        "plan": {"uuid": "p", "name": "Solar 12", "links": [{"token": MASK}]},
        "login_link": MASK,
        "esi_id": "10443720001234567",
        "terms_accepted": True,
        "is_billing_address_confirmed": True,
        "has_card": None,
        "note": f"write to {MASK}",
    }


@pytest.mark.parametrize(
    "text",
    ["maria@example.com", "Bearer abc.def", "https://x/?token=abcdef", "0123456789abcdef0123456789abcdef",
     "512-555-0100", "(512) 555-0100", "+15125550100"],
)  # fmt: skip
def test_likely_secrets_are_masked_in_running_text(text: str) -> None:
    masked = redact_text(f"said {text} here")

    assert MASK in masked
    assert text not in masked


def test_meter_and_account_numbers_stay_readable() -> None:
    text = "plan c3f1d2b4-7a68-4e0e-9a55-0f1e2d3c4b5a for 10443720001234567"

    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ({"detail": "plan expired"}, ("plan expired",)),
        ({"detail": [{"loc": ["body", "email"], "msg": "bad"}, {"msg": "worse"}]}, ("email: bad", "worse")),
        ({"error": "no"}, ("no",)),
        ({"error": {"message": "no", "code": "x"}}, ("no",)),
        ({"message": "no"}, ("no",)),
        ({"errors": {"email": ["bad", "long"]}}, ("email: bad; long",)),
        ("<html>\n<p>no", ("<html> <p>no",)),
        (None, ()),
        ([], ()),
        (5, ("5",)),
    ],
)  # fmt: skip
def test_reasons_are_found_in_every_refusal_shape(body: object, reasons: tuple[str, ...]) -> None:
    assert reasons_from(body) == reasons


def test_long_reasons_are_cut() -> None:
    assert len(reasons_from("long " * 1000)[0]) == 500


def test_field_is_named_only_as_a_whole_word() -> None:
    assert fields_named({"detail": "telephone_number is bad"}, ("phone_number",)) == ()
    assert fields_named({"detail": "phone_number is bad"}, ("phone_number",)) == ("phone_number",)
