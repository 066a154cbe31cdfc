from django.db.models import F, QuerySet

from accounts.models import User
from installations.models import GoLiveReport, Installation
from installations.states import CURRENT_REPORT_STATUSES, InstallationStatus


def jobs_for(technician: User) -> QuerySet[Installation]:
    """Return the technician's jobs that are not canceled, earliest scheduled date first and unscheduled ones last."""
    return (
        Installation.objects.filter(technician=technician)
        .exclude(status=InstallationStatus.CANCELLED)
        .select_related("site", "customer")
        .order_by(F("scheduled_date").asc(nulls_last=True), "pk")
    )


def current_report(installation_id: int) -> GoLiveReport | None:
    """Return the one report that counts or waits for the office."""
    return GoLiveReport.objects.filter(installation_id=installation_id, status__in=CURRENT_REPORT_STATUSES).first()


def conflicting_reports(installation_id: int) -> QuerySet[GoLiveReport]:
    """Return the reports that conflict with the current one and wait for the office to choose."""
    return GoLiveReport.objects.filter(installation_id=installation_id, status="CONFLICTING").prefetch_related("proofs")
