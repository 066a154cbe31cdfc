"""What is thrown away every night, because its use is over."""

from datetime import datetime, timedelta

from django.contrib.sessions.models import Session
from django.db.models import Model, QuerySet
from django.utils import timezone

from core.kept_forms import KEPT_FOR
from core.models import IdempotentRequest, KeptForm, OfficeAddress

REPETITIONS_KNOWN_FOR = timedelta(days=30)
OFFICE_ADDRESSES_KNOWN_FOR = timedelta(days=30)
ROWS_AT_ONCE = 1000


def forget_answers(*, at: datetime) -> int:
    """Forget which writes of other systems were answered, and how, once nobody repeats them any more."""
    return delete_in_parts(IdempotentRequest.objects.filter(at__lt=at - REPETITIONS_KNOWN_FOR))


def forget_sessions() -> int:
    """Delete sessions that ended. They end by the machine's own clock."""
    return delete_in_parts(Session.objects.filter(expire_date__lt=timezone.now()))


def forget_kept_forms() -> int:
    """Forget what was typed and never sent. It ages by the machine's own clock."""
    return delete_in_parts(KeptForm.objects.filter(kept_at__lt=timezone.now() - KEPT_FOR))


def forget_office_addresses(*, at: datetime) -> int:
    """Forget from where staff worked once it no longer counts as lately."""
    return delete_in_parts(OfficeAddress.objects.filter(seen_at__lt=at - OFFICE_ADDRESSES_KNOWN_FOR))


def delete_in_parts(rows: QuerySet[Model]) -> int:
    """Delete rows a thousand at a time, so that nobody waits long for a lock."""
    deleted = 0
    while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:ROWS_AT_ONCE]):
        deleted += rows.model._default_manager.filter(pk__in=keys).delete()[0]
    return deleted
