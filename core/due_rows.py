"""
Rows that wait for work in a `due_at` column: found when due, claimed for a while, and delayed longer on each failure.

A queued task is only a hint. A claim moves `due_at` on by a lease, so a row whose worker died is found again.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet


@dataclass(frozen=True)
class Backoff:
    """Pauses that double from `first` to `longest`. After `max_failures` a person must ask for another try."""

    first: timedelta
    longest: timedelta
    max_failures: int | None = None

    def pause_after(self, failures: int) -> timedelta:
        """Return the pause after that many failures in a row, without jitter."""
        doubled: timedelta = self.first * 2 ** min(max(failures - 1, 0), 20)
        return min(doubled, self.longest)

    def next_time(self, failures: int, *, at: datetime) -> datetime | None:
        """Return when to try again, spread by up to a quarter of the pause, or None after too many failures."""
        if self.max_failures is not None and failures >= self.max_failures:
            return None
        return at + spread(self.pause_after(failures))


def spread(pause: timedelta) -> timedelta:
    """Return the pause or up to a quarter more, so that rows that failed together are not tried together."""
    return pause * random.uniform(1.0, 1.25)  # noqa: S311 - spreads work, keeps no secret


def due_ids(rows: QuerySet[Any], *, at: datetime, limit: int) -> list[int]:
    """Return the primary keys of rows that are due, longest waiting first."""
    return list(rows.filter(due_at__lte=at).order_by("due_at", "pk").values_list("pk", flat=True)[:limit])


def claim(rows: QuerySet[Any], *, at: datetime, lease: timedelta) -> bool:
    """Claim a due row for the lease and count the attempt. False if it is not due or another worker has it."""
    return bool(rows.filter(due_at__lte=at).update(due_at=at + lease, attempts=F("attempts") + 1))
