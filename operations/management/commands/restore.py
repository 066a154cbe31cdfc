"""`manage.py restore`: restore a backup, with all writes to Light on hold."""

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from operations.backups import ProgramError, RestoreNotPossible, missing_keys, restore, verify


class Command(BaseCommand):
    help = "Verify and restore a backup. The restored system writes nothing to Light until it is reconciled."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="source", type=Path, required=True, help="the folder of the backup")
        parser.add_argument("--replace", action="store_true", help="delete the current data of the database")
        parser.add_argument("--verify-only", action="store_true", help="check every hash without restoring")

    def handle(self, *_args: Any, source: Path, replace: bool, verify_only: bool, **_options: Any) -> None:
        try:
            if verify_only:
                manifest = verify(source)
                self.stdout.write("Every file of the backup exists and matches its hash.")
                self._name_missing(manifest.get("missing", ()))
                self._check_keys(manifest)
                return
            done = restore(source, at=clock.now(), replace=replace)
        except (RestoreNotPossible, ProgramError, OSError) as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(
            f"Restored {done.files} files from {done.taken_at}. All writes to Light are on hold. Next: “manage.py "
            "migrate”, “manage.py reconcile --all”, look at the differences, “manage.py release_writes”."
        )
        self._name_missing(done.missing)

    def _check_keys(self, manifest: dict[str, Any]) -> None:
        if "field_keys" not in manifest:
            self.stderr.write("This backup is from a version that did not record which FIELD_ENCRYPTION_KEYS it needs.")
        elif problems := missing_keys(manifest):
            raise CommandError(f"This backup cannot be used here: {'; '.join(problems)}.")
        else:
            names = ", ".join(manifest["field_keys"]) or "none"
            self.stdout.write(f"Required encryption keys, all available: {names}.")

    def _name_missing(self, missing: Iterable[str]) -> None:
        """List files that the backup never contained."""
        for problem in missing:
            self.stderr.write(f"This backup does not contain a file that its rows refer to: {problem}")
