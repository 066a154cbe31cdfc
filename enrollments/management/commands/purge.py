"""Destroy records whose retention period has ended, with a report and proof."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.actors import OPERATOR
from core.dates import chicago_day
from enrollments.actions.destruction import (
    Candidate,
    NotDueForDestruction,
    candidates,
    destroy,
    destroy_files,
    open_subjects,
)


class Command(BaseCommand):
    help = "Permanently destroy cases and unsigned requests whose retention period has ended. Try --dry-run first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="list what would be destroyed, without destroying anything"
        )

    def handle(self, *_args: Any, dry_run: bool, **_options: Any) -> None:
        at = clock.now()
        today = chicago_day(at)
        kept = destroyed = failed = 0
        for candidate in candidates(today=today):
            if not candidate.is_due(today):
                kept += 1
                self._print_kept(candidate)
            elif dry_run:
                destroyed += 1
                self.stdout.write(
                    f"due: {candidate.subject}, kept until {candidate.term.until}: {candidate.term.because}"
                )
            else:
                try:
                    proof = destroy(candidate, by=OPERATOR, at=at)
                except NotDueForDestruction as reason:
                    failed += 1
                    self.stderr.write(f"kept: {reason}")
                else:
                    destroyed += 1
                    self.stdout.write(f"destroyed: {proof.subject}, SHA-256 {proof.sha256}")
        if dry_run:
            for subject in open_subjects():
                kept += 1
                self.stdout.write(f"kept: {subject}, while it is open")
            self.stdout.write(f"{destroyed} would be destroyed, {kept} are kept. Nothing was changed.")
            return
        _gone, left = destroy_files(at=at)
        self.stdout.write(f"{destroyed} destroyed, {kept} kept, {left} files left to remove.")
        if failed or left:
            raise CommandError(
                f"{failed} records and {left} files could not be destroyed. The reasons are above, and for files under "
                "Destroyed files in the admin. The next run tries again."
            )

    def _print_kept(self, candidate: Candidate) -> None:
        until = f"until {candidate.term.until}" if candidate.term.until else "permanently"
        why = candidate.obstacle or candidate.term.because
        self.stdout.write(f"kept: {candidate.subject}, {until}: {why}")
