"""
Which worker has an enrollment: claiming it, renewing the lease, and releasing it.

A claim is one conditional update, the same on PostgreSQL and SQLite. A live worker renews its leases. An expired lease
therefore means a dead worker, and any call it had started is in doubt.
"""

import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from core import clock_drift
from core.clock import Clock
from core.dates import chicago_day
from enrollments.actions.writes import abandon_open_writes
from enrollments.models import Enrollment
from enrollments.states import EnrollmentStatus

logger = logging.getLogger(__name__)

HEARTBEATS_IN_A_LEASE = 5


def most_urgent(*, at: datetime, limit: int) -> list[int]:
    """
    Return enrollments that are due and unclaimed, and those whose worker died, most urgent first.

    Order: writes in doubt, plans to accept by tomorrow, accepted but not finalized, customers waiting for an account,
    other open cases, finished cases. Within each group, the longest waiting comes first.
    """
    tomorrow = chicago_day(at) + timedelta(days=1)
    before_acceptance = Q(status=EnrollmentStatus.OPEN)
    urgency = Case(
        When(status__in=[EnrollmentStatus.IN_DOUBT, EnrollmentStatus.ACCEPTING], then=0),
        When(before_acceptance & Q(act_by_date__lte=tomorrow), then=1),
        When(status=EnrollmentStatus.ACCEPTED, then=2),
        When(before_acceptance & Q(light_account_uuid__isnull=True), then=3),
        When(before_acceptance, then=4),
        default=5,
    )
    return list(_due(at).order_by(urgency, "due_at", "pk").values_list("pk", flat=True)[:limit])


def _due(at: datetime) -> QuerySet[Enrollment]:
    free = Q(lease_until__isnull=True)
    return Enrollment.objects.filter(Q(due_at__lte=at) & free | Q(lease_until__lte=at))


def _lease() -> timedelta:
    return timedelta(seconds=settings.LEASE_SECONDS)


def claim(enrollment_id: int, *, at: datetime) -> str | None:
    """
    Claim an enrollment that is due, or whose worker died, and return the ID of the turn, or None.

    Its due time is cleared. One that is set when the enrollment is released was set by a nudge during the turn.
    """
    turn = str(uuid.uuid4())
    taken = {"leased_by": turn, "lease_until": at + _lease(), "due_at": None}
    ours = Enrollment.objects.filter(pk=enrollment_id)
    if ours.filter(due_at__lte=at, lease_until__isnull=True).update(**taken):
        return turn
    if ours.filter(lease_until__lte=at).update(**taken):
        abandon(enrollment_id, at=at)
        return turn
    return None


def abandon(enrollment_id: int, *, at: datetime) -> None:
    """Mark what a dead or failed worker left open as in doubt. If that fails, it is lost once a call times out."""
    try:
        abandon_open_writes(enrollment_id, at=at)
    except Exception:
        logger.exception("The open writes of enrollment %s could not be marked as in doubt.", enrollment_id)


def release(turn: str, *, due_at: datetime | None, shown: dict[str, Any] | None = None) -> None:
    """Release an enrollment, unless another worker claimed it because this turn seemed dead."""
    nudged_or_due = F("due_at") if due_at is None else Coalesce("due_at", Value(due_at))
    Enrollment.objects.filter(leased_by=turn).update(
        **(shown or {}), due_at=nudged_or_due, leased_by="", lease_until=None
    )


def take_over(*, at: datetime) -> int:
    """
    End the leases of all earlier workers, and return how many there were.

    Only for the start of the one-process mode, where no other worker can be alive. Otherwise leases expire.
    """
    return Enrollment.objects.filter(lease_until__isnull=False).update(lease_until=at)


class LeaseKeeper:
    """Renews the leases of this process's turns from a separate thread, as long as the process lives."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turns: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def __call__(self, turn: str) -> Iterator[None]:
        """Renew the lease of `turn` for the duration of a `with` block."""
        with self._lock:
            self._turns.add(turn)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._beat, name="lease-keeper", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._turns.discard(turn)

    def _beat(self) -> None:
        """Renew leases while there are turns. The next turn starts a new thread."""
        pause = threading.Event()
        while True:
            pause.wait(settings.LEASE_SECONDS / HEARTBEATS_IN_A_LEASE)
            with self._lock:
                turns = list(self._turns)
                if not turns:
                    self._thread = None
                    break
            self._renew(turns)
        connection.close()

    def _renew(self, turns: list[str]) -> None:
        try:
            close_old_connections()
            clock_drift.compare_with_database()
            Enrollment.objects.filter(leased_by__in=turns).update(lease_until=self._clock.now() + _lease())
        except DatabaseError:
            logger.warning("The leases of %s turns could not be renewed.", len(turns), exc_info=True)
