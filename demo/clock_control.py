"""
Lets weeks pass: waits until Switchyard is idle, then advances both clocks, by at most a day at a time.

The stand-in's clock is advanced first, so that Light's day is never behind ours.
"""

import time
from datetime import datetime, timedelta

from django.db.models import Q

from core.models import CaseChange
from demo.narration import Narrator
from demo.shared_clock import SharedClock
from enrollments.models import Enrollment, WebhookDelivery
from enrollments.states import UNSETTLED_WRITE_STATUSES
from poa_documents.models import CustomerMail, PoaDocument
from simulator.control_client import SimulatorControl

MAX_STEP = timedelta(days=1)
WEBHOOK_DELAY_SECONDS = 0.2
"""Delays webhooks, so that those caused by a step arrive after both clocks have moved."""

SOON = timedelta(seconds=2)
POLL_SECONDS = 0.1
MAX_IDLE_WAIT_SECONDS = 90.0
MAX_LEASE_WAIT_SECONDS = 5.0
"""A live worker rarely holds an enrollment for this long, because the stand-in answers in milliseconds."""


class NeverIdle(Exception):
    """Due work is not getting done. The text lists it."""


class ClockControl:
    def __init__(
        self, *, clock: SharedClock, light: SimulatorControl, narrator: Narrator, workers_may_die: bool
    ) -> None:
        self._clock = clock
        self._light = light
        self._narrator = narrator
        self._workers_may_die = workers_may_die

    def start_at(self, at: datetime) -> None:
        self._light.set_now(at)
        self._clock.start_at(self._light.now())
        self._light.switch_webhooks(delay_seconds=WEBHOOK_DELAY_SECONDS)

    def advance_to(self, target: datetime) -> None:
        """Advance to `target` in steps, and let everything due on the way happen."""
        self.wait_until_idle()
        while self._clock.now() < target:
            self._advance(min(target, self._next_stop()))
            self.wait_until_idle()
            self._narrator.note_quiet_day()

    def wait_until_idle(self) -> None:
        """
        Wait until nothing is due and no worker is busy.

        :raises NeverIdle: that takes too long
        """
        began = time.monotonic()
        while busy := self._pending_work():
            waited = time.monotonic() - began
            self._narrator.report_events()
            if waited > MAX_IDLE_WAIT_SECONDS:
                raise NeverIdle(f"After {waited:.0f} seconds there is still pending work: {'; '.join(busy)}.")
            if self._workers_may_die and waited > MAX_LEASE_WAIT_SECONDS:
                self._expire_leases()
            time.sleep(POLL_SECONDS)
        self._narrator.report_events()

    def _advance(self, at: datetime) -> None:
        self._light.set_now(max(at, self._light.now()))
        self._clock.move_to(max(self._light.now(), self._clock.now()))

    def _next_stop(self) -> datetime:
        """Return the next day, or an earlier time if something is retried before: a lost answer or a failed call."""
        at = self._clock.now()
        restless = Enrollment.objects.filter(due_at__gt=at).filter(
            Q(writes__status__in=UNSETTLED_WRITE_STATUSES) | Q(calls_not_before__gt=at) | Q(failures__gt=0)
        )
        soonest = restless.order_by("due_at").values_list("due_at", flat=True).first()
        stops = [at + MAX_STEP, *([soonest] if soonest else [])]
        return min(stops) + timedelta(milliseconds=1)

    def _pending_work(self) -> list[str]:
        at = self._clock.now()
        due = Enrollment.objects.filter(due_at__lte=at).count()
        leased = Enrollment.objects.filter(lease_until__isnull=False).count()
        counts = {
            "enrollments due": due,
            "enrollments being processed": leased,
            "case changes to process": CaseChange.objects.count(),
            "powers of attorney due": PoaDocument.objects.filter(due_at__lte=at).count(),
            "mails due": CustomerMail.objects.due(at).count(),
            "webhooks to process": WebhookDelivery.objects.filter(settled_at=None, due_at__lte=at).count(),
        }
        if not any(counts.values()):  # the stand-in is slow to ask, so it comes last
            counts["webhooks on their way"] = self._pending_webhooks(at)
        return [f"{count} {name}" for name, count in counts.items() if count]

    def _pending_webhooks(self, at: datetime) -> int:
        shown = self._light.webhooks()
        due = (datetime.fromisoformat(each["due_at"]) for each in shown["deliveries"] if each["due_at"])
        return max(sum(moment <= at + SOON for moment in due), int(shown["pending"]))

    def _expire_leases(self) -> None:
        """Advance the clock until the leases of killed workers expire."""
        leases = Enrollment.objects.filter(lease_until__gt=self._clock.now()).order_by("-lease_until")
        last_end = leases.values_list("lease_until", flat=True).first()
        if last_end is not None:
            self._advance(last_end + timedelta(milliseconds=1))
