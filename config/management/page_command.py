"""What the commands that write generated pages share."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import generated_docs


class PageCommand(BaseCommand):
    pages: tuple[str, ...]
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail when a page is out of date")

    def handle(self, *_args: object, **options: Any) -> None:
        for page in self.pages:
            if options["check"]:
                if not generated_docs.is_current(page):
                    raise CommandError(f"{page} is out of date; run `make docs`.")
                self.stdout.write(f"{page} is up to date.")
            else:
                generated_docs.write(page)
                self.stdout.write(f"Wrote {page}.")
