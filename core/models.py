"""Records that every floor shares."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from core.encryption import EncryptedTextField


class CaseChange(models.Model):
    """
    That something about a site's case changed, written in the transaction that changed it.

    Floor 3 takes it away once it has looked; a lost message therefore costs a sweep, never an enrollment.
    """

    site_id = models.PositiveBigIntegerField(db_index=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"Case of site {self.site_id} changed"


class LastSweep(models.Model):
    """When a sweep ran last. One row per kind of sweep, written over each time."""

    task = models.CharField(max_length=60, unique=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("task",)

    def __str__(self) -> str:
        return self.task


class WrongClock(models.Model):
    """What was last seen to be wrong with a machine's clock. One row per machine; an old one says nothing any more."""

    machine = models.CharField(max_length=255, unique=True)
    problem = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ("machine",)

    def __str__(self) -> str:
        return self.machine


class IdempotentRequest(models.Model):
    """A write of another system and the answer it got, so that its repetition gets the same answer and does nothing."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=100)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=300)
    request_sha256 = models.CharField(max_length=64)
    response_status = models.PositiveSmallIntegerField()
    response_body = models.JSONField(null=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "key"], name="key_used_once_per_user")]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class OfficeAddress(models.Model):
    """An internet address from which a member of staff worked, and when last."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    ip_address = models.GenericIPAddressField()
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "ip_address"], name="address_once_per_user")]

    def __str__(self) -> str:
        return f"Address of user {self.user_id}"


class KeptForm(models.Model):
    """What somebody typed in one browser at one place, so that a later page can show it again (`core.kept_forms`)."""

    key_hash = models.CharField(max_length=64, unique=True)
    text = EncryptedTextField()
    kept_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"Kept form {self.pk}"
