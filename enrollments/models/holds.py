"""Holds on a case, pauses of acceptances, and system holds on all writes."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from core.actors import ActorField
from core.public_records import MirroredRecord, PublicRecord
from enrollments.models.cases import Enrollment
from enrollments.states import (
    HoldCode,
    HoldOwner,
)


class Hold(MirroredRecord):
    """Why a person is needed, whose turn it is, since when, and how it ended."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="holds")
    code = models.CharField(max_length=30, choices=HoldCode.choices)
    because = models.TextField()
    owner = models.CharField(max_length=12, choices=HoldOwner.choices)
    since = models.DateTimeField()
    act_by_date = models.DateField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = ActorField(blank=True)
    release_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("since", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["enrollment"], condition=Q(released_at__isnull=True), name="one_open_hold_per_enrollment"
            ),
            models.CheckConstraint(
                condition=Q(released_at__isnull=True, released_by="")
                | (Q(released_at__isnull=False) & ~Q(released_by="") & ~Q(release_reason="")),
                name="hold_released_by_whom_and_why",
            ),
        ]

    def __str__(self) -> str:
        return self.get_code_display()


class Pause(MirroredRecord):
    """While a pause is open, no plan is accepted: at all, or in one plan group."""

    light_plan_group = models.UUIDField(
        "Light plan group", null=True, blank=True, help_text="Empty: all acceptances are paused."
    )
    reason = models.TextField()
    started_at = models.DateTimeField()
    started_by = ActorField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = ActorField(blank=True)

    class Meta:
        ordering = ("-started_at", "-pk")

    def __str__(self) -> str:
        return f"Pause of {self.light_plan_group or 'all acceptances'}"


class SystemHold(PublicRecord):
    """While a system hold is open, nothing is written to Light for any case. Reading continues."""

    reason = models.TextField()
    needs_reconciliation = models.BooleanField(
        default=False, help_text="After a restore: every account must have been read before it can be released."
    )
    started_at = models.DateTimeField()
    started_by = ActorField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = ActorField(blank=True)

    class Meta:
        ordering = ("-started_at", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="system_hold_ended_by_whom",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["started_at"], condition=Q(ended_at__isnull=True), name="system_hold_open"),
        ]

    def __str__(self) -> str:
        return "Stop of all writes to Light"
