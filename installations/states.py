"""The stages of an installation and the moves between them."""

from core.choices import Choices
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

MOVES: dict[str, Move] = {
    "schedule": Move(frozenset({_S.SOLD, _S.SCHEDULED}), _S.SCHEDULED, "A day for the installation is set."),
    "install": Move(frozenset({_S.SOLD, _S.SCHEDULED}), _S.INSTALLED, "The hardware is in place."),
    "inspect": Move(frozenset({_S.INSTALLED}), _S.INSPECTED, "The inspection is passed."),
    "submit_interconnection": Move(
        frozenset({_S.INSTALLED, _S.INSPECTED}),
        _S.INTERCONNECTION_SUBMITTED,
        "The utility has the application to interconnect.",
    ),
    "report_go_live": Move(
        _BEFORE_PTO,
        _S.PTO_REPORTED,
        "Permission to operate, or an EV charger's commissioning, is reported. The utility's word counts whatever the "
        "office had booked before.",
    ),
    "confirm_go_live": Move(frozenset({_S.PTO_REPORTED}), _S.PTO_CONFIRMED, "The report counts."),
    "withdraw_go_live": Move(
        frozenset({_S.PTO_REPORTED, _S.PTO_CONFIRMED}),
        _S.INTERCONNECTION_SUBMITTED,
        "The report was wrong, or the utility withdrew its permission.",
    ),
    "withdraw_commissioning": Move(
        frozenset({_S.PTO_REPORTED, _S.PTO_CONFIRMED}),
        _S.INSTALLED,
        "The commissioning of an EV charger was reported wrongly or did not hold.",
    ),
    "cancel": Move(_BEFORE_PTO | {_S.PTO_REPORTED, _S.PTO_CONFIRMED}, _S.CANCELLED, "The sale or the job is off."),
}


class GoLiveReportStatus(Choices):
    """What a report of PTO or commissioning is worth to the engine."""

    AWAITING_OFFICE = "AWAITING_OFFICE", "Waiting for the office"
    COUNTED = "COUNTED", "Counts"
    AGREEING = "AGREEING", "Agrees with another report"
    CONFLICTING = "CONFLICTING", "Conflicts with another report"
    CORRECTED = "CORRECTED", "Corrected by a later one"
    WITHDRAWN = "WITHDRAWN", "Withdrawn"


CURRENT_REPORT_STATUSES = frozenset({GoLiveReportStatus.AWAITING_OFFICE, GoLiveReportStatus.COUNTED})
