"""`manage.py demo`: the whole story, told through the real parts. `make demo` calls it."""

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
MARK = "made-by-the-demo"
KEPT = frozenset({SECRETS, SEAL_KEY})
INTERRUPTED = 130
"""What shells give for a program that was stopped by Ctrl-C."""


class Command(BaseCommand):
    help = "Tell the main job, from sale to active electricity, for several customers; then leave the servers up."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--exit", action="store_true", help="stop after the table; exit code 0 means all is well")
        parser.add_argument("--dialect", default="", help="how the stand-in for Light speaks: reference or alternate")
        parser.add_argument("--kill", default="", help="kill our processes at moments of this seed, or 'random' ones")
        parser.add_argument("--begin", default="", help="first simulated day, YYYY-MM-DD (default: today)")
        parser.add_argument("--any-ports", action="store_true", help="take any free ports, not 8000 and 8001")
        parser.add_argument("--site-port", type=port_number, default=0, help="take this port for Switchyard")
        parser.add_argument(
            "--light-port", type=port_number, default=0, help="take this port for the stand-in for Light"
        )

    def handle(self, *_args: object, **options: Any) -> None:
        if settings.SETTINGS_MODULE != SETTINGS:
            raise CommandError(f"The demo has settings of its own: make demo, or manage.py demo --settings {SETTINGS}")
        from demo.demo_run import WHAT_STOPS_A_STORY, Production, new_seed
        from demo.processes import Ports
        from simulator.dialect import DIALECTS

        dialect = options["dialect"] or "reference"
        if dialect not in DIALECTS:
            raise CommandError(f"There is no dialect {dialect!r}. Choose one of {', '.join(DIALECTS)}.")
        kill_seed = new_seed() if options["kill"] == "random" else _kill_seed(options["kill"])
        first_day = _first_day(options["begin"])
        _make_fresh(settings.DATA_DIR)
        signal.signal(signal.SIGTERM, _leave)
        is_well = None
        try:
            with Production(
                dialect=dialect,
                first_day=first_day,
                kill_seed=kill_seed,
                ports=Ports(site=options["site_port"], light=options["light_port"], are_usual=not options["any_ports"]),
            ) as production:
                is_well = production.perform()
                if not options["exit"]:
                    production.stay()
        except WHAT_STOPS_A_STORY as problem:
            raise CommandError(f"The story cannot go on: {problem}\nThe logs are in {settings.DATA_DIR}.") from problem
        except KeyboardInterrupt:
            self.stdout.write("\nEverything is stopped.")
        if is_well is None:
            sys.exit(INTERRUPTED)
        if not is_well:
            sys.exit(1)


def port_number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 65_535:
        raise ArgumentTypeError(f"{text} is not a port. Ports are whole numbers from 1 to 65535.")
    return int(text)


def _make_fresh(folder: Path) -> None:
    """
    Empty the demo's data folder, except for its secrets and the key of its seal.

    :raises CommandError: the folder holds what no demo made
    """
    found = {entry.name for entry in folder.iterdir()}
    # An empty file is the database as any command leaves it before `migrate`: nobody's data.
    empty = {name for name in found if (folder / name).is_file() and (folder / name).stat().st_size == 0}
    if found - KEPT - empty and MARK not in found:
        raise CommandError(f"{folder} holds other things than a demo's: empty it, or name another folder in DATA_DIR.")
    (folder / MARK).touch()
    for name in found - KEPT - {MARK}:
        entry = folder / name
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _first_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise CommandError(f"{text!r} is not a day. Write it like 2026-11-19.") from None


def _kill_seed(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise CommandError(f"{text!r} is not a seed. Give a whole number, or 'random'.")
    return int(text)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
