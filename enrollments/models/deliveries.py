"""What Light sends by itself, and how often somebody pretended to."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from enrollments.models.cases import Enrollment


class WebhookDelivery(models.Model):
    """One webhook as it reached us, its signature already verified."""

    event_key = models.CharField(
        max_length=100, unique=True, help_text="Light's event id, or the hash of the body when it has none."
    )
    body = models.TextField(help_text="The raw body; bytes that are no text stand as \\xNN.")
    body_sha256 = models.CharField("SHA-256 of the body", max_length=64)
    headers = models.JSONField(default=dict, help_text="As received, without the signature.")
    event_name = models.CharField(max_length=100, blank=True)
    light_account_uuid = models.CharField("Light account", max_length=64, blank=True)
    enrollment = models.ForeignKey(
        Enrollment, on_delete=models.PROTECT, null=True, blank=True, related_name="deliveries"
    )
    received_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    settled_at = models.DateTimeField(null=True, blank=True)
    outcome = models.TextField(blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        ordering = ("-received_at", "-pk")
        indexes: ClassVar = [
            models.Index(fields=["received_at"], name="delivery_received"),
            models.Index(fields=["received_at"], condition=Q(settled_at__isnull=True), name="delivery_unsettled"),
        ]

    def __str__(self) -> str:
        return self.event_name or self.event_key


class WebhookSender(models.TextChoices):
    """Who is meant to send webhooks to an address, each with a secret of his own."""

    LIGHT = "LIGHT", "Light"
    MAIL = "MAIL", "Mail provider"


class WebhookRefusal(models.Model):
    """
    How many requests with a wrong or missing signature came to one sender's address on one Chicago day.

    Nothing else of them is kept.
    """

    date = models.DateField()
    sender = models.CharField(
        max_length=10,
        choices=WebhookSender.choices,
        default=WebhookSender.LIGHT,
        help_text="Whose address it came to; who sent it is not known.",
    )
    count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()
    last_reason = models.CharField(max_length=200)

    class Meta:
        ordering = ("-date", "sender")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["date", "sender"], name="one_count_of_refusals_per_day_and_sender")
        ]

    def __str__(self) -> str:
        return f"{self.count} webhooks refused on {self.date} ({self.get_sender_display()})"
