"""What people do in the demo, by simulated day and hour. Switchyard does everything else."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from core.clock import now
from core.dates import CHICAGO, Calendar, chicago_day, is_business_day
from demo.browser_actors import Customer, Technician
from demo.clock_control import ClockControl
from demo.demo_data import ANA, CARMEN, DALE, MARCUS, NGOC, PRIYA, PROFILES, RUTH, WALTER, CustomerProfile
from demo.narration import Narrator
from demo.office import Office
from enrollments.models import Enrollment
from enrollments.states import EnrollmentStatus

OPENING_HOUR = time(9, 0)
MAX_DURATION = timedelta(days=60)


@dataclass(frozen=True)
class TimedAction:
    """An action of people, `day` days after the first day, at that hour in Chicago."""

    day: int
    hour: time
    run: Callable[[], None]


class Timeline:
    def __init__(
        self,
        *,
        begin: datetime,
        office: Office,
        technician: Technician,
        customers: dict[CustomerProfile, Customer],
        clock_control: ClockControl,
        narrator: Narrator,
    ) -> None:
        self._first_day = chicago_day(begin)
        self._office = office
        self._technician = technician
        self._customers = customers
        self._clock_control = clock_control
        self._narrator = narrator
        self._installation_ids: dict[CustomerProfile, str] = {}
        self._pause_id = ""

    def run(self) -> None:
        """Run every action, then let time pass until no case moves on its own."""
        for action in self._actions():
            self._clock_control.advance_to(self._moment(action))
            action.run()
            self._clock_control.wait_until_idle()
        while _has_moving_cases():
            if chicago_day(now()) > self._first_day + MAX_DURATION:
                return  # the outcome checks report the unfinished cases
            self._clock_control.advance_to(now() + timedelta(days=1))

    def _actions(self) -> list[TimedAction]:
        return [
            TimedAction(0, time(9, 0), self._open_cases),
            TimedAction(0, time(10, 30), self._customers_sign),
            TimedAction(0, time(19, 0), self._most_finish_at_light),
            TimedAction(1, time(9, 0), self._install),
            TimedAction(2, time(14, 0), lambda: self._report_pto(PRIYA)),
            TimedAction(3, time(11, 0), lambda: self._report_pto(CARMEN)),
            TimedAction(3, time(15, 0), lambda: self._report_pto(WALTER)),
            TimedAction(4, time(10, 0), lambda: self._report_pto(MARCUS)),
            TimedAction(4, time(14, 0), self._pause_fixed),
            TimedAction(4, time(16, 0), lambda: self._report_pto(ANA)),
            TimedAction(5, time(9, 30), self._priya_finishes_at_light),
            TimedAction(5, time(18, 0), self._ana_revokes),
            TimedAction(6, time(9, 0), self._resume_fixed),
            TimedAction(6, time(11, 0), lambda: self._report_pto(DALE)),
            TimedAction(7, time(10, 0), lambda: self._report_pto(RUTH)),
            TimedAction(7, time(15, 0), self._commission_charger),
        ]

    def _open_cases(self) -> None:
        for profile in PROFILES:
            self._installation_ids[profile] = self._office.open_case(profile)
            self._say(profile, "the office opens the case and sends the power of attorney")

    def _customers_sign(self) -> None:
        for profile, customer in self._customers.items():
            customer.sign()
            self._say(profile, "reads, confirms and signs the power of attorney")

    def _most_finish_at_light(self) -> None:
        for profile in PROFILES:
            if profile is not PRIYA:
                self._finish_at_light(profile)

    def _priya_finishes_at_light(self) -> None:
        self._finish_at_light(PRIYA)

    def _finish_at_light(self, profile: CustomerProfile) -> None:
        self._customers[profile].finish_at_light()
        self._say(profile, "continues at Light: address, identity with credit check, card")

    def _install(self) -> None:
        for job in self._installation_ids.values():
            self._office.record_installed(job, chicago_day(now()))
        self._narrator.say("The office", "records that all hardware is installed")

    def _report_pto(self, profile: CustomerProfile) -> None:
        self._report(profile, on_site=False)
        self._say(profile, "the technician reports permission to operate, with a photo of the letter")

    def _commission_charger(self) -> None:
        self._report(NGOC, on_site=True)
        self._say(NGOC, "the technician commissions the charger and reports it, with a photo")

    def _report(self, profile: CustomerProfile, *, on_site: bool) -> None:
        granted = chicago_day(now())
        reference = f"DG-{granted:%Y}-{1001 + list(self._installation_ids).index(profile)}"
        self._technician.report(self._installation_ids[profile], granted=granted, on_site=on_site, reference=reference)

    def _pause_fixed(self) -> None:
        self._pause_id = self._office.pause(ANA.promise, "The new prices of this product are under review.")
        self._narrator.say("The office", f"pauses acceptances of “{ANA.promise}” while prices are under review")

    def _ana_revokes(self) -> None:
        self._customers[ANA].revoke()
        self._say(ANA, "revokes the power of attorney on her page")

    def _resume_fixed(self) -> None:
        self._office.resume(self._pause_id)
        self._narrator.say("The office", f"resumes acceptances of “{ANA.promise}”")

    def _say(self, profile: CustomerProfile, what: str) -> None:
        self._narrator.say(profile.name, what)

    def _moment(self, action: TimedAction) -> datetime:
        return moment_on(self._first_day + timedelta(days=action.day), action.hour)


def moment_on(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, tzinfo=CHICAGO).astimezone(UTC)


def first_office_morning(day: date) -> datetime:
    """Return nine o'clock on the first business day from `day` on."""
    while not is_business_day(day, Calendar.FEDERAL):
        day += timedelta(days=1)
    return moment_on(day, OPENING_HOUR)


def _has_moving_cases() -> bool:
    """Whether any case is neither finished nor held for a person."""
    at_the_end = [EnrollmentStatus.ACTIVE, EnrollmentStatus.ENDED]
    return (
        Enrollment.objects.exclude(status__in=at_the_end)
        .exclude(holds__released_at__isnull=True, next_step="HOLD")
        .exists()
    )
