"""What a refusal repeats of what was sent: enough to find the mistake, and no more however much was sent."""

from collections.abc import Collection
from heapq import nsmallest

NAMES_SHOWN = 20
LONGEST_NAME_SHOWN = 100


def some_of(names: Collection[str]) -> list[str]:
    """Return the first of the names that someone sent, in their order and each cut to a length."""
    return [name[:LONGEST_NAME_SHOWN] for name in nsmallest(NAMES_SHOWN, map(str, names))]
