"""`manage.py sweep_files`: delete, or only list, stored files that no row refers to."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from core import clock
from operations.orphaned_files import find_orphans, sweep_orphans


class Command(BaseCommand):
    help = "Delete stored files that are older than a day and that no row refers to. Runs automatically every night."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="list them and delete nothing")

    def handle(self, *_args: object, dry_run: bool, **_options: Any) -> None:
        orphans = find_orphans(at=clock.now()) if dry_run else sweep_orphans(at=clock.now())
        for orphan in orphans:
            self.stdout.write(f"{orphan.key}, stored at {orphan.stored_at.isoformat(timespec='seconds')}")
        self.stdout.write(f"{len(orphans)} files {'would be' if dry_run else 'were'} deleted.")
