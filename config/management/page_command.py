"""What the commands that write a generated page have in common."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import pages


class PageCommand(BaseCommand):
    page: str
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail when the page is out of date")

    def handle(self, *_args: object, **options: Any) -> None:
        if options["check"]:
            if not pages.is_current(self.page):
                raise CommandError(f"{self.page} is out of date; `make docs` writes it anew.")
            self.stdout.write(f"{self.page} is up to date.")
            return
        pages.write(self.page)
        self.stdout.write(f"Wrote {self.page}.")
