"""
Whether writes to Light are stopped now: by staff, after a restore, or because this is a copy of the database.

Checked twice for every write: under lock when it is recorded, and again right before it is sent.
"""

from uuid import UUID

from django.db.models import Q

from enrollments.engine import copy_guard
from enrollments.models import Pause, SystemHold


def why_writes_are_stopped() -> str:
    """Return why all writes to Light are stopped, or an empty string if they are allowed."""
    reason = SystemHold.objects.filter(ended_at__isnull=True).values_list("reason", flat=True).first()
    return reason or copy_guard.why_writes_not_allowed_here()


def is_catching_up_after_restore() -> bool:
    """Return whether accounts are being read again because a restored backup may have lost events."""
    return SystemHold.objects.filter(ended_at__isnull=True, needs_reconciliation=True).exists()


def are_acceptances_paused(light_plan_group: UUID) -> bool:
    """Return whether acceptances of plans in this group are paused."""
    concerned = Q(light_plan_group__isnull=True) | Q(light_plan_group=light_plan_group)
    return Pause.objects.filter(concerned, ended_at__isnull=True).exists()
