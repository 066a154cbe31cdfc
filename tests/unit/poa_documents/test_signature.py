"""What counts as a signature, and how it is drawn."""

import json
import math
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poa_documents.signature import SignatureNotUsable, clean_signature, drawing_of

COORDINATES = st.floats(min_value=-500, max_value=4000, allow_nan=False)
STROKES = st.lists(st.lists(st.tuples(COORDINATES, COORDINATES), min_size=5, max_size=30), min_size=1, max_size=8)


@pytest.mark.parametrize("name", ["Carmen Reyes", "  José  Núñez ", "王小明", "محمد", "O'Brien-Smith 3rd", "Ł"])
def test_every_name_can_be_typed(name: str) -> None:
    assert clean_signature("TYPED", name) == " ".join(name.split())


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        ("TYPED", "", "name_missing"),
        ("TYPED", " \t\n", "name_missing"),
        ("TYPED", "... 123", "name_missing"),
        ("TYPED", "x" * 251, "name_too_long"),
        ("DRAWN", "", "drawing_missing"),
        ("DRAWN", "[]", "drawing_missing"),
        ("DRAWN", "[[]]", "drawing_missing"),
        ("DRAWN", "[[[1,2]]]", "drawing_missing"),
        ("DRAWN", "not json", "drawing_unreadable"),
        ("DRAWN", '{"points": 1}', "drawing_unreadable"),
        ("DRAWN", "[[[1,NaN],[1,2],[1,2],[1,2],[1,2]]]", "drawing_unreadable"),
        ("DRAWN", "[[[1,1e9],[1,2],[1,2],[1,2],[1,2]]]", "drawing_unreadable"),
        ("DRAWN", '[[["a",1],[1,2],[1,2],[1,2],[1,2]]]', "drawing_unreadable"),
        ("DRAWN", "[[[true,1],[1,2],[1,2],[1,2],[1,2]]]", "drawing_unreadable"),
        ("DRAWN", "[" * 100_000, "drawing_unreadable"),
        ("DRAWN", "<svg onload=alert(1)>", "drawing_unreadable"),
        ("DRAWN", json.dumps([[[1, 1]] * 20_001]), "drawing_too_large"),
        ("DRAWN", json.dumps([[[1, 1]] * 5] * 301), "drawing_too_large"),
        ("DRAWN", " " * 1 + "1" * 2_000_001, "drawing_too_large"),
        ("STAMPED", "x", "kind_missing"),
        ("", "x", "kind_missing"),
    ],
)
def test_invalid_signature_is_refused_with_the_reason(kind: str, text: str, code: str) -> None:
    with pytest.raises(SignatureNotUsable) as refusal:
        clean_signature(kind, text)

    assert refusal.value.code == code


def test_points_from_the_pad_are_read() -> None:
    pad = [{"penColor": "black", "points": [{"x": 1.23, "y": 2, "pressure": 0.5, "time": 9}] * 6}]

    assert clean_signature("DRAWN", json.dumps(pad)) == json.dumps([[[1.2, 2.0]] * 6], separators=(",", ":"))


@given(strokes=STROKES)
def test_every_drawing_fits_inside_its_box(strokes: list[list[tuple[float, float]]]) -> None:
    drawing = drawing_of(clean_signature("DRAWN", json.dumps(strokes)))

    for stroke in drawing.strokes:
        for x, y in stroke:
            assert 0 <= x <= drawing.width
            assert 0 <= y <= drawing.height
    assert all(math.isfinite(side) and side > 0 for side in (drawing.width, drawing.height))


@given(strokes=STROKES)
def test_cleaning_a_signature_twice_changes_nothing(strokes: list[list[tuple[float, float]]]) -> None:
    kept = clean_signature("DRAWN", json.dumps(strokes))

    assert clean_signature("DRAWN", kept) == kept


@given(strokes=STROKES)
def test_picture_is_well_formed(strokes: list[list[tuple[float, float]]]) -> None:
    svg = drawing_of(clean_signature("DRAWN", json.dumps(strokes))).svg

    assert ElementTree.fromstring(svg).tag.endswith("svg")  # noqa: S314 - our own picture, made a line above
