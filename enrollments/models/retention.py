"""Retention rules, legal holds, downloads of evidence packs, and destroyed records."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from core.actors import ActorField
from core.dates import chicago_day, short_date
from core.public_records import PublicRecord
from enrollments.models.cases import Enrollment
from enrollments.retention_terms import RecordClass, RetentionClock


class EvidencePackRead(PublicRecord):
    """A download of a case's evidence pack. It is not part of the pack itself, so a download does not change it."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="evidence_reads")
    actor = ActorField("downloaded by")
    at = models.DateTimeField()
    sha256 = models.CharField("fingerprint (SHA-256)", max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    newest_fact_at = models.DateTimeField("as of", help_text="The newest fact in it.")
    missing = models.JSONField(default=list, blank=True, help_text="Files that were missing or altered.")

    class Meta:
        ordering = ("-at", "-pk")

    def __str__(self) -> str:
        return f"Evidence pack {self.sha256[:12]}…"


class RetentionRule(PublicRecord):
    """How long a kind of record is kept, from an effective date. Never changed; a later rule replaces it."""

    record_class = models.CharField("what is kept", max_length=10, choices=RecordClass.choices)
    clock = models.CharField("counted", max_length=12, choices=RetentionClock.choices)
    months = models.PositiveSmallIntegerField()
    effective_from_date = models.DateField()
    source = models.TextField(help_text="The law or legal advice it is based on.")
    decided_by = ActorField()
    decided_at = models.DateTimeField()

    class Meta:
        ordering = ("record_class", "clock", "-effective_from_date")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["record_class", "clock", "effective_from_date"], name="one_retention_rule_per_clock_and_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.months} months {self.get_clock_display()}"


class LegalHoldKind(models.TextChoices):
    DISPUTE = "DISPUTE", "Open dispute"
    LEGAL_HOLD = "LEGAL_HOLD", "Legal hold"


class LegalHold(PublicRecord):
    """While a legal hold is open, nothing in the case is destroyed, however old it is."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="legal_holds")
    kind = models.CharField(max_length=10, choices=LegalHoldKind.choices)
    reason = models.TextField()
    placed_at = models.DateTimeField()
    placed_by = ActorField()
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = ActorField(blank=True)
    lift_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("-placed_at", "-pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["enrollment"], condition=Q(lifted_at__isnull=True), name="one_open_legal_hold_per_enrollment"
            ),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by="", lift_reason="")
                | (Q(lifted_at__isnull=False) & ~Q(lifted_by="") & ~Q(lift_reason="")),
                name="legal_hold_lifted_by_whom_and_why",
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()


class Destruction(PublicRecord):
    """
    Proof that records were destroyed after their retention period. It names no person and is kept permanently.

    The journals' own proofs (`poa_documents.models.DestructionProof`), a hash chain, refer to its hash.
    """

    record_class = models.CharField("what was destroyed", max_length=10, choices=RecordClass.choices)
    subject = models.CharField(max_length=60, editable=False, help_text="The kind of record, and its public ID.")
    rule = models.TextField(help_text="The rules that applied, and the days on which they started.")
    kept_until_date = models.DateField()
    sha256 = models.CharField(
        "SHA-256", max_length=64, help_text="Of what was destroyed; for a case, the fingerprint of its evidence pack."
    )
    rows = models.JSONField(default=dict, help_text="How many rows of each kind.")
    actor = ActorField("by")
    at = models.DateTimeField()

    class Meta:
        ordering = ("-at", "-pk")

    def __str__(self) -> str:
        return f"Destruction of {short_date(chicago_day(self.at))}"


class DestroyedFile(PublicRecord):
    """A stored file that no record refers to any longer. Once it is removed from the storage, `destroyed_at` is set."""

    destruction = models.ForeignKey(Destruction, on_delete=models.PROTECT, related_name="files")
    storage_key = models.CharField(max_length=200)
    sha256 = models.CharField("SHA-256", max_length=64)
    destroyed_at = models.DateTimeField(null=True, blank=True)
    kept_because = models.TextField(blank=True, help_text="Why it has not been removed.")

    class Meta:
        ordering = ("destruction", "storage_key")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["destruction", "storage_key"], name="file_destroyed_once_per_destruction")
        ]

    def __str__(self) -> str:
        return self.storage_key
