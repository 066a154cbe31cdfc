"""Compare every account at Light with our records, and list each difference with what to do."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.actors import OPERATOR
from enrollments.actions.reconciliation import continue_run, start_run
from enrollments.engine import wiring
from enrollments.models import ReconciliationRun


class Command(BaseCommand):
    help = "Compare every account at Light with our records, and list each difference. Writes nothing to Light."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", required=True, help="compare every account (required)")

    def handle(self, *_args: Any, **_options: Any) -> None:
        run = start_run(by=OPERATOR, at=clock.now())
        while not continue_run(run.pk, wiring.tools()):
            run.refresh_from_db()
            self.stdout.write(f"… {run.read_count} accounts read")
        run.refresh_from_db()
        self._report(run)
        if not run.is_complete:
            raise CommandError(
                f"{run.unread_count} accounts could not be read. Run this again when Light can be reached. Until then, "
                "a restored system stays on hold."
            )

    def _report(self, run: ReconciliationRun) -> None:
        for difference in run.differences.all():
            case = f"enrollment {difference.enrollment.public_id}" if difference.enrollment else "no enrollment"
            self.stdout.write(f"{difference.kind}: account {difference.light_account_uuid or '-'}, {case}")
            for label, text in (("ours", difference.ours), ("Light", difference.theirs), ("do", difference.repair)):
                if text:
                    self.stdout.write(f"    {label}: {text}")
        self.stdout.write(f"{run.read_count} accounts read, {run.matching_count} match our records.")
