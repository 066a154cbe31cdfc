"""
Whether writing to Light is stopped just now: by people, after a restore, or because this is a copy run elsewhere.

Asked twice for every write: under lock when it is recorded, and once more at the last moment before it is sent.
"""

from uuid import UUID

from django.db.models import Q

from enrollments.engine import database_place
from enrollments.models import Pause, SystemHold


def why_writes_are_stopped() -> str:
    """Give the reason why nothing at all may be written to Light; empty when writing is allowed."""
    reason = SystemHold.objects.filter(ended_at__isnull=True).values_list("reason", flat=True).first()
    return reason or database_place.why_writes_not_allowed_here()


def is_catching_up_after_restore() -> bool:
    """Tell whether accounts are being read again because a restored backup may have forgotten what happened."""
    return SystemHold.objects.filter(ended_at__isnull=True, needs_reconciliation=True).exists()


def are_acceptances_paused(light_plan_group: UUID) -> bool:
    """Tell whether plans of this group may not be accepted."""
    concerned = Q(light_plan_group__isnull=True) | Q(light_plan_group=light_plan_group)
    return Pause.objects.filter(concerned, ended_at__isnull=True).exists()
