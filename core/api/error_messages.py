"""Names from the request that an error message repeats, limited in number and length."""

from collections.abc import Collection
from heapq import nsmallest

MAX_NAMES = 20
MAX_NAME_CHARACTERS = 100


def shorten_names(names: Collection[str]) -> list[str]:
    """Return the first names in sorted order, each cut to a maximum length."""
    return [name[:MAX_NAME_CHARACTERS] for name in nsmallest(MAX_NAMES, map(str, names))]
