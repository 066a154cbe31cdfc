"""Accounts, API clients, and the API keys of clients and people."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from core.abstract_person import Person
from core.actors import ActorField
from core.public_records import MirroredRecord, PublicRecord

EXPIRY_WARNING = timedelta(days=30)
UNUSED_AFTER = timedelta(days=90)


class User(Person):
    """A person who signs in, or the account of an API client."""


class Scope(models.TextChoices):
    READ = "READ", "Read only"
    READ_AND_WRITE = "READ_AND_WRITE", "Read and write"


class ApiClient(MirroredRecord):
    """
    Another of the company's systems, such as its CRM. It belongs to no person.

    Its account has no password and no staff status, so nobody can sign in with it. Actors, throttles, permissions and
    evidence refer to this account. Its groups and its scope decide what it may do.
    """

    name = models.CharField(max_length=80)
    scope = models.CharField(max_length=20, choices=Scope.choices)
    is_enabled = models.BooleanField("turned on", default=True)
    account = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="api_client")
    created_at = models.DateTimeField()
    created_by = ActorField()

    class Meta:
        ordering = ("name",)
        verbose_name = "API client"
        default_permissions = ()  # managed by people who manage accounts, see `accounts.grants`
        constraints: ClassVar = [models.UniqueConstraint(Lower("name"), name="api_client_name_used_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def role(self) -> str:
        return ", ".join(group.name for group in self.account.groups.all())


class ApiKey(PublicRecord):
    """
    The key of an API client, or for some hours of a person. Only its hash is stored.

    The secret has 256 random bits, of which the prefix shows 36. It cannot be guessed, so a plain SHA-256 is as safe as
    a slow hash, and the key can be looked up by it.
    """

    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, null=True, blank=True, related_name="keys")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="api_keys"
    )
    prefix = models.CharField("starts with", max_length=12, help_text="The first characters, to recognize the key by.")
    secret_sha256 = models.CharField(max_length=64, unique=True)
    label = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    created_by = ActorField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the hour.")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = ActorField(blank=True)

    class Meta:
        ordering = ("-created_at", "-pk")
        verbose_name = "API key"
        default_permissions = ()  # as above
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(client__isnull=False, person__isnull=True) | Q(client__isnull=True, person__isnull=False),
                name="api_key_has_one_owner",
            )
        ]

    def __str__(self) -> str:
        return f"Key {self.prefix}… of {self.client or self.account.get_username()}"

    @property
    def account(self) -> User:
        """The account that calls with this key act as."""
        if self.client is not None:
            return self.client.account
        if self.person is None:
            raise TypeError("Key without an owner, which a database constraint forbids.")
        return self.person

    def state_at(self, at: datetime) -> str:
        """Return the key's state as text."""
        if self.revoked_at is not None:
            return "Revoked"
        if self.expires_at <= at:
            return "Expired"
        if self.client is None:
            return "Valid"
        if self.expires_at <= at + EXPIRY_WARNING:
            return "Expires soon"
        if max(self.created_at, self.last_used_at or self.created_at) <= at - UNUSED_AFTER:
            return f"Unused for {UNUSED_AFTER.days} days"
        return "Valid"
