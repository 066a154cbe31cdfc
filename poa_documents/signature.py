"""
A customer's signature: strokes drawn on the page, or a typed name. Both count the same.

Strokes arrive as points and we draw them. Uploaded pictures are not accepted.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidInput
from poa_documents.models import SignatureKind

MAX_STROKES = 300
MAX_POINTS = 20_000
MIN_POINTS = 5
MAX_COORDINATE = 10_000
MAX_TEXT_BYTES = 2_000_000
MAX_NAME_LENGTH = 250  # the longest name on file has 201, and the signer may add to it
MARGIN = 6.0

Point = tuple[float, float]


class SignatureNotUsable(InvalidInput):
    """The signature is empty or malformed. `code` is the key of the phrase to show."""

    def __init__(self, code: str) -> None:
        super().__init__(f"The signature cannot be used: {code.replace('_', ' ')}.")
        self.code = code


@dataclass(frozen=True)
class Drawing:
    """Strokes moved into a box that starts at 0, 0."""

    width: float
    height: float
    strokes: tuple[tuple[Point, ...], ...]

    @property
    def polylines(self) -> list[str]:
        return [" ".join(f"{x:g},{y:g}" for x, y in stroke) for stroke in self.strokes]

    @property
    def view_box(self) -> str:
        return f"0 0 {self.width:g} {self.height:g}"

    @property
    def svg(self) -> str:
        lines = "".join(f'<polyline points="{points}"/>' for points in self.polylines)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{self.view_box}" width="{self.width:g}" '
            f'height="{self.height:g}"><g fill="none" stroke="#000" stroke-width="2.5" stroke-linecap="round" '
            f'stroke-linejoin="round">{lines}</g></svg>'
        )


def clean_signature(kind: str, text: str) -> str:
    """
    Return a signature in the form in which it is stored.

    :raises SignatureNotUsable: with the code of the reason
    """
    if kind == SignatureKind.TYPED:
        name = " ".join(text.split())
        if not any(character.isalpha() for character in name):
            raise SignatureNotUsable("name_missing")
        if len(name) > MAX_NAME_LENGTH:
            raise SignatureNotUsable("name_too_long")
        return name
    if kind == SignatureKind.DRAWN:
        strokes = _read_strokes(text)
        return json.dumps([[list(point) for point in stroke] for stroke in strokes], separators=(",", ":"))
    raise SignatureNotUsable("kind_missing")


def drawing_of(kept: str) -> Drawing:
    """Return the drawing of a stored signature, moved into its own box."""
    strokes: list[list[list[float]]] = json.loads(kept)
    points = [point for stroke in strokes for point in stroke]
    left, top = min(x for x, _ in points), min(y for _, y in points)
    right, bottom = max(x for x, _ in points), max(y for _, y in points)
    return Drawing(
        width=round(right - left + 2 * MARGIN, 1),
        height=round(bottom - top + 2 * MARGIN, 1),
        strokes=tuple(
            tuple((round(x - left + MARGIN, 1), round(y - top + MARGIN, 1)) for x, y in _visible(stroke))
            for stroke in strokes
        ),
    )


def _visible(stroke: list[list[float]]) -> list[list[float]]:
    """Draw a single point as a very short line, because it would be invisible otherwise."""
    return stroke if len(stroke) > 1 else [stroke[0], [stroke[0][0] + 0.5, stroke[0][1]]]


def _read_strokes(text: str) -> list[list[Point]]:
    if not text.strip():
        raise SignatureNotUsable("drawing_missing")
    if len(text) > MAX_TEXT_BYTES:
        raise SignatureNotUsable("drawing_too_large")
    try:
        groups = json.loads(text)
        strokes = [_read_stroke(group) for group in _listed(groups)]
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        raise SignatureNotUsable("drawing_unreadable") from problem
    strokes = [stroke for stroke in strokes if stroke]
    count = sum(len(stroke) for stroke in strokes)
    if count < MIN_POINTS:
        raise SignatureNotUsable("drawing_missing")
    if len(strokes) > MAX_STROKES or count > MAX_POINTS:
        raise SignatureNotUsable("drawing_too_large")
    return strokes


def _read_stroke(group: Any) -> list[Point]:
    points = group["points"] if isinstance(group, dict) else group
    return [_read_point(point) for point in _listed(points)]


def _read_point(point: Any) -> Point:
    x, y = (point["x"], point["y"]) if isinstance(point, dict) else point
    return _read_coordinate(x), _read_coordinate(y)


def _read_coordinate(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("not a number")
    if abs(value) > MAX_COORDINATE:
        raise ValueError("outside the page")
    return round(float(value), 1)


def _listed(value: Any) -> Iterable[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value
