"""Back up database and documents into a folder, with a manifest of hashes."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.backups import BackupFailed, ProgramFailed, back_up
from core import clock


class Command(BaseCommand):
    help = "Back up the database and every document that it names. The keys of encrypted fields are not part of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--to", type=Path, required=True, help="a new or empty folder")

    def handle(self, *_args: Any, to: Path, **_options: Any) -> None:
        try:
            done = back_up(to, at=clock.now())
        except (BackupFailed, ProgramFailed, OSError) as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(f"{done.files} files, {done.size_bytes:,} bytes in {to}.")
