"""What stops an action on an installation, as exceptions that carry the reason in words for the person who tried."""

from collections.abc import Mapping

from django.contrib.auth.models import User
from django.db.models import Q

from accounts.staff_groups import TECHNICIANS_GROUP

REPORT_PERMISSION = "installations.add_golivereport"


class InputRefused(Exception):
    """What was given cannot be: the problems, by field."""

    def __init__(self, problems: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__(" ".join(text for texts in problems.values() for text in texts))
        self.problems = dict(problems)


class SubmissionDiffers(Exception):
    """This submission id was used before for something else."""


class ReportNotCurrent(Exception):
    """The report was corrected, withdrawn or replaced meanwhile."""


class ReasonMissing(Exception):
    """The office must say why."""


class ConfirmedBySamePerson(Exception):
    """The person who reported it cannot confirm it."""

    def __init__(self) -> None:
        super().__init__("You reported this yourself: somebody else of the office must compare and confirm it.")


def check_input(**problems: tuple[str, ...]) -> None:
    """:raises InputRefused: when any field has a problem; it names all of them at once"""
    found = {field: texts for field, texts in problems.items() if texts}
    if found:
        raise InputRefused(found)


def check_reason(reason: str) -> str:
    """:raises ReasonMissing: nothing was typed"""
    if not reason.strip():
        raise ReasonMissing("Say why; the reason is kept with the record.")
    return reason.strip()


def can_report_from_field(user: User) -> bool:
    """Whether this person may use the technicians' pages: a technician, or staff with the permission."""
    if not user.is_active:
        return False
    return user.groups.filter(name=TECHNICIANS_GROUP).exists() or (user.is_staff and user.has_perm(REPORT_PERMISSION))


def technicians_filter() -> Q:
    """Narrow users to those to whom jobs may be assigned."""
    return Q(is_active=True) & (Q(groups__name=TECHNICIANS_GROUP) | Q(is_staff=True))
