"""Stop every write to Light, at once and for all cases."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.actors import OPERATOR
from core.errors import ReasonMissing
from enrollments.actions.system_holds import hold_writes


class Command(BaseCommand):
    help = "Stop every write to Light, at once and for all cases. Reading continues. `release_writes` ends it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", required=True, help="why; shown to all staff in the admin")

    def handle(self, *_args: Any, reason: str, **_options: Any) -> None:
        try:
            hold_writes(reason=reason, by=OPERATOR, at=clock.now())
        except ReasonMissing as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write("Writes to Light are stopped. “manage.py release_writes” allows them again.")
