"""Checks before actions on installations. Each exception's text tells the person what to do."""

from django.db.models import Q

from accounts.models import User
from accounts.staff_groups import TECHNICIANS_GROUP
from core.errors import Conflict, Forbidden

REPORT_PERMISSION = "installations.add_golivereport"


class SubmissionIdReused(Conflict):
    """The submission ID was used before with different contents."""


class ReportNotCurrent(Conflict):
    """The report has been corrected, withdrawn or replaced."""


class SecondPersonRequired(Forbidden):
    """The person who sent a report cannot confirm it."""

    def __init__(self) -> None:
        super().__init__("You sent this report yourself. Another person in the office must check and confirm it.")


def can_report_from_field(user: User) -> bool:
    """Whether this person may use the technicians' pages: technicians, and staff with the permission."""
    if not user.is_active:
        return False
    return user.groups.filter(name=TECHNICIANS_GROUP).exists() or (user.is_staff and user.has_perm(REPORT_PERMISSION))


def technicians_filter() -> Q:
    """Return a filter for the users who can be assigned jobs."""
    return Q(is_active=True) & (Q(groups__name=TECHNICIANS_GROUP) | Q(is_staff=True))
