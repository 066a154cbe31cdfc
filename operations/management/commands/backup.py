"""`manage.py backup`: back up the database and documents, once or on a schedule."""

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
from operations.backups import IncompleteBackup, ProgramError, Summary, back_up

logger = logging.getLogger(__name__)

CHECK_SECONDS = 60
RETRY_SECONDS = 3600
DEFAULT_KEEP = 14


class Command(BaseCommand):
    help = (
        "Back up the database and every document that it refers to. Encryption keys are not included. With --every, "
        "keep running and take a backup whenever one is due."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--to", type=Path, help="a new or empty folder for this backup")
        where.add_argument("--into", type=Path, help="a folder for backups; each gets its own folder named by time")
        parser.add_argument(
            "--keep", type=int, default=DEFAULT_KEEP, help="--into: complete backups to keep (default: %(default)s)"
        )
        parser.add_argument("--every", type=int, metavar="HOURS", help="--into: take a backup every so many hours")

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
                raise CommandError("--every needs --into FOLDER and a whole number of hours.")
            self._run_schedule(into, keep=keep, every=timedelta(hours=every), stop=_stop_signal())
            return
        try:
            folder, done = _back_up_once(to, into, keep=keep)
        except (IncompleteBackup, ProgramError, OSError) as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(f"{done.files} files, {done.size_bytes:,} bytes in {folder}.")

    def _run_schedule(self, folder: Path, *, keep: int, every: timedelta, stop: threading.Event) -> None:
        pause = 0
        while not stop.wait(pause):
            close_old_connections()
            pause = CHECK_SECONDS
            try:
                at = clock.now()
                if is_due(every=every, at=at):
                    target, done = back_up_into(folder, keep=keep, at=at)
                    logger.info("Backup taken: %s files, %s bytes in %s", done.files, done.size_bytes, target)
            except (IncompleteBackup, ProgramError, OSError, DatabaseError) as problem:
                logger.error("The backup failed and is retried in an hour: %s", problem)  # noqa: TRY400 - the text is enough
                pause = RETRY_SECONDS


def _back_up_once(to: Path | None, into: Path | None, *, keep: int) -> tuple[Path, Summary]:
    at = clock.now()
    if into is not None:
        return back_up_into(into, keep=keep, at=at)
    if to is None:
        raise IncompleteBackup("Name the folder of the backup: --to or --into.")
    return to, back_up(to, at=at)


def _stop_signal() -> threading.Event:
    """Handle signals ourselves: in a container this is process 1, which ignores them by default."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop
