"""Opening an enrollment for a site, and looking at it again when its case changed."""

from datetime import datetime

from django.db import IntegrityError, transaction

from core.actors import SYSTEM
from core.models import CaseChange
from enrollments.actions.moving import note
from enrollments.actions.stopping import make_due
from enrollments.models import Enrollment
from enrollments.states import FINAL_STATUSES
from installations.models import Installation
from installations.states import InstallationStatus


def look_again(*, site_id: int, at: datetime) -> Enrollment | None:
    """
    Make the site's enrollment due, opening one if an installation there has none yet.

    Gives None when there is nothing to enroll. Doing it twice changes nothing.
    """
    seen = list(CaseChange.objects.filter(site_id=site_id).values_list("pk", flat=True))
    enrollment = _due_enrollment(site_id, at=at)
    CaseChange.objects.filter(pk__in=seen).delete()
    return enrollment


def look_at_changed_cases(*, at: datetime, limit: int) -> int:
    """Look again at every site whose change no message has brought yet; give their number."""
    sites = list(CaseChange.objects.order_by("site_id").values_list("site_id", flat=True).distinct()[:limit])
    for site_id in sites:
        look_again(site_id=site_id, at=at)
    return len(sites)


def _due_enrollment(site_id: int, *, at: datetime) -> Enrollment | None:
    enrollment = Enrollment.objects.filter(site_id=site_id).exclude(status__in=FINAL_STATUSES).first()
    orphans = list(
        Installation.objects.filter(site_id=site_id, enrollments__isnull=True)
        .exclude(status=InstallationStatus.CANCELLED)
        .order_by("pk")
    )
    if enrollment is None and orphans:
        enrollment = _open(orphans[0], at=at)
    if enrollment is None:
        return None
    enrollment.installations.add(*(job for job in orphans if job.customer_id == enrollment.customer_id))
    make_due(enrollment_id=enrollment.pk, at=at)
    return enrollment


def _open(installation: Installation, *, at: datetime) -> Enrollment:
    try:
        with transaction.atomic():
            enrollment = Enrollment.objects.create(
                customer_id=installation.customer_id, site_id=installation.site_id, opened_at=at, due_at=at
            )
            note(enrollment, "open", by=SYSTEM, at=at)
            return enrollment
    except IntegrityError:  # another worker opened it in the same moment
        return Enrollment.objects.exclude(status__in=FINAL_STATUSES).get(site_id=installation.site_id)
