from datetime import datetime

from django.db.models import Max, Q, QuerySet

from accounts.key_secrets import looks_like_secret, sha256_of
from accounts.models import EXPIRY_WARNING, ApiClient, ApiKey


def find_key(secret: str) -> ApiKey | None:
    """
    Return the key with this secret and its account, in one query.

    The lookup uses the hash, so its duration reveals nothing about other secrets.
    """
    if not looks_like_secret(secret):
        return None
    return ApiKey.objects.select_related("client__account", "person").filter(secret_sha256=sha256_of(secret)).first()


def live_keys(at: datetime) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(revoked_at__isnull=True, expires_at__gt=at)


def clients_running_out(at: datetime) -> list[str]:
    """Return the names of clients whose last key expires soon or expired recently."""
    last = Max("keys__expires_at", filter=Q(keys__revoked_at__isnull=True))
    found = ApiClient.objects.filter(is_enabled=True).annotate(last=last)
    soon = found.filter(last__lte=at + EXPIRY_WARNING, last__gt=at - EXPIRY_WARNING)
    return list(soon.order_by("last").values_list("name", flat=True))
