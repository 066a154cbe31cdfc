from datetime import datetime

from django.db.models import QuerySet

from accounts.keys import hash_of, may_be_secret
from accounts.models import ApiKey


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
