"""Opening an enrollment for a site, and looking at it again when its case changed."""

from datetime import datetime

from django.db import IntegrityError, transaction

from core.actors import SYSTEM
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
