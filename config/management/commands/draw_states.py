"""`manage.py draw_states`: keep one generated page in step with the code."""

from config.management.page_command import PageCommand


class Command(PageCommand):
    help = "Draw docs/states.md from the tables of moves."
    pages = ("docs/states.md",)
