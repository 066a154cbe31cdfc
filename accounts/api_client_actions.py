"""
Actions on API clients and keys.

Times come from the machine's clock, not the demo's, so that keys do not expire when a demo skips weeks.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import Group
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Q

from accounts import key_secrets
from accounts.grants import (
    MAX_LIVE_KEYS,
    ClientExceedsOwnPermissions,
    ClientNameTaken,
    ClientTurnedOff,
    KeyAlreadyRevoked,
    RoleExceedsOwnPermissions,
    TooManyKeys,
    can_grant,
    has_all_permissions_of,
)
from accounts.models import ApiClient, ApiKey, Scope, User
from accounts.queries import live_keys
from core.actors import SERVICE_ACCOUNT_MARK, SYSTEM, Actor
from core.cleanup import delete_in_batches

logger = logging.getLogger(__name__)

PERSONAL_KEY_LIFETIME = timedelta(hours=12)
MAX_PERSONAL_KEYS = 5
KEY_USE_INTERVAL = timedelta(hours=1)
PERSONAL_KEY_RETENTION = timedelta(days=30)


@dataclass(frozen=True)
class NewKey:
    """A new key with its secret, which cannot be read again later."""

    key: ApiKey
    secret: str

    def __repr__(self) -> str:
        return f"NewKey({self.key.prefix}…)"


@transaction.atomic
def register_client(*, name: str, scope: Scope, role: Group, by: User, at: datetime) -> ApiClient:
    """
    Register another system, with its own account that nobody can sign in with.

    :raises ClientNameTaken: another client has the name
    :raises RoleExceedsOwnPermissions: the role has permissions that `by` does not have
    """
    if not can_grant(by, role.permissions.select_related("content_type")):
        raise RoleExceedsOwnPermissions
    if ApiClient.objects.filter(name__iexact=name).exists():
        raise ClientNameTaken
    actor = str(Actor.staff(by.public_id))
    try:
        with transaction.atomic():
            account = User.objects.create_user(f"{SERVICE_ACCOUNT_MARK}{name}")
            client = ApiClient.objects.create(name=name, scope=scope, account=account, created_at=at, created_by=actor)
    except IntegrityError as problem:
        raise ClientNameTaken from problem
    account.groups.add(role)
    return client


@transaction.atomic
def disable_client(*, client_id: int, by: User, at: datetime) -> ApiClient:
    """Reject all calls of a client. Its unrevoked keys work again when it is turned on."""
    client = ApiClient.objects.select_for_update().get(pk=client_id)
    client.is_enabled = False
    client.save(update_fields=["is_enabled"])
    logger.warning("User %s turned off API client %s.", by.pk, client.pk)
    return client


@transaction.atomic
def enable_client(*, client_id: int, by: User, at: datetime) -> ApiClient:
    """:raises ClientExceedsOwnPermissions: the client has permissions that `by` does not have"""
    client = _client_for_change(client_id, by)
    client.is_enabled = True
    client.save(update_fields=["is_enabled"])
    logger.warning("User %s turned on API client %s.", by.pk, client.pk)
    return client


@transaction.atomic
def create_client_key(*, client_id: int, label: str, lifetime: timedelta, by: User, at: datetime) -> NewKey:
    """
    Create a key for a client.

    :raises ClientExceedsOwnPermissions: the client has permissions that `by` does not have
    :raises ClientTurnedOff: the client is turned off
    :raises TooManyKeys: it already has two valid keys
    """
    client = _client_for_change(client_id, by)
    if not client.is_enabled:
        raise ClientTurnedOff
    if live_keys(at).filter(client=client).count() >= MAX_LIVE_KEYS:
        raise TooManyKeys
    made = _make_key(client=client, label=label, by=Actor.staff(by.public_id), at=at, expires_at=at + lifetime)
    logger.warning("User %s created key %s for API client %s.", by.pk, made.key.pk, client.pk)
    return made


@transaction.atomic
def create_personal_key(*, person: User, at: datetime) -> NewKey:
    """Create a short-lived key for a person who just signed in. Above the limit, the oldest ones are revoked."""
    User.objects.select_for_update().get(pk=person.pk)
    by = Actor.staff(person.public_id)
    kept = live_keys(at).filter(person=person).order_by("-expires_at", "-pk")
    for extra in kept[MAX_PERSONAL_KEYS - 1 :]:
        _revoke(extra, by=by, at=at)
    return _make_key(person=person, label="Signed in at the API", by=by, at=at, expires_at=at + PERSONAL_KEY_LIFETIME)


@transaction.atomic
def revoke_key(*, key_id: int, by: Actor, at: datetime) -> ApiKey:
    """:raises KeyAlreadyRevoked: it was revoked before"""
    key = ApiKey.objects.select_for_update(of=("self",)).get(pk=key_id)
    if key.revoked_at is not None:
        raise KeyAlreadyRevoked
    _revoke(key, by=by, at=at)
    logger.warning("%s revoked API key %s.", by, key.pk)
    return key


def revoke_personal_keys(person: User, *, by: Actor = SYSTEM, at: datetime) -> int:
    """Revoke a person's own keys. Keys of API clients are not affected."""
    return live_keys(at).filter(person=person).update(revoked_at=at, revoked_by=str(by))


def record_key_use(key: ApiKey, *, at: datetime) -> None:
    """Record that a key is in use, at most once an hour. Calls do not fail if the database cannot be written."""
    before = at - KEY_USE_INTERVAL
    if key.last_used_at is not None and key.last_used_at > before:
        return
    not_noted = Q(last_used_at__isnull=True) | Q(last_used_at__lte=before)
    try:
        ApiKey.objects.filter(not_noted, pk=key.pk).update(last_used_at=at)
    except DatabaseError:
        logger.info("The use of API key %s could not be recorded.", key.pk)


def delete_ended_personal_keys(*, at: datetime) -> int:
    """Delete personal keys some time after they ended. Keys of API clients are kept."""
    before = at - PERSONAL_KEY_RETENTION
    ended = Q(expires_at__lt=before) | Q(revoked_at__lt=before)
    return delete_in_batches(ApiKey.objects.filter(ended, person__isnull=False))


def _client_for_change(client_id: int, by: User) -> ApiClient:
    client = ApiClient.objects.select_for_update(of=("self",)).select_related("account").get(pk=client_id)
    if not has_all_permissions_of(by, client.account):
        raise ClientExceedsOwnPermissions
    return client


def _make_key(
    *,
    client: ApiClient | None = None,
    person: User | None = None,
    label: str,
    by: Actor,
    at: datetime,
    expires_at: datetime,
) -> NewKey:
    secret = key_secrets.generate()
    key = ApiKey.objects.create(
        client=client,
        person=person,
        prefix=secret.prefix,
        secret_sha256=secret.sha256,
        label=label,
        created_at=at,
        created_by=str(by),
        expires_at=expires_at,
    )
    return NewKey(key, secret.text)


def _revoke(key: ApiKey, *, by: Actor, at: datetime) -> None:
    key.revoked_at, key.revoked_by = at, str(by)
    key.save(update_fields=["revoked_at", "revoked_by"])
