"""Recording a go-live date that was corrected after the acceptance and does not affect the plan."""

from datetime import datetime

from core.actors import SYSTEM
from core.dates import short_date
from core.transactions import repeatable
from enrollments.actions.moves import note
from enrollments.engine.locked_case import lock_case
from enrollments.models import Enrollment
from installations.models import GoLiveReport
from installations.states import GoLiveReportStatus

EVENT = "go_live_corrected"


@repeatable
def note_corrected_go_live(*, enrollment_id: int, at: datetime) -> None:
    """
    Record once per correction that the accepted plan stays as it is.

    A date after the start of the plan is left to the decision, which places a hold.
    """
    if not Enrollment.objects.filter(pk=enrollment_id, accepted_at__isnull=False).exists():
        return
    case = lock_case(enrollment_id)
    enrollment = case.enrollment
    start = enrollment.service_start_date
    corrections = GoLiveReport.objects.filter(
        installation__enrollments=enrollment,
        status=GoLiveReportStatus.COUNTED,
        corrects__isnull=False,
        received_at__gt=enrollment.accepted_at,
    )
    for report in corrections.select_related("corrects").order_by("pk"):
        known_since = max(report.received_at, report.confirmed_at or report.received_at)
        is_noted = enrollment.events.filter(name=EVENT, at__gte=known_since).exists()
        if is_noted or report.corrects is None or (start is not None and report.granted_date > start):
            continue
        reason = (
            f"The go-live date was corrected from {short_date(report.corrects.granted_date)} to "
            f"{short_date(report.granted_date)} after the plan was accepted. It is not later than the start of the plan"
            f"{f' on {short_date(start)}' if start else ''}, so the plan stays as it is."
        )
        note(case, EVENT, by=SYSTEM, at=at, reason=reason)
