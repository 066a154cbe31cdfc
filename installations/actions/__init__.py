"""Actions on customers, sites, installations and go-live reports."""

from installations.actions.go_live_reports import (
    GoLiveOutcome,
    confirm_go_live,
    correct_go_live,
    keep_proof,
    report_go_live,
    withdraw_go_live,
)
from installations.actions.jobs import assign_technician, cancel_installation, move_installation
from installations.actions.registration import (
    correct_contact,
    register_customer,
    register_installation,
    register_site,
)

__all__ = [
    "GoLiveOutcome",
    "assign_technician",
    "cancel_installation",
    "confirm_go_live",
    "correct_contact",
    "correct_go_live",
    "keep_proof",
    "move_installation",
    "register_customer",
    "register_installation",
    "register_site",
    "report_go_live",
    "withdraw_go_live",
]
