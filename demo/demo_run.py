"""Puts the story on: starts the processes, hires the people, tells the story, shows the table, judges it."""

import random
import sys
import time
from datetime import date
from types import TracebackType
from typing import Self

from django.conf import settings

from core.clock import configured_clock, now
from core.dates import chicago_day
from demo import outcome_checks, profiles
from demo.browser import ConnectionLost, PageNotAsExpected
from demo.clock_control import NeverQuiet, Travel
from demo.narration import Journal
from demo.office import Office, RequestRefused
from demo.people import Customer, PatienceLost, Technician
from demo.processes import (
    USUAL_LIGHT_PORT,
    USUAL_SITE_PORT,
    CommandFailed,
    House,
    Killer,
    PartDidNotStart,
    Ports,
)
from demo.shared_clock import TimeMachine
from demo.timeline import Story, first_morning
from simulator.control_client import SimulatorControl

WHAT_STOPS_A_STORY = (
    CommandFailed,
    ConnectionLost,
    NeverQuiet,
    PageNotAsExpected,
    PartDidNotStart,
    PatienceLost,
    RequestRefused,
)
LARGEST_SEED = 10_000
SECONDS_BETWEEN_LOOKS = 0.5


class Production:
    """One run of the demo. Leaving its `with` block stops every process that it started."""

    def __init__(self, *, dialect: str, first_day: date | None, kill_seed: int | None, ports: Ports) -> None:
        self._began = time.monotonic()
        self._dialect = dialect
        self._first_day = first_day
        self._house = House(dialect=dialect, log_folder=settings.DATA_DIR, ports=ports)
        self._light = SimulatorControl(self._house.light_url)
        self._technician = Technician(site_url=self._house.site_url)
        self._customers = {
            character: Customer(character, mail_folder=settings.DATA_DIR / "mail", site_url=self._house.site_url)
            for character in profiles.CAST
        }
        self._office: Office | None = None
        self._killer = None if kill_seed is None else Killer(self._house.ours, seed=kill_seed)
        self._kill_seed = kill_seed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._killer is not None:
            self._killer.stop()
        self._house.stop()
        self._technician.close()
        if self._office is not None:
            self._office.close()
        for customer in self._customers.values():
            customer.close()
        self._light.close()

    def perform(self) -> bool:
        """Tell the whole story and show the table; whether each customer's story ended as it must."""
        self._raise_curtain()
        self._tell_story()
        comparison = self._house.run("reconcile", "--all")
        return self._show_outcome(comparison)

    def stay(self) -> None:
        """Leave the servers up until Ctrl-C, and say how to look around."""
        _say()
        _say(f"The servers stay up, and it is {now():%A, %B %d, %Y} in there. Ctrl-C stops them.")
        _say(f"  office      {self._house.site_url}/admin/   {profiles.STAFF_NAME} / {profiles.STAFF_PASSWORD}")
        _say(
            f"  technician  {self._house.site_url}/field/   {profiles.TECHNICIAN_NAME} / {profiles.TECHNICIAN_PASSWORD}"
        )
        _say(f"  customer    {self._customers[profiles.CARMEN].link}   ({profiles.CARMEN.name})")
        _say(f"  Light       {self._house.light_url}/__sim__/state   (the stand-in's own view)")
        _say(f"  files       {settings.DATA_DIR}   (database, signed documents, mail, logs)")
        while self._house.is_running:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        _say(f"A server ended by itself; the logs in {settings.DATA_DIR} say why.")

    def _raise_curtain(self) -> None:
        house = self._house
        _say(
            f"Starting the stand-in for Light ({self._dialect} dialect), {self._names()}; data in {settings.DATA_DIR} …"
        )
        house.start()
        for usual, taken in ((USUAL_SITE_PORT, house.site_port), (USUAL_LIGHT_PORT, house.light_port)):
            if taken != usual:
                _say(f"Port {usual} is not used: {taken} takes its place.")
        _say(f"Ready after {self._seconds()} seconds: Switchyard at {house.site_url}, Light at {house.light_url}.")

    def _tell_story(self) -> None:
        machine = configured_clock()
        if not isinstance(machine, TimeMachine):
            raise TypeError("The demo needs the clock of config.settings.demo.")
        journal = Journal()
        travel = Travel(machine=machine, light=self._light, journal=journal, workers_may_die=self._killer is not None)
        begin = first_morning(self._first_day or chicago_day(machine.now()))
        travel.begin_at(begin)
        profiles.stock_shelves()
        self._office = Office(site_url=self._house.site_url, technician_id=profiles.hire_crew().technician_id)
        self._office.sign_in()
        story = Story(
            begin=begin,
            office=self._office,
            technician=self._technician,
            customers=self._customers,
            travel=travel,
            journal=journal,
        )
        if self._killer is not None:
            _say(f"Signal 9 will hit one of {self._names()} at a time, again and again (seed {self._kill_seed}).")
            self._killer.start()
        story.tell()
        if self._killer is not None:
            self._killer.stop()

    def _show_outcome(self, comparison: str) -> bool:
        acceptances = self._light.acceptances()
        rows = outcome_checks.outcomes(acceptances)
        _say()
        _show_table(rows)
        problems = [f"{row.character.name} {problem}." for row in rows for problem in row.problems]
        problems += [
            f"Light holds an acceptance of an account that is not ours: {one}."
            for one in outcome_checks.strangers_among(acceptances)
        ]
        problems += [f"Light and our records differ: {one}." for one in outcome_checks.differences()]
        _say()
        _say(f"Every account compared with Light: {comparison.strip()}")
        if self._killer is not None:
            _say(f"Parts were killed {self._killer.count} times and started again.")
            if self._killer.problem is not None:
                problems.append(str(self._killer.problem))
        for problem in problems:
            _say(f"NOT AS IT MUST BE: {problem}")
        if not problems:
            _say(
                f"Each of the {len(rows)} stories ended as it must, and Light's own list has {len(acceptances)} "
                f"acceptances. {self._seconds()} seconds in all."
            )
        return not problems

    def _names(self) -> str:
        return ", ".join(part.name for part in self._house.ours)

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._began:.1f}"


def new_seed() -> int:
    return random.SystemRandom().randrange(LARGEST_SEED)


def _show_table(rows: list[outcome_checks.Outcome]) -> None:
    heads = ("customer", "what happened", "plan", "1,000 kWh", "start", "status")
    cells = [(row.character.name, row.character.plot, row.plan, row.price, row.start, row.status) for row in rows]
    widths = [max(len(line[column]) for line in (heads, *cells)) for column in range(len(heads))]
    for line in (heads, tuple("-" * width for width in widths), *cells):
        _say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
