"""Write the evidence pack of an enrollment to a file."""

import os
import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.actors import OPERATOR
from enrollments.actions.evidence_download import hand_out_evidence
from enrollments.evidence_pack.building import PackNotMade
from enrollments.models import Enrollment


class Command(BaseCommand):
    help = "Write everything on record about an enrollment to a ZIP file that can be verified offline."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("enrollment", type=UUID, help="the ID of the enrollment, as in the address of its page")
        parser.add_argument(
            "--to", type=Path, help="the file to write; by default the pack's own name in the current folder"
        )

    def handle(self, *_args: Any, enrollment: UUID, to: Path | None, **_options: Any) -> None:
        try:
            found = Enrollment.objects.only("pk").get(public_id=enrollment)
            pack = hand_out_evidence(enrollment_id=found.pk, by=OPERATOR, at=clock.now())
        except Enrollment.DoesNotExist as problem:
            raise CommandError(f"There is no enrollment {enrollment}.") from problem
        except PackNotMade as problem:
            raise CommandError(str(problem)) from problem
        target = to or Path(pack.name)
        with pack.file as source:
            try:
                with open(target, "xb", opener=_for_its_owner_only) as file:
                    shutil.copyfileobj(source, file)
            except OSError as problem:
                raise CommandError(
                    f"{target} cannot be written: {problem.strerror}. Choose another file with --to."
                ) from problem
        self.stdout.write(f"{target}: {pack.summary.size_bytes} bytes, SHA-256 {pack.summary.sha256}")
        for each in pack.summary.missing:
            self.stderr.write(f"Missing: {each.path}. {each.why}")
        for altered in pack.problems:
            self.stderr.write(f"ALTERED: {altered}")
        if pack.problems:
            raise CommandError(
                f"{target} was written, but the records in it were tampered with. Run “manage.py journal verify”, "
                "change nothing, and follow docs/runbooks/seal-and-journal.md."
            )


def _for_its_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
