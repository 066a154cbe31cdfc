"""Back up database and documents into a folder, with a manifest of hashes; once, or on a schedule."""

import logging
import signal
import threading
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections

from core import clock
from operations.backup_schedule import back_up_into, is_due
from operations.backups import BackupFailed, ProgramFailed, Summary, back_up

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 60
SECONDS_AFTER_A_FAILURE = 3600
DEFAULT_KEEP = 14


class Command(BaseCommand):
    help = (
        "Back up the database and every document that it names. The keys of encrypted fields are not part of it. With "
        "--every, stay and take one whenever it is due."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--to", type=Path, help="a new or empty folder for this backup")
        where.add_argument("--into", type=Path, help="a folder of backups; each gets a folder named after its time")
        parser.add_argument(
            "--keep", type=int, default=DEFAULT_KEEP, help="--into: how many complete ones stay (default: %(default)s)"
        )
        parser.add_argument("--every", type=int, metavar="HOURS", help="--into: stay, and take one every so many hours")

    def handle(
        self,
        *_args: Any,
        to: Path | None = None,
        into: Path | None = None,
        keep: int = DEFAULT_KEEP,
        every: int | None = None,
        **_options: Any,
    ) -> None:
        if keep < 1:
            raise CommandError("--keep must be at least 1.")
        if every is not None:
            if into is None or every < 1:
                raise CommandError("--every takes whole hours, and goes with --into FOLDER.")
            self._keep_going(into, keep=keep, every=timedelta(hours=every), stop=_stop_signal())
            return
        try:
            folder, done = _back_up_once(to, into, keep=keep)
        except (BackupFailed, ProgramFailed, OSError) as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(f"{done.files} files, {done.size_bytes:,} bytes in {folder}.")

    def _keep_going(self, folder: Path, *, keep: int, every: timedelta, stop: threading.Event) -> None:
        pause = 0
        while not stop.wait(pause):
            close_old_connections()
            pause = SECONDS_BETWEEN_LOOKS
            try:
                at = clock.now()
                if is_due(every=every, at=at):
                    target, done = back_up_into(folder, keep=keep, at=at)
                    logger.info("Backup taken: %s files, %s bytes in %s", done.files, done.size_bytes, target)
            except (BackupFailed, ProgramFailed, OSError, DatabaseError) as problem:
                logger.error("No complete backup; the next try is in an hour: %s", problem)  # noqa: TRY400 - the text says it all
                pause = SECONDS_AFTER_A_FAILURE


def _back_up_once(to: Path | None, into: Path | None, *, keep: int) -> tuple[Path, Summary]:
    at = clock.now()
    if into is not None:
        return back_up_into(into, keep=keep, at=at)
    if to is None:
        raise BackupFailed("Name the folder of the backup: --to or --into.")
    return to, back_up(to, at=at)


def _stop_signal() -> threading.Event:
    """In a container nothing else ends the process politely: it has number 1, which signals leave alone."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop
