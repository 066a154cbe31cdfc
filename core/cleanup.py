"""Rows that are deleted every night once they are no longer needed."""

from datetime import datetime, timedelta

from django.contrib.sessions.models import Session
from django.db.models import Model, QuerySet
from django.utils import timezone

from core.kept_forms import KEPT_FOR
from core.models import IdempotentRequest, KeptForm, OfficeAddress

REPETITIONS_KNOWN_FOR = timedelta(days=30)
OFFICE_ADDRESSES_KNOWN_FOR = timedelta(days=30)
BATCH_SIZE = 1000


def delete_old_idempotent_requests(*, at: datetime) -> int:
    """Delete stored API writes that are too old to be repeated."""
    return delete_in_batches(IdempotentRequest.objects.filter(at__lt=at - REPETITIONS_KNOWN_FOR))


def delete_ended_sessions() -> int:
    """Delete expired sessions. They expire by the machine's own clock."""
    return delete_in_batches(Session.objects.filter(expire_date__lt=timezone.now()))


def delete_old_kept_forms() -> int:
    """Delete forms that were typed and never sent. They expire by the machine's own clock."""
    return delete_in_batches(KeptForm.objects.filter(kept_at__lt=timezone.now() - KEPT_FOR))


def delete_old_office_addresses(*, at: datetime) -> int:
    """Delete staff IP addresses that were not used recently."""
    return delete_in_batches(OfficeAddress.objects.filter(seen_at__lt=at - OFFICE_ADDRESSES_KNOWN_FOR))


def delete_in_batches(rows: QuerySet[Model]) -> int:
    """Delete rows a thousand at a time, so that locks are short."""
    deleted = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH_SIZE]):
        deleted += rows.model._default_manager.filter(pk__in=keys).delete()[0]
    return deleted
