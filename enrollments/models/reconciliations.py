"""Comparisons of all accounts at Light with our records."""

from django.db import models

from core.actors import ActorField
from core.dates import chicago_time
from core.public_records import PublicRecord
from enrollments.models.cases import Enrollment
from enrollments.states import (
    DifferenceKind,
)


class DatabasePlace(PublicRecord):
    """The place where this database first worked with a Light on another machine. One row, never changed."""

    place = models.CharField(max_length=200)
    since = models.DateTimeField()

    def __str__(self) -> str:
        return self.place


class ReconciliationRun(PublicRecord):
    """One comparison of every account at Light with our records. Nothing is written to Light."""

    started_at = models.DateTimeField()
    started_by = ActorField()
    finished_at = models.DateTimeField(null=True, blank=True)
    last_enrollment_id = models.PositiveBigIntegerField(default=0, help_text="How far the run has come.")
    read_count = models.PositiveIntegerField("accounts read", default=0)
    matching_count = models.PositiveIntegerField("accounts that match", default=0)
    unread_count = models.PositiveIntegerField("accounts that could not be read", default=0)

    class Meta:
        ordering = ("-started_at", "-pk")

    def __str__(self) -> str:
        return f"Reconciliation of {chicago_time(self.started_at)}"

    @property
    def is_complete(self) -> bool:
        """Whether every account was read."""
        return self.finished_at is not None and self.unread_count == 0


class Difference(PublicRecord):
    """One account that differs from our records, and what to do about it."""

    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, related_name="differences")
    kind = models.CharField(max_length=30, choices=DifferenceKind.choices)
    enrollment = models.ForeignKey(
        Enrollment, on_delete=models.PROTECT, null=True, blank=True, related_name="differences"
    )
    light_account_uuid = models.CharField("Light account", max_length=64)
    ours = models.TextField("our record", blank=True)
    theirs = models.TextField("what Light shows", blank=True)
    repair = models.TextField("what to do")

    class Meta:
        ordering = ("run", "pk")

    def __str__(self) -> str:
        return self.get_kind_display()
