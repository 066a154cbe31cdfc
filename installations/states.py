"""The statuses of installations and go-live reports, and the moves between them."""

from core.labeled_enums import Choices
from core.moves import Move


class InstallationStatus(Choices):
    SOLD = "SOLD", "Sold"
    SCHEDULED = "SCHEDULED", "Scheduled"
    INSTALLED = "INSTALLED", "Installed"
    INSPECTED = "INSPECTED", "Inspected"
    INTERCONNECTION_SUBMITTED = "INTERCONNECTION_SUBMITTED", "Interconnection submitted"
    PTO_REPORTED = "PTO_REPORTED", "Go-live reported"
    PTO_CONFIRMED = "PTO_CONFIRMED", "Go-live confirmed"
    CANCELLED = "CANCELLED", "Canceled"


_S = InstallationStatus
_BEFORE_PTO = frozenset({_S.SOLD, _S.SCHEDULED, _S.INSTALLED, _S.INSPECTED, _S.INTERCONNECTION_SUBMITTED})
LIVE_STATUSES = frozenset({_S.PTO_REPORTED, _S.PTO_CONFIRMED})


def status_label(status: str) -> str:
    """Return the label of a stored status; empty if there is none."""
    return str(InstallationStatus(status).label) if status else ""


MOVES: dict[str, Move] = {
    "schedule": Move(frozenset({_S.SOLD, _S.SCHEDULED}), _S.SCHEDULED, "The installation has a date."),
    "install": Move(frozenset({_S.SOLD, _S.SCHEDULED}), _S.INSTALLED, "The hardware is in place."),
    "inspect": Move(frozenset({_S.INSTALLED}), _S.INSPECTED, "The installation passed inspection."),
    "submit_interconnection": Move(
        frozenset({_S.INSTALLED, _S.INSPECTED}),
        _S.INTERCONNECTION_SUBMITTED,
        "The interconnection application is with the utility.",
    ),
    "report_go_live": Move(
        _BEFORE_PTO,
        _S.PTO_REPORTED,
        "Permission to operate, or an EV charger's commissioning, is reported. Any earlier stage may be skipped.",
    ),
    "confirm_go_live": Move(frozenset({_S.PTO_REPORTED}), _S.PTO_CONFIRMED, "The report counts."),
    "withdraw_go_live": Move(
        LIVE_STATUSES,
        _S.INTERCONNECTION_SUBMITTED,
        "The report was wrong, or the utility withdrew its permission.",
    ),
    "withdraw_commissioning": Move(
        LIVE_STATUSES,
        _S.INSTALLED,
        "An EV charger's commissioning was reported by mistake or did not last.",
    ),
    "cancel": Move(_BEFORE_PTO | LIVE_STATUSES, _S.CANCELLED, "The sale or the job is canceled."),
}


class GoLiveReportStatus(Choices):
    AWAITING_OFFICE = "AWAITING_OFFICE", "Waiting for the office"
    COUNTED = "COUNTED", "Counts"
    AGREEING = "AGREEING", "Agrees with another report"
    CONFLICTING = "CONFLICTING", "Conflicts with another report"
    CORRECTED = "CORRECTED", "Corrected by a later report"
    WITHDRAWN = "WITHDRAWN", "Withdrawn"


CURRENT_REPORT_STATUSES = frozenset({GoLiveReportStatus.AWAITING_OFFICE, GoLiveReportStatus.COUNTED})
