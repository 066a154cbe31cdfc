"""Webhooks received, and webhooks refused because of a wrong signature."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from core.dates import short_date
from core.public_records import PublicRecord
from enrollments.models.cases import Enrollment


class WebhookDelivery(PublicRecord):
    """One webhook as received, with a verified signature."""

    event_key = models.CharField(
        max_length=100, unique=True, help_text="Light's event id, or the hash of the body when it has none."
    )
    body = models.TextField(help_text="The raw body. Bytes that are not text are shown as \\xNN.")
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
    """The expected sender of an endpoint. Each has its own secret."""

    LIGHT = "LIGHT", "Light"
    MAIL = "MAIL", "Mail provider"


class WebhookRefusal(PublicRecord):
    """
    The number of requests with a wrong or missing signature at one endpoint on one Chicago day.

    Nothing else about them is kept.
    """

    date = models.DateField()
    sender = models.CharField(
        max_length=10,
        choices=WebhookSender.choices,
        default=WebhookSender.LIGHT,
        help_text="The endpoint that was called. Who called it is unknown.",
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
        return f"{self.count} webhooks refused on {short_date(self.date)} ({self.get_sender_display()})"
