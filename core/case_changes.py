"""Lets lower packages record that a site's case changed, so that enrollments looks at it again."""

from datetime import datetime

from django.db import transaction

from core.models import CaseChange
from core.queue import TaskName, enqueue_on_commit


@transaction.atomic
def announce_case_change(*, site_id: int, at: datetime) -> None:
    """Ask for another look at the site's enrollment. The row stays until that happened; the message is a nudge."""
    CaseChange.objects.create(site_id=site_id, at=at)
    enqueue_on_commit(TaskName.CASE_CHANGED, site_id=site_id)
