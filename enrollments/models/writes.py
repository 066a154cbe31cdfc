"""Writes to Light, a record of all calls, and their rate limit."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from core.public_records import PublicRecord
from enrollments.models.cases import Enrollment
from enrollments.states import (
    UNSETTLED_WRITE_STATUSES,
    HoldCode,
    WriteKind,
    WriteStatus,
)


class LightWrite(PublicRecord):
    """
    One call that changes something at Light. It is recorded before the call and closed after it.

    A write still open after its worker died is in doubt, never "not done".
    """

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="writes")
    kind = models.CharField(max_length=20, choices=WriteKind.choices)
    status = models.CharField(max_length=10, choices=WriteStatus.choices, default=WriteStatus.OPEN)
    opened_at = models.DateTimeField()
    sent_at = models.DateTimeField(
        null=True, blank=True, help_text="Set immediately before sending. If empty, it was never sent."
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    request = models.JSONField(default=dict, help_text="What was sent, without secrets and personal data.")
    answer = models.JSONField(default=dict, blank=True, help_text="What came back, without secrets and personal data.")
    outcome = models.TextField(blank=True)
    hold_code = models.CharField(
        max_length=30, choices=HoldCode.choices, blank=True, help_text="The hold that a refusal of this call leads to."
    )
    doubt_since = models.DateTimeField(null=True, blank=True)
    doubt_readings = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("opened_at", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["enrollment"],
                condition=Q(status__in=sorted(UNSETTLED_WRITE_STATUSES)),
                name="one_unsettled_write_per_enrollment",
            ),
            models.CheckConstraint(
                condition=Q(status__in=sorted(UNSETTLED_WRITE_STATUSES), closed_at__isnull=True)
                | (~Q(status__in=sorted(UNSETTLED_WRITE_STATUSES)) & Q(closed_at__isnull=False)),
                name="write_closed_when_settled",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["kind", "opened_at"], name="write_kind_opened")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.get_status_display()})"


class RemoteCall(PublicRecord):
    """One HTTP exchange with Light, including reads: path, time, duration and status. No bodies."""

    enrollment = models.ForeignKey(
        Enrollment, on_delete=models.PROTECT, null=True, blank=True, related_name="remote_calls"
    )
    purpose = models.CharField(max_length=40)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=200)
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)
    seconds = models.FloatField()
    problem = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("at", "pk")
        indexes: ClassVar = [models.Index(fields=["at"], name="remote_call_at")]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class LightPace(PublicRecord):
    """
    When Light may be called next, shared by all processes. A single row, which exists only if a limit is set.

    `seconds_per_call` is longer for a while after Light answers that we are too fast.
    """

    free_at = models.DateTimeField(help_text="When the next call may be sent.")
    seconds_per_call = models.FloatField(help_text="The current interval between calls.")

    class Meta:
        verbose_name_plural = "pace of calls to Light"

    def __str__(self) -> str:
        return f"{1 / self.seconds_per_call:.2f} calls a second"
