"""The form of ESI IDs. Source: domain notes, section 4."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installations.esi_ids import (
    PREFIXES,
    esi_id_problems,
    esi_id_question,
    esi_id_warnings,
    esi_id_without_meter_suffix,
    normalize,
    tdu_code,
)

ONCOR = "10443720001234567"
CENTERPOINT = "1008901023817063480105"
KNOWN = [prefix for prefix in PREFIXES if prefix.length]


@st.composite
def esi_ids(draw: st.DrawFn) -> str:
    prefix = draw(st.sampled_from(KNOWN))
    rest = (prefix.length or 0) - len(prefix.digits)
    return prefix.digits + draw(st.text("123456789", min_size=rest, max_size=rest))


@pytest.mark.parametrize(
    ("esi_id", "code"),
    [
        (ONCOR, "ONCOR"),
        ("10176990001234567", "ONCOR"),
        (CENTERPOINT, "CENTERPOINT"),
        ("10032780001234567", "AEP_CENTRAL"),
        ("10204040001234567", "AEP_NORTH"),
        ("10400510001234567", "TNMP"),
        ("10138300001234567", "NUECES"),
        ("10999990001234567", ""),
    ],
)
def test_prefix_determines_the_wires_company(esi_id: str, code: str) -> None:
    assert esi_id_problems(esi_id, strict=True) == ()
    assert tdu_code(esi_id) == code


@pytest.mark.parametrize(
    "typed",
    [
        f"  {ONCOR} ",
        "1044372-0001-234567",
        "1044372 0001 234567",
        f"#: {ONCOR}",
        f"ESI ID: {ONCOR}",
        f"esi id {ONCOR}",
        f"{ONCOR}.",
        f"{ONCOR}, ",
        f"\ufeff{ONCOR}\u200b",
        f"{ONCOR[:7]}\u200b{ONCOR[7:12]}\u2060\u00ad{ONCOR[12:]}",
        f"\u202a{ONCOR}\u202c",
        f"{ONCOR[:9]}\t{ONCOR[9:]}\n",
    ],
)
def test_characters_around_the_digits_are_dropped(typed: str) -> None:
    assert normalize(typed) == ONCOR
    assert esi_id_problems(typed, strict=True) == ()


@pytest.mark.parametrize(
    "typed", ["1.00890e+21", "1.0089E+21", "1,00890e+21", "1008901023817060000000", f"{ONCOR}.0", "1e21"]
)
def test_spreadsheet_damaged_number_is_refused_and_never_repaired(typed: str) -> None:
    problems = esi_id_problems(typed, strict=False)

    assert "spreadsheet" in problems[0]
    assert esi_id_without_meter_suffix(typed) is None


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Enter the ESI ID"),
        ("ESI ID:", "Enter the ESI ID"),
        ("1044372000123456x", "digits only"),
        ("١٠٤٤٣٧٢٠٠٠١٢٣٤٥٦٧", "digits only"),
        (ONCOR[:-1], "have 17 digits, and this one has 16"),
        (CENTERPOINT[:-1], "have 22 digits, and this one has 21"),
        ("1099999", "this one has 7"),
        ("10" + "9" * 21, "this one has 23"),
    ],
)
def test_wrong_format_is_explained(typed: str, words: str) -> None:
    assert words in esi_id_problems(typed, strict=False)[0]


def test_test_number_is_refused_only_in_strict_mode() -> None:
    light_sample = "55500000000000001"

    assert esi_id_problems(light_sample, strict=False) == ()
    assert "begins with 10" in esi_id_problems(light_sample, strict=True)[0]
    assert "test number" in esi_id_warnings(light_sample)[0]


@pytest.mark.parametrize("typed", ["10443720001234500", "1044372-0001-234500.", "10999990001234500"])
def test_possibly_rounded_number_needs_confirmation(typed: str) -> None:
    assert esi_id_problems(typed, strict=True) == ()
    assert "ends in 00" in esi_id_question(typed)


@pytest.mark.parametrize(
    "typed", [ONCOR, "10443720001234570", CENTERPOINT, CENTERPOINT[:-2] + "00", "104437200012345", ""]
)
def test_other_numbers_raise_no_question(typed: str) -> None:
    assert esi_id_question(typed) == ""


def test_unknown_prefix_starting_with_10_is_only_a_warning() -> None:
    assert esi_id_problems("10999990001234567", strict=True) == ()
    assert "1099999" in esi_id_warnings("10999990001234567")[0]
    assert esi_id_warnings(ONCOR) == ()


@pytest.mark.parametrize("esi_id", [ONCOR, CENTERPOINT])
def test_meter_suffix_is_offered_as_a_correction(esi_id: str) -> None:
    with_suffix = f"{esi_id}001"

    assert esi_id in esi_id_problems(with_suffix, strict=True)[0]
    assert esi_id_without_meter_suffix(with_suffix) == esi_id


@given(esi_ids())
def test_every_number_of_a_known_company_is_accepted(esi_id: str) -> None:
    assert esi_id_problems(esi_id, strict=True) == ()
    assert esi_id_warnings(esi_id) == ()
    assert tdu_code(esi_id)


@given(esi_ids())
def test_number_from_a_float_is_never_taken_for_another(esi_id: str) -> None:
    shown = f"{float(esi_id):.5e}"

    assert esi_id_problems(shown, strict=False) != ()


@given(st.text(max_size=40), st.booleans())
def test_accepted_numbers_are_digits_that_fit_the_column(text: str, strict: bool) -> None:  # noqa: FBT001
    if not esi_id_problems(text, strict=strict):
        digits = normalize(text)
        assert digits.isascii()
        assert digits.isdigit()
        assert 17 <= len(digits) <= 22


@given(st.text(max_size=40))
def test_normalizing_twice_changes_nothing(text: str) -> None:
    if not esi_id_problems(text, strict=False):
        assert normalize(normalize(text)) == normalize(text)
