"""Tells the story while it happens: one line per event, with the simulated day and hour."""

import sys
import time
from collections.abc import Callable
from datetime import datetime

from core.clock import now
from core.dates import CHICAGO
from enrollments.decision.steps import Waiting
from enrollments.models import Enrollment, EnrollmentEvent

NAME_WIDTH = 20
SECONDS_OF_SILENCE = 3.0

WAITS_TOLD = frozenset(
    {Waiting.CREDIT_FROZEN, Waiting.PAUSED, Waiting.START_TOO_FAR, Waiting.EMBARGO, Waiting.GO_LIVE_CONFIRMATION}
)


class Journal:
    """Reads what the house wrote down since the last look and puts it into words."""

    def __init__(self) -> None:
        self._last_event_id = 0
        self._waits: dict[int, str] = {}
        self._last_line_at = time.monotonic()

    def say(self, who: str, what: str, *, at: datetime | None = None) -> None:
        moment = (at or now()).astimezone(CHICAGO)
        _write(f"{moment:%a %b %d  %H:%M}  {who:<{NAME_WIDTH}} {what}")
        self._last_line_at = time.monotonic()

    def note_quiet_day(self) -> None:
        """Show that time passes although nothing happens."""
        if time.monotonic() - self._last_line_at > SECONDS_OF_SILENCE:
            self.say("", "· nothing new; time goes on")

    def catch_up(self) -> None:
        """Tell every event that was written since the last look."""
        fresh = EnrollmentEvent.objects.filter(pk__gt=self._last_event_id).order_by("pk")
        for event in fresh.select_related("enrollment__customer", "enrollment__accepted_offer"):
            self._last_event_id = event.pk
            words = _in_words(event)
            if words:
                self.say(str(event.enrollment.customer), words, at=event.at)
        for enrollment in Enrollment.objects.select_related("customer").order_by("pk"):
            self._tell_wait(enrollment)

    def _tell_wait(self, enrollment: Enrollment) -> None:
        step = enrollment.next_step
        before, self._waits[enrollment.pk] = self._waits.get(enrollment.pk, ""), step
        if step != before and step in WAITS_TOLD:
            self.say(str(enrollment.customer), f"waits: {enrollment.because}")


def _in_words(event: EnrollmentEvent) -> str:
    words = _WORDS.get(event.name)
    return words(event) if words is not None else ""


def _accepted(event: EnrollmentEvent) -> str:
    enrollment = event.enrollment
    offer = enrollment.accepted_offer
    if offer is None or enrollment.service_start_date is None:
        return "has an accepted plan"
    return (
        f"plan accepted: {offer.name}, {offer.average_cents_per_kwh_1000:.2f} ¢/kWh, "
        f"from {enrollment.service_start_date:%a %b %d}"
    )


_WORDS: dict[str, Callable[[EnrollmentEvent], str]] = {
    "done_create_account": lambda _: "Light has an account",
    "done_record_client_agent": lambda _: "Light knows that we act for the customer",
    "done_request_plans": lambda event: f"Light's offer: {event.reason}",
    "lose_answer": lambda _: "the answer to the acceptance is lost; the account will tell",
    "call_off": lambda event: f"the acceptance did not happen: {event.reason}",
    "confirm": _accepted,
    "confirm_late": _accepted,
    "finalize": lambda _: "enrollment finalized at Light",
    "activate": lambda _: "service is active",
    "end": lambda event: event.reason,
    "close": lambda event: f"closed: {event.reason}",
    "hold": lambda event: f"HELD for a person. {event.reason}",
    "release_hold": lambda event: f"hold released: {event.reason}",
    "lift_hold": lambda event: f"hold lifted: {event.reason}",
}


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
