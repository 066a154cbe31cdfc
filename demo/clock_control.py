"""
Letting weeks pass: wait until the house is quiet, then move both clocks on, a day at most at a time.

The stand-in for Light goes first, so that Light's day is never behind ours when a call is made.
"""

import time
from datetime import datetime, timedelta

from django.db.models import Q

from core.models import CaseChange
from demo.narration import Journal
from demo.shared_clock import TimeMachine
from enrollments.models import Enrollment, WebhookDelivery
from enrollments.states import UNSETTLED_WRITE_STATUSES
from poa_documents.models import CustomerMail, PoaDocument
from simulator.control_client import SimulatorControl

LONGEST_JUMP = timedelta(days=1)
WEBHOOK_DELAY_SECONDS = 0.2
"""Events wait that long, so that those that a jump brings arrive when both clocks have moved."""

SOON = timedelta(seconds=2)
SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_TO_GET_QUIET = 90.0
SECONDS_TO_GIVE_A_LEASE_UP = 5.0
"""Hardly a worker that lives holds an enrollment for so long: the stand-in answers in milliseconds."""


class NeverQuiet(Exception):
    """Work that is due is not done. The text lists what."""


class Travel:
    def __init__(
        self, *, machine: TimeMachine, light: SimulatorControl, journal: Journal, workers_may_die: bool
    ) -> None:
        self._machine = machine
        self._light = light
        self._journal = journal
        self._workers_may_die = workers_may_die

    def begin_at(self, at: datetime) -> None:
        self._light.set_now(at)
        self._machine.begin_at(self._light.now())
        self._light.switch_webhooks(delay_seconds=WEBHOOK_DELAY_SECONDS)

    def go_to(self, target: datetime) -> None:
        """Let time pass until `target`, and all that falls due on the way happen."""
        self.settle()
        while self._machine.now() < target:
            self._jump(min(target, self._next_stop()))
            self.settle()
            self._journal.note_quiet_day()

    def settle(self) -> None:
        """
        Wait until nothing is due and nobody is at work.

        :raises NeverQuiet: it does not come to that
        """
        began = time.monotonic()
        while busy := self._busy_with():
            waited = time.monotonic() - began
            self._journal.catch_up()
            if waited > SECONDS_TO_GET_QUIET:
                raise NeverQuiet(f"After {waited:.0f} seconds there is still work: {'; '.join(busy)}.")
            if self._workers_may_die and waited > SECONDS_TO_GIVE_A_LEASE_UP:
                self._outlive_leases()
            time.sleep(SECONDS_BETWEEN_LOOKS)
        self._journal.catch_up()

    def _jump(self, at: datetime) -> None:
        self._light.set_now(max(at, self._light.now()))
        self._machine.move_to(max(self._light.now(), self._machine.now()))

    def _next_stop(self) -> datetime:
        """A day on, or sooner where something is tried again soon: a lost answer, a call that did not get through."""
        at = self._machine.now()
        restless = Enrollment.objects.filter(due_at__gt=at).filter(
            Q(writes__status__in=UNSETTLED_WRITE_STATUSES) | Q(calls_not_before__gt=at) | Q(failures__gt=0)
        )
        soonest = restless.order_by("due_at").values_list("due_at", flat=True).first()
        stops = [at + LONGEST_JUMP, *([soonest] if soonest else [])]
        return min(stops) + timedelta(milliseconds=1)

    def _busy_with(self) -> list[str]:
        at = self._machine.now()
        due = Enrollment.objects.filter(due_at__lte=at).count()
        leased = Enrollment.objects.filter(lease_until__isnull=False).count()
        counts = {
            "enrollments due": due,
            "enrollments in a worker's hands": leased,
            "changed cases to look at": CaseChange.objects.count(),
            "powers of attorney due": PoaDocument.objects.filter(due_at__lte=at).count(),
            "mails due": CustomerMail.objects.due(at).count(),
            "webhooks to work off": WebhookDelivery.objects.filter(settled_at=None, due_at__lte=at).count(),
        }
        if not any(counts.values()):  # the stand-in is asked last: it answers to everybody
            counts["webhooks on their way"] = self._webhooks_under_way(at)
        return [f"{count} {name}" for name, count in counts.items() if count]

    def _webhooks_under_way(self, at: datetime) -> int:
        shown = self._light.webhooks()
        due = (datetime.fromisoformat(each["due_at"]) for each in shown["deliveries"] if each["due_at"])
        return max(sum(moment <= at + SOON for moment in due), int(shown["pending"]))

    def _outlive_leases(self) -> None:
        """Let so much time pass that the leases of killed workers run out, as it would in the end by itself."""
        leases = Enrollment.objects.filter(lease_until__gt=self._machine.now()).order_by("-lease_until")
        last_end = leases.values_list("lease_until", flat=True).first()
        if last_end is not None:
            self._jump(last_end + timedelta(milliseconds=1))
