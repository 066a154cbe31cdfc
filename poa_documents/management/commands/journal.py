"""Verify all journals, or anchor them now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.stored_files import FileNotStored
from poa_documents.actions import anchor_journal
from poa_documents.journal.verification import verify_journal


class Command(BaseCommand):
    help = (
        "“journal verify” names the first broken link of each journal and fails; “journal anchor” anchors them now, if "
        "every link holds."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["verify", "anchor"])
        parser.add_argument(
            "--leave-out",
            metavar="SHA256",
            action="append",
            default=[],
            help="an anchor from after the restored backup; can be repeated",
        )

    def handle(self, *_args: Any, what: str, leave_out: list[str], **_options: Any) -> None:
        if what == "anchor":
            self._anchor(leave_out)
        else:
            self._verify(leave_out)

    def _anchor(self, left_out: list[str]) -> None:
        """Refuse to anchor a broken journal by hand. The daily anchor continues and raises an alarm."""
        report = verify_journal(left_out=left_out)
        if not report.is_intact:
            raise CommandError(
                f"Nothing was anchored. The journal is broken. First broken link: {report.findings[0]} "
                "Run “manage.py journal verify”; docs/runbooks/seal-and-journal.md says what to do."
            )
        try:
            self.stdout.write(anchor_journal(at=clock.now()).value)
        except FileNotStored as problem:
            raise CommandError(f"The anchor could not be stored: {problem} Try again later.") from problem

    def _verify(self, left_out: list[str]) -> None:
        report = verify_journal(left_out=left_out)
        self.stdout.write(
            f"{report.entries} entries in {report.chains} journals and {report.anchors} anchors read; "
            f"{report.destroyed} entries were destroyed with proof."
        )
        if report.newest_anchor_sha256:
            self.stdout.write(f"The newest anchor has SHA-256 {report.newest_anchor_sha256}.")
        for finding in report.findings:
            self.stdout.write(str(finding))
        if not report.is_intact:
            raise CommandError(
                f"The journal is broken. First broken link: {report.findings[0]} "
                "Change nothing; docs/runbooks/seal-and-journal.md says what to do."
            )
        self.stdout.write("Every link holds.")
