"""A note on confirmation pages of POAs, reports, jobs and customers: the action does not end an active service."""

from django.db.models import Q

from core.admin.buttons import CONFIRM_NOTES
from core.dates import short_date
from enrollments.models import Enrollment
from enrollments.states import EnrollmentStatus
from installations.models import Customer, GoLiveReport, Installation
from poa_documents.models import PoaDocument


def _note(cases: Q) -> str:
    running = (
        Enrollment.objects.filter(cases, status=EnrollmentStatus.ACTIVE).select_related("site").order_by("active_at")
    )
    told = [f"{case.site} since {short_date(case.active_at)}" for case in running if case.active_at is not None]
    if not told:
        return ""
    return (
        f"Service is active at {'; '.join(told)}. This does not end it: only the customer can leave, by switching to "
        "another company or by asking Light. The office is asked to follow up."
    )


def _of_poa(poa: PoaDocument) -> str:
    return _note(Q(customer=poa.customer_id, site=poa.site_id))


def _of_report(report: GoLiveReport) -> str:
    return _note(Q(installations=report.installation_id))


def _of_installation(installation: Installation) -> str:
    return _note(Q(installations=installation))


def _of_customer(customer: Customer) -> str:
    return _note(Q(customer=customer))


CONFIRM_NOTES.update(
    {PoaDocument: _of_poa, GoLiveReport: _of_report, Installation: _of_installation, Customer: _of_customer}
)
