"""Opening an enrollment for a site, and reconsidering it when something about the case changed."""

import logging
import random
import time
from datetime import datetime

from django.db import IntegrityError, transaction

from core.actors import SYSTEM
from core.models import CaseChange
from enrollments.actions.corrected_go_live import note_corrected_go_live
from enrollments.actions.mails import schedule_go_live_mail
from enrollments.actions.moves import note
from enrollments.actions.wakeups import make_due
from enrollments.engine.locked_case import with_locked_poa
from enrollments.models import Enrollment
from enrollments.states import FINAL_STATUSES
from installations.models import Installation
from installations.states import InstallationStatus
from poa_documents.models import PoaDocument
from poa_documents.states import OPEN_STATUSES

logger = logging.getLogger(__name__)

MAX_SWEEP_SECONDS = 3.0


def reconsider_site(*, site_id: int, at: datetime) -> Enrollment | None:
    """
    Make the site's enrollment due, opening one if an installation there has none yet.

    Returns None if there is nothing to enroll. A repeat changes nothing.
    """
    seen = list(CaseChange.objects.filter(site_id=site_id).values_list("pk", flat=True))
    enrollment = _due_enrollment(site_id, at=at)
    if enrollment is not None:
        schedule_go_live_mail(enrollment_id=enrollment.pk, at=at)
        note_corrected_go_live(enrollment_id=enrollment.pk, at=at)
    CaseChange.objects.filter(pk__in=seen).delete()
    return enrollment


def reconsider_changed_sites(*, at: datetime, limit: int, within_seconds: float = MAX_SWEEP_SECONDS) -> int:
    """
    Reconsider changed sites whose message was lost, for at most `within_seconds`, and return how many.

    The rest is left to the next sweep, so that workers have time for other work after a thousand changes at once. So is
    a site that fails, which raises an alarm later. Parallel sweeps share the work.
    """
    sites = list(CaseChange.objects.order_by("site_id").values_list("site_id", flat=True).distinct()[:limit])
    random.shuffle(sites)
    looked_at, enough = 0, time.monotonic() + within_seconds
    for site_id in sites:
        if time.monotonic() > enough:
            break
        if not CaseChange.objects.filter(site_id=site_id).exists():
            continue
        looked_at += 1
        try:
            reconsider_site(site_id=site_id, at=at)
        except Exception:
            logger.exception("The case of site %s could not be reconsidered. The next sweep retries it.", site_id)
    return looked_at


def _due_enrollment(site_id: int, *, at: datetime) -> Enrollment | None:
    waiting = _installations_without_case(
        site_id
    )  # first: another worker that opens the case removes them from this list
    enrollment = Enrollment.objects.filter(site_id=site_id).exclude(status__in=FINAL_STATUSES).first()
    if enrollment is None and waiting:
        enrollment = _open(waiting[0], at=at)
    if enrollment is None:
        return None
    enrollment.installations.add(*(job for job in waiting if job.customer_id == enrollment.customer_id))
    make_due(enrollment_id=enrollment.pk, at=at)
    return enrollment


def _installations_without_case(site_id: int) -> list[Installation]:
    """
    Find the installations at a site that have no open enrollment.

    One whose last enrollment ended counts again once a power of attorney was created for the customer since.
    """
    jobs = Installation.objects.filter(site_id=site_id).exclude(status=InstallationStatus.CANCELLED)
    return [job for job in jobs.order_by("pk").prefetch_related("enrollments") if _needs_case(job)]


def _needs_case(job: Installation) -> bool:
    cases = list(job.enrollments.all())
    if not cases:
        return True
    if any(case.status not in FINAL_STATUSES for case in cases):
        return False
    last_ended_at = max(case.ended_at for case in cases if case.ended_at is not None)
    poas = PoaDocument.objects.filter(site_id=job.site_id, customer_id=job.customer_id, status__in=OPEN_STATUSES)
    return poas.filter(created_at__gt=last_ended_at).exists()


def _open(installation: Installation, *, at: datetime) -> Enrollment:
    try:
        with transaction.atomic():
            enrollment = Enrollment.objects.create(
                customer_id=installation.customer_id, site_id=installation.site_id, opened_at=at, due_at=at
            )
            note(with_locked_poa(enrollment), "open", by=SYSTEM, at=at)
            return enrollment
    except IntegrityError:  # another worker opened it at the same moment
        return Enrollment.objects.exclude(status__in=FINAL_STATUSES).get(site_id=installation.site_id)
