"""One run of the demo: starts the processes, runs the timeline, and checks and prints the outcome."""

import random
import sys
import time
from datetime import date
from types import TracebackType
from typing import Self

from django.conf import settings

from core.clock import configured_clock, now
from core.dates import chicago_day
from demo import demo_data, outcome_checks
from demo.browser import ConnectionLost, UnexpectedPage
from demo.browser_actors import Customer, Technician, WaitTimeout
from demo.clock_control import ClockControl, NeverIdle
from demo.narration import Narrator
from demo.office import ApiRequestFailed, Office
from demo.processes import (
    DEFAULT_LIGHT_PORT,
    DEFAULT_SITE_PORT,
    CommandFailed,
    Ports,
    ProcessKiller,
    ServerNotStarted,
    Servers,
)
from demo.shared_clock import SharedClock
from demo.timeline import Timeline, first_office_morning
from simulator.control_client import SimulatorControl

FATAL_ERRORS = (
    CommandFailed,
    ConnectionLost,
    NeverIdle,
    UnexpectedPage,
    ServerNotStarted,
    WaitTimeout,
    ApiRequestFailed,
)
MAX_SEED = 10_000
POLL_SECONDS = 0.5


class DemoRun:
    """Leaving the `with` block stops every process that it started."""

    def __init__(self, *, dialect: str, first_day: date | None, kill_seed: int | None, ports: Ports) -> None:
        self._began = time.monotonic()
        self._dialect = dialect
        self._first_day = first_day
        self._servers = Servers(dialect=dialect, log_folder=settings.DATA_DIR, ports=ports)
        self._light = SimulatorControl(self._servers.light_url)
        self._technician = Technician(site_url=self._servers.site_url)
        self._customers = {
            profile: Customer(profile, mail_folder=settings.DATA_DIR / "mail", site_url=self._servers.site_url)
            for profile in demo_data.PROFILES
        }
        self._office: Office | None = None
        self._killer = None if kill_seed is None else ProcessKiller(self._servers.own, seed=kill_seed)
        self._kill_seed = kill_seed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._killer is not None:
            self._killer.stop()
        self._servers.stop()
        self._technician.close()
        if self._office is not None:
            self._office.close()
        for customer in self._customers.values():
            customer.close()
        self._light.close()

    def run_all(self) -> bool:
        """Run the demo and print the table. Return whether every case ended as expected."""
        self._start_servers()
        self._run_timeline()
        comparison = self._servers.run("reconcile", "--all")
        return self._show_outcome(comparison)

    def keep_running(self) -> None:
        """Keep the servers running until Ctrl-C, and print the URLs and sign-ins."""
        _say()
        _say(f"The servers keep running. Their clock says {now():%A, %B %d, %Y}. Press Ctrl-C to stop them.")
        _say(f"  office      {self._servers.site_url}/admin/   {demo_data.STAFF_NAME} / {demo_data.STAFF_PASSWORD}")
        technician = f"{demo_data.TECHNICIAN_NAME} / {demo_data.TECHNICIAN_PASSWORD}"
        _say(f"  technician  {self._servers.site_url}/field/   {technician}")
        _say(f"  customer    {self._customers[demo_data.CARMEN].link}   ({demo_data.CARMEN.name})")
        _say(f"  Light       {self._servers.light_url}/__sim__/state   (the stand-in's state)")
        _say(f"  files       {settings.DATA_DIR}   (database, signed documents, mail, logs)")
        while self._servers.is_running:
            time.sleep(POLL_SECONDS)
        _say(f"A server stopped unexpectedly. See the logs in {settings.DATA_DIR}.")

    def _start_servers(self) -> None:
        servers = self._servers
        _say(
            f"Starting the stand-in for Light ({self._dialect} dialect), {self._names()}; data in {settings.DATA_DIR} …"
        )
        servers.start()
        for default, taken in ((DEFAULT_SITE_PORT, servers.site_port), (DEFAULT_LIGHT_PORT, servers.light_port)):
            if taken != default:
                _say(f"Port {default} is not available, using {taken} instead.")
        _say(f"Ready after {self._seconds()} seconds: Switchyard at {servers.site_url}, Light at {servers.light_url}.")

    def _run_timeline(self) -> None:
        clock = configured_clock()
        if not isinstance(clock, SharedClock):
            raise TypeError("The demo needs the clock from config.settings.demo.")
        narrator = Narrator()
        clock_control = ClockControl(
            clock=clock, light=self._light, narrator=narrator, workers_may_die=self._killer is not None
        )
        begin = first_office_morning(self._first_day or chicago_day(clock.now()))
        clock_control.start_at(begin)
        demo_data.create_plan_promises()
        self._office = Office(site_url=self._servers.site_url, technician_id=demo_data.create_staff_accounts())
        self._office.sign_in()
        timeline = Timeline(
            begin=begin,
            office=self._office,
            technician=self._technician,
            customers=self._customers,
            clock_control=clock_control,
            narrator=narrator,
        )
        if self._killer is not None:
            _say(f"Killing {self._names()} at random times (seed {self._kill_seed}).")
            self._killer.start()
        timeline.run()
        if self._killer is not None:
            self._killer.stop()

    def _show_outcome(self, comparison: str) -> bool:
        acceptances = self._light.acceptances()
        rows = outcome_checks.outcomes(acceptances)
        _say()
        _show_table(rows)
        problems = [f"{row.profile.name} {problem}." for row in rows for problem in row.problems]
        problems += [
            f"Light has an acceptance for an account that is not ours: {one}."
            for one in outcome_checks.unknown_acceptances(acceptances)
        ]
        problems += [f"Light and our records differ: {one}." for one in outcome_checks.differences()]
        _say()
        _say(f"Reconciliation of all accounts: {comparison.strip()}")
        if self._killer is not None:
            _say(f"Processes were killed and restarted {self._killer.count} times.")
            if self._killer.problem is not None:
                problems.append(str(self._killer.problem))
        for problem in problems:
            _say(f"FAILED: {problem}")
        if not problems:
            _say(
                f"All {len(rows)} cases ended as expected, and Light has {len(acceptances)} acceptances. "
                f"Total time: {self._seconds()} seconds."
            )
        return not problems

    def _names(self) -> str:
        return ", ".join(part.name for part in self._servers.own)

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._began:.1f}"


def new_seed() -> int:
    return random.SystemRandom().randrange(MAX_SEED)


def _show_table(rows: list[outcome_checks.Outcome]) -> None:
    heads = ("customer", "what happened", "plan", "1,000 kWh", "start", "status")
    cells = [(row.profile.name, row.profile.summary, row.plan, row.price, row.start, row.status) for row in rows]
    widths = [max(len(line[column]) for line in (heads, *cells)) for column in range(len(heads))]
    for line in (heads, tuple("-" * width for width in widths), *cells):
        _say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
