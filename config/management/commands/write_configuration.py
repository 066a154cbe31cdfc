"""`manage.py write_configuration`: keep one generated page in step with the code."""

from config.management.page_command import PageCommand


class Command(PageCommand):
    help = "Write docs/configuration.md from the table of environment variables."
    page = "docs/configuration.md"
