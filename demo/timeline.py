"""The screenplay: what people do, on which simulated day and hour. The machine does everything else."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from core.clock import now
from core.dates import CHICAGO, Calendar, chicago_day, is_business_day
from demo.clock_control import Travel
from demo.narration import Journal
from demo.office import Office
from demo.people import Customer, Technician
from demo.profiles import ANA, CARMEN, CAST, DALE, MARCUS, NGOC, PRIYA, RUTH, WALTER, Character
from enrollments.models import Enrollment
from enrollments.states import EnrollmentStatus

OPENING_HOUR = time(9, 0)
LONGEST_STORY = timedelta(days=60)


@dataclass(frozen=True)
class Scene:
    """One thing that people do, so many days after the first and at that hour in Chicago."""

    day: int
    hour: time
    play: Callable[[], None]


class Story:
    def __init__(
        self,
        *,
        begin: datetime,
        office: Office,
        technician: Technician,
        customers: dict[Character, Customer],
        travel: Travel,
        journal: Journal,
    ) -> None:
        self._first_day = chicago_day(begin)
        self._office = office
        self._technician = technician
        self._customers = customers
        self._travel = travel
        self._journal = journal
        self._jobs: dict[Character, int] = {}
        self._pause_id = 0

    def tell(self) -> None:
        """Play every scene, then let time pass until nobody's case goes on by itself."""
        for scene in self._scenes():
            self._travel.go_to(self._moment(scene))
            scene.play()
            self._travel.settle()
        while _somebody_is_on_the_way():
            if chicago_day(now()) > self._first_day + LONGEST_STORY:
                return  # the check at the end says whose case is not where it must be
            self._travel.go_to(now() + timedelta(days=1))

    def _scenes(self) -> list[Scene]:
        return [
            Scene(0, time(9, 0), self._open_cases),
            Scene(0, time(10, 30), self._customers_sign),
            Scene(0, time(19, 0), self._most_finish_at_light),
            Scene(1, time(9, 0), self._install),
            Scene(2, time(14, 0), lambda: self._report_pto(PRIYA)),
            Scene(3, time(11, 0), lambda: self._report_pto(CARMEN)),
            Scene(3, time(15, 0), lambda: self._report_pto(WALTER)),
            Scene(4, time(10, 0), lambda: self._report_pto(MARCUS)),
            Scene(4, time(14, 0), self._pause_fixed),
            Scene(4, time(16, 0), lambda: self._report_pto(ANA)),
            Scene(5, time(9, 30), self._priya_finishes_at_light),
            Scene(5, time(18, 0), self._ana_revokes),
            Scene(6, time(9, 0), self._resume_fixed),
            Scene(6, time(11, 0), lambda: self._report_pto(DALE)),
            Scene(7, time(10, 0), lambda: self._report_pto(RUTH)),
            Scene(7, time(15, 0), self._commission_charger),
        ]

    # What happens in them

    def _open_cases(self) -> None:
        for character in CAST:
            self._jobs[character] = self._office.open_case(character)
            self._tell(character, "the office opens the case and sends the power of attorney")

    def _customers_sign(self) -> None:
        for character, customer in self._customers.items():
            customer.sign()
            self._tell(character, "reads, confirms and signs the power of attorney")

    def _most_finish_at_light(self) -> None:
        for character in CAST:
            if character is not PRIYA:
                self._finish_at_light(character)

    def _priya_finishes_at_light(self) -> None:
        self._finish_at_light(PRIYA)

    def _finish_at_light(self, character: Character) -> None:
        self._customers[character].finish_at_light()
        self._tell(character, "goes on at Light: address, identity with credit check, card")

    def _install(self) -> None:
        for job in self._jobs.values():
            self._office.note_installed(job, chicago_day(now()))
        self._journal.say("The office", "notes that the hardware is installed everywhere")

    def _report_pto(self, character: Character) -> None:
        self._report(character, on_site=False)
        self._tell(character, "the technician reports permission to operate, with a photo of the letter")

    def _commission_charger(self) -> None:
        self._report(NGOC, on_site=True)
        self._tell(NGOC, "the technician commissions the charger and reports it, with a photo")

    def _report(self, character: Character, *, on_site: bool) -> None:
        granted = chicago_day(now())
        reference = f"DG-{granted:%Y}-{1000 + self._jobs[character]}"
        self._technician.report(self._jobs[character], granted=granted, on_site=on_site, reference=reference)

    def _pause_fixed(self) -> None:
        self._pause_id = self._office.pause(ANA.promise, "The new prices of this product are being looked at.")
        self._journal.say("The office", f"pauses acceptances of “{ANA.promise}”: prices are being looked at")

    def _ana_revokes(self) -> None:
        self._customers[ANA].revoke()
        self._tell(ANA, "revokes the power of attorney on her page")

    def _resume_fixed(self) -> None:
        self._office.resume(self._pause_id)
        self._journal.say("The office", f"resumes acceptances of “{ANA.promise}”")

    def _tell(self, character: Character, what: str) -> None:
        self._journal.say(character.name, what)

    def _moment(self, scene: Scene) -> datetime:
        return moment_on(self._first_day + timedelta(days=scene.day), scene.hour)


def moment_on(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, tzinfo=CHICAGO).astimezone(UTC)


def first_morning(day: date) -> datetime:
    """The office opens at nine on the next business day, or on `day` itself if it is one."""
    while not is_business_day(day, Calendar.FEDERAL):
        day += timedelta(days=1)
    return moment_on(day, OPENING_HOUR)


def _somebody_is_on_the_way() -> bool:
    """Whether any case goes on by itself: neither at its end nor waiting for a person."""
    at_the_end = [EnrollmentStatus.ACTIVE, EnrollmentStatus.ENDED]
    return (
        Enrollment.objects.exclude(status__in=at_the_end)
        .exclude(holds__released_at__isnull=True, next_step="HOLD")
        .exists()
    )
