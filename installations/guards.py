"""Checks before actions on installations. Each exception's text tells the person what to do."""

from collections.abc import Mapping

from django.contrib.auth.models import User
from django.db.models import Q

from accounts.staff_groups import TECHNICIANS_GROUP

REPORT_PERMISSION = "installations.add_golivereport"


class InvalidInput(Exception):
    """Some fields are invalid. `problems` has the texts by field."""

    def __init__(self, problems: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__(" ".join(text for texts in problems.values() for text in texts))
        self.problems = dict(problems)


class SubmissionIdReused(Exception):
    """The submission ID was used before with different contents."""


class ReportNotCurrent(Exception):
    """The report has been corrected, withdrawn or replaced."""


class ReasonMissing(Exception):
    """The action needs a reason."""


class SecondPersonRequired(Exception):
    """The person who sent a report cannot confirm it."""

    def __init__(self) -> None:
        super().__init__("You sent this report yourself. Another person in the office must check and confirm it.")


def check_input(**problems: tuple[str, ...]) -> None:
    """:raises InvalidInput: any field has a problem; it lists all of them"""
    found = {field: texts for field, texts in problems.items() if texts}
    if found:
        raise InvalidInput(found)


def check_reason(reason: str) -> str:
    """:raises ReasonMissing: the reason is empty"""
    if not reason.strip():
        raise ReasonMissing("Enter a reason. It is kept with the record.")
    return reason.strip()


def can_report_from_field(user: User) -> bool:
    """Whether this person may use the technicians' pages: technicians, and staff with the permission."""
    if not user.is_active:
        return False
    return user.groups.filter(name=TECHNICIANS_GROUP).exists() or (user.is_staff and user.has_perm(REPORT_PERMISSION))


def technicians_filter() -> Q:
    """Return a filter for the users who can be assigned jobs."""
    return Q(is_active=True) & (Q(groups__name=TECHNICIANS_GROUP) | Q(is_staff=True))
