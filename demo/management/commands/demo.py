"""`manage.py demo`, called by `make demo`."""

import shutil
import signal
import sys
from argparse import ArgumentTypeError
from datetime import date
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.local_secrets import SEAL_KEY, SECRETS

SETTINGS = "config.settings.demo"
MARKER_FILE = "made-by-the-demo"
KEPT_FILES = frozenset({SECRETS, SEAL_KEY})
EXIT_INTERRUPTED = 130
"""The shell's exit code for a program stopped by Ctrl-C."""


class Command(BaseCommand):
    help = "Tell the main job, from sale to active electricity, for several customers; then leave the servers up."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--exit", action="store_true", help="stop after the table; exit code 0 means success")
        parser.add_argument("--dialect", default="", help="dialect of the stand-in: reference or alternate")
        parser.add_argument("--kill", default="", help="kill processes at random times, given by this seed or 'random'")
        parser.add_argument("--begin", default="", help="first simulated day, YYYY-MM-DD (default: today)")
        parser.add_argument("--any-ports", action="store_true", help="use any free ports, not 8000 and 8001")
        parser.add_argument("--site-port", type=port_number, default=0, help="port for Switchyard")
        parser.add_argument("--light-port", type=port_number, default=0, help="port for the stand-in for Light")

    def handle(self, *_args: object, **options: Any) -> None:
        if settings.SETTINGS_MODULE != SETTINGS:
            raise CommandError(f"The demo has its own settings: use make demo, or manage.py demo --settings {SETTINGS}")
        from demo.demo_run import FATAL_ERRORS, DemoRun, new_seed
        from demo.processes import Ports
        from simulator.dialect import DIALECTS

        dialect = options["dialect"] or "reference"
        if dialect not in DIALECTS:
            raise CommandError(f"There is no dialect {dialect!r}. Choose one of {', '.join(DIALECTS)}.")
        kill_seed = new_seed() if options["kill"] == "random" else _kill_seed(options["kill"])
        first_day = _first_day(options["begin"])
        _empty_data_folder(settings.DATA_DIR)
        signal.signal(signal.SIGTERM, _interrupt)
        is_well = None
        try:
            with DemoRun(
                dialect=dialect,
                first_day=first_day,
                kill_seed=kill_seed,
                ports=Ports(
                    site=options["site_port"], light=options["light_port"], use_default_ports=not options["any_ports"]
                ),
            ) as run:
                is_well = run.run_all()
                if not options["exit"]:
                    run.keep_running()
        except FATAL_ERRORS as problem:
            raise CommandError(f"The demo failed: {problem}\nThe logs are in {settings.DATA_DIR}.") from problem
        except KeyboardInterrupt:
            self.stdout.write("\nEverything is stopped.")
        if is_well is None:
            sys.exit(EXIT_INTERRUPTED)
        if not is_well:
            sys.exit(1)


def port_number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 65_535:
        raise ArgumentTypeError(f"{text} is not a port. Ports are whole numbers from 1 to 65535.")
    return int(text)


def _empty_data_folder(folder: Path) -> None:
    """
    Empty the demo's data folder, except for its secrets and its seal key.

    :raises CommandError: the folder has files that no demo created
    """
    found = {entry.name for entry in folder.iterdir()}
    # Any command leaves an empty database file before `migrate`.
    empty = {name for name in found if (folder / name).is_file() and (folder / name).stat().st_size == 0}
    if found - KEPT_FILES - empty and MARKER_FILE not in found:
        raise CommandError(f"{folder} holds other things than a demo's: empty it, or name another folder in DATA_DIR.")
    (folder / MARKER_FILE).touch()
    for name in found - KEPT_FILES - {MARKER_FILE}:
        entry = folder / name
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _first_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise CommandError(f"{text!r} is not a date. Enter it like 2026-11-19.") from None


def _kill_seed(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise CommandError(f"{text!r} is not a seed. Use a whole number or 'random'.")
    return int(text)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
