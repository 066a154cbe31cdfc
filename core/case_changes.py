"""How the floors below tell the floor above, durably, that something about a site's case changed."""

from datetime import datetime

from django.db import transaction

from core.models import CaseChange
from core.queue import TaskName, enqueue_on_commit


@transaction.atomic
def announce_case_change(*, site_id: int, at: datetime) -> None:
    """Have the site's enrollment looked at anew. The row keeps the news until that is done; the message is a nudge."""
    CaseChange.objects.create(site_id=site_id, at=at)
    enqueue_on_commit(TaskName.CASE_CHANGED, site_id=site_id)
