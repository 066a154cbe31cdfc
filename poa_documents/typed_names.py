"""Compares a typed name with the customer's, allowing for how people write their own names. Pure."""

import re

from core.accent_search import remove_accents

_SUFFIXES = frozenset(
    {"jr", "sr", "ii", "iii", "iv", "v", "esq", "md", "phd", "dds", "cpa", "hijo", "junior", "senior"}
)
_SILENT = re.compile(r"[.'\u2019\u02bc\u0060\u00b4]")
_BETWEEN = re.compile(r"[\W_]+")


def is_same_name(typed: str, on_file: str) -> bool:
    """Compare ignoring case, accents, initials, suffixes and punctuation. At least one name must be written in full."""
    one, other = _parts(typed), _parts(on_file)
    full = {part for part in one if len(part) > 1} & {part for part in other if len(part) > 1}
    has_full_names = any(len(part) > 1 for part in other)
    return bool(full or not has_full_names) and _align(one, other)


def _parts(name: str) -> list[str]:
    words = [word for word in _BETWEEN.split(_SILENT.sub("", remove_accents(name))) if word and not word.isdecimal()]
    without = [word for word in words if word not in _SUFFIXES]
    return without or words


def _align(one: list[str], other: list[str]) -> bool:
    """Compare the parts in order. An initial matches a name, or a name that the other side leaves out."""
    reached = {(0, 0)}
    for row in range(len(one) + 1):
        for column in range(len(other) + 1):
            if (row, column) not in reached:
                continue
            first = one[row] if row < len(one) else ""
            second = other[column] if column < len(other) else ""
            if len(first) == 1:
                reached.add((row + 1, column))
            if len(second) == 1:
                reached.add((row, column + 1))
            is_initial = 1 in {len(first), len(second)} and first[:1] == second[:1]
            if first and second and (first == second or is_initial):
                reached.add((row + 1, column + 1))
    return (len(one), len(other)) in reached
