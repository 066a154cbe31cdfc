from datetime import datetime

from django.db.models import Max, Q, QuerySet

from accounts.key_secrets import hash_of, may_be_secret
from accounts.models import EXPIRY_WARNING, ApiClient, ApiKey


def find_key(secret: str) -> ApiKey | None:
    """
    Return the key that has this secret, with its account, by one statement.

    It is found by the hash: how long that takes tells nothing about the secret of any other key.
    """
    if not may_be_secret(secret):
        return None
    return ApiKey.objects.select_related("client__account", "person").filter(secret_sha256=hash_of(secret)).first()


def live_keys(at: datetime) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(revoked_at__isnull=True, expires_at__gt=at)


def clients_running_out(at: datetime) -> list[str]:
    """Return the names of clients whose last key ends soon, or ended not long ago: they stop, or have stopped."""
    last = Max("keys__expires_at", filter=Q(keys__revoked_at__isnull=True))
    found = ApiClient.objects.filter(is_enabled=True).annotate(last=last)
    soon = found.filter(last__lte=at + EXPIRY_WARNING, last__gt=at - EXPIRY_WARNING)
    return list(soon.order_by("last").values_list("name", flat=True))
