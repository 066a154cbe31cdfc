"""`manage.py write_configuration`: keep the pages about configuration in step with the code."""

from config.management.page_command import PageCommand


class Command(PageCommand):
    help = "Write docs/configuration.md and docs/light-dialect.md from the tables in the code."
    pages = ("docs/configuration.md", "docs/light-dialect.md")
