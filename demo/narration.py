"""Prints one line per event, with the simulated day and hour."""

import sys
import time
from collections.abc import Callable
from datetime import datetime

from core.clock import now
from core.dates import CHICAGO
from enrollments.decision.steps import Waiting
from enrollments.models import Enrollment, EnrollmentEvent

NAME_WIDTH = 20
QUIET_SECONDS = 3.0

REPORTED_WAITS = frozenset(
    {Waiting.CREDIT_FROZEN, Waiting.PAUSED, Waiting.START_TOO_FAR, Waiting.EMBARGO, Waiting.GO_LIVE_CONFIRMATION}
)


class Narrator:
    def __init__(self) -> None:
        self._last_event_id = 0
        self._waits: dict[int, str] = {}
        self._last_line_at = time.monotonic()

    def say(self, who: str, what: str, *, at: datetime | None = None) -> None:
        moment = (at or now()).astimezone(CHICAGO)
        _write(f"{moment:%a %b %d  %H:%M}  {who:<{NAME_WIDTH}} {what}")
        self._last_line_at = time.monotonic()

    def note_quiet_day(self) -> None:
        """Show that time passes even if nothing happens."""
        if time.monotonic() - self._last_line_at > QUIET_SECONDS:
            self.say("", "· nothing new")

    def report_events(self) -> None:
        """Print the events recorded since the last call."""
        fresh = EnrollmentEvent.objects.filter(pk__gt=self._last_event_id).order_by("pk")
        for event in fresh.select_related("enrollment__customer", "enrollment__accepted_offer"):
            self._last_event_id = event.pk
            description = _describe(event)
            if description:
                self.say(str(event.enrollment.customer), description, at=event.at)
        for enrollment in Enrollment.objects.select_related("customer").order_by("pk"):
            self._report_wait(enrollment)

    def _report_wait(self, enrollment: Enrollment) -> None:
        step = enrollment.next_step
        before, self._waits[enrollment.pk] = self._waits.get(enrollment.pk, ""), step
        if step != before and step in REPORTED_WAITS:
            self.say(str(enrollment.customer), f"waits: {enrollment.because}")


def _describe(event: EnrollmentEvent) -> str:
    description = _DESCRIPTIONS.get(event.name)
    return description(event) if description is not None else ""


def _accepted(event: EnrollmentEvent) -> str:
    enrollment = event.enrollment
    offer = enrollment.accepted_offer
    if offer is None or enrollment.service_start_date is None:
        return "has an accepted plan"
    return (
        f"plan accepted: {offer.name}, {offer.average_cents_per_kwh_1000:.2f} ¢/kWh, "
        f"from {enrollment.service_start_date:%a %b %d}"
    )


_DESCRIPTIONS: dict[str, Callable[[EnrollmentEvent], str]] = {
    "done_create_account": lambda _: "Light has an account",
    "done_record_client_agent": lambda _: "Light has recorded that we act for the customer",
    "done_request_plans": lambda event: f"Light's offer: {event.reason}",
    "mark_in_doubt": lambda _: "the answer to the acceptance is lost; reading the account will show the outcome",
    "mark_not_accepted": lambda event: f"the acceptance did not happen: {event.reason}",
    "confirm": _accepted,
    "confirm_late": _accepted,
    "finalize": lambda _: "enrollment finalized at Light",
    "activate": lambda _: "service is active",
    "end": lambda event: event.reason,
    "close": lambda event: f"closed: {event.reason}",
    "hold": lambda event: f"ON HOLD. {event.reason}",
    "release_hold": lambda event: f"hold released: {event.reason}",
    "lift_hold": lambda event: f"hold lifted: {event.reason}",
}


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
