"""What screens, other floors and the API ask about installations."""

from django.contrib.auth.models import User
from django.db.models import F, QuerySet

from installations.models import GoLiveReport, Installation
from installations.states import CURRENT_REPORT_STATUSES, InstallationStatus

DONE_STATUSES = (InstallationStatus.PTO_REPORTED, InstallationStatus.PTO_CONFIRMED)


def jobs_of(technician: User) -> QuerySet[Installation]:
    """Give the jobs assigned to this technician: the dated ones first, earliest day first; no canceled ones."""
    return (
        Installation.objects.filter(technician=technician)
        .exclude(status=InstallationStatus.CANCELLED)
        .select_related("site", "customer")
        .order_by(F("scheduled_date").asc(nulls_last=True), "pk")
    )


def current_report(installation_id: int) -> GoLiveReport | None:
    """Give the one report that counts or waits for the office."""
    return GoLiveReport.objects.filter(installation_id=installation_id, status__in=CURRENT_REPORT_STATUSES).first()


def reports_beside(installation_id: int) -> QuerySet[GoLiveReport]:
    """Give the reports that conflict with the current one and wait for the office to choose."""
    return GoLiveReport.objects.filter(installation_id=installation_id, status="CONFLICTING").prefetch_related("proofs")
