"""Allow writes to Light again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.actors import OPERATOR
from enrollments.actions.system_holds import NothingHeld, NotReconciled, release_writes


class Command(BaseCommand):
    help = "Allow writes to Light again. After a restore, `reconcile --all` must have read every account first."

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            ended = release_writes(by=OPERATOR, at=clock.now())
        except (NothingHeld, NotReconciled) as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Writes to Light are allowed again ({ended} stop{'' if ended == 1 else 's'} ended).")
