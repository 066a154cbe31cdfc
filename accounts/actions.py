"""
What is done with API clients and keys.

Moments are the machine's own, as those of sessions: keys last no longer or shorter when a demonstration skips weeks.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import Group, User
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Q

from accounts import key_secrets
from accounts.guards import (
    MAX_LIVE_KEYS,
    AlreadyRevoked,
    ClientOff,
    ClientOutOfReach,
    NameTaken,
    RoleOutOfReach,
    TooManyKeys,
    may_do_all_of,
    may_give,
)
from accounts.models import ApiClient, ApiKey, Scope
from accounts.queries import live_keys
from core.actors import SERVICE_ACCOUNT_MARK, SYSTEM, Actor
from core.tidying import delete_in_parts

logger = logging.getLogger(__name__)

PERSONAL_KEY_LASTS = timedelta(hours=12)
MAX_PERSONAL_KEYS = 5
USE_IS_NOTED_EVERY = timedelta(hours=1)
PERSONAL_KEYS_KNOWN_FOR = timedelta(days=30)


@dataclass(frozen=True)
class NewKey:
    """A key that was just made, with its secret, which can be read nowhere later."""

    key: ApiKey
    secret: str

    def __repr__(self) -> str:
        return f"NewKey({self.key.prefix}…)"


@transaction.atomic
def register_client(*, name: str, scope: Scope, role: Group, by: User, at: datetime) -> ApiClient:
    """
    Put another system on file, with an account of its own that nobody can sign in with.

    :raises NameTaken: another client has the name
    :raises RoleOutOfReach: the role may do more than the person who gives it
    """
    if not may_give(by, role.permissions.select_related("content_type")):
        raise RoleOutOfReach
    if ApiClient.objects.filter(name__iexact=name).exists():
        raise NameTaken
    actor = str(Actor.staff(by.pk))
    try:
        with transaction.atomic():
            account = User.objects.create_user(f"{SERVICE_ACCOUNT_MARK}{name}")
            client = ApiClient.objects.create(
                name=name, scope=scope, account=account, created_at=at, created_by=actor, updated_at=at
            )
    except IntegrityError as problem:
        raise NameTaken from problem
    account.groups.add(role)
    return client


@transaction.atomic
def turn_client_off(*, client_id: int, by: User, at: datetime) -> ApiClient:
    """Refuse every further call of a system, whatever key it has. Keys that are not revoked count again later."""
    client = ApiClient.objects.select_for_update().get(pk=client_id)
    client.is_enabled, client.updated_at = False, at
    client.save(update_fields=["is_enabled", "updated_at"])
    logger.warning("User %s turned off API client %s.", by.pk, client.pk)
    return client


@transaction.atomic
def turn_client_on(*, client_id: int, by: User, at: datetime) -> ApiClient:
    """:raises ClientOutOfReach: it may do more than the person who turns it on"""
    client = _client_within_reach(client_id, by)
    client.is_enabled, client.updated_at = True, at
    client.save(update_fields=["is_enabled", "updated_at"])
    logger.warning("User %s turned on API client %s.", by.pk, client.pk)
    return client


@transaction.atomic
def make_client_key(*, client_id: int, label: str, lasts: timedelta, by: User, at: datetime) -> NewKey:
    """
    Make a key for a system.

    :raises ClientOutOfReach: the system may do more than the person who would read its key
    :raises ClientOff: it is turned off
    :raises TooManyKeys: two of its keys are valid
    """
    client = _client_within_reach(client_id, by)
    if not client.is_enabled:
        raise ClientOff
    if live_keys(at).filter(client=client).count() >= MAX_LIVE_KEYS:
        raise TooManyKeys
    made = _make_key(client=client, label=label, by=Actor.staff(by.pk), at=at, expires_at=at + lasts)
    logger.warning("User %s made key %s for API client %s.", by.pk, made.key.pk, client.pk)
    return made


@transaction.atomic
def give_personal_key(*, person: User, at: datetime) -> NewKey:
    """Make a short-lived key for a person who has just signed in; above the limit, the first to expire are revoked."""
    User.objects.select_for_update().get(pk=person.pk)
    by = Actor.staff(person.pk)
    kept = live_keys(at).filter(person=person).order_by("-expires_at", "-pk")
    for extra in kept[MAX_PERSONAL_KEYS - 1 :]:
        _revoke(extra, by=by, at=at)
    return _make_key(person=person, label="Signed in at the API", by=by, at=at, expires_at=at + PERSONAL_KEY_LASTS)


@transaction.atomic
def revoke_key(*, key_id: int, by: Actor, at: datetime) -> ApiKey:
    """:raises AlreadyRevoked: it was before"""
    key = ApiKey.objects.select_for_update(of=("self",)).get(pk=key_id)
    if key.revoked_at is not None:
        raise AlreadyRevoked
    _revoke(key, by=by, at=at)
    logger.warning("%s revoked API key %s.", by, key.pk)
    return key


def revoke_personal_keys(person: User, *, by: Actor = SYSTEM, at: datetime) -> int:
    """Revoke what a person signed in with. Keys of systems are not affected."""
    return live_keys(at).filter(person=person).update(revoked_at=at, revoked_by=str(by))


def note_use(key: ApiKey, *, at: datetime) -> None:
    """Remember that a key is in use; at most one write an hour. While the database takes none, calls go on without."""
    before = at - USE_IS_NOTED_EVERY
    if key.last_used_at is not None and key.last_used_at > before:
        return
    not_noted = Q(last_used_at__isnull=True) | Q(last_used_at__lte=before)
    try:
        ApiKey.objects.filter(not_noted, pk=key.pk).update(last_used_at=at)
    except DatabaseError:
        logger.info("The use of API key %s could not be noted.", key.pk)


def forget_personal_keys(*, at: datetime) -> int:
    """Delete what people signed in with, some time after it ended. Keys of systems stay on file."""
    before = at - PERSONAL_KEYS_KNOWN_FOR
    ended = Q(expires_at__lt=before) | Q(revoked_at__lt=before)
    return delete_in_parts(ApiKey.objects.filter(ended, person__isnull=False))


def _client_within_reach(client_id: int, by: User) -> ApiClient:
    client = ApiClient.objects.select_for_update(of=("self",)).select_related("account").get(pk=client_id)
    if not may_do_all_of(by, client.account):
        raise ClientOutOfReach
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
    secret = key_secrets.draw()
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
