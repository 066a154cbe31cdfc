"""Append-only rows: evidence entries, proofs of destruction, anchors."""

from typing import Any, ClassVar

from django.db import models

from core.actors import ActorField
from core.dates import short_date
from core.public_records import PublicRecord
from core.staff_formats import describe_event
from poa_documents.models.documents import PoaDocument


class JournalIsFinal(Exception):
    """Journal rows cannot be changed or deleted. A correction is a new entry."""

    def __init__(self, row: "JournalRow") -> None:
        super().__init__(f"{row} cannot be changed. Add a new entry instead.")


class JournalRow(PublicRecord):
    """An append-only row. The code and database triggers both reject changes."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """:raises JournalIsFinal: the row already exists"""
        if not self._state.adding:
            raise JournalIsFinal(self)
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        """:raises JournalIsFinal: always"""
        raise JournalIsFinal(self)


class EvidenceEntry(JournalRow):
    """
    One row of a POA's journal, with the hash of the row before it.

    This package and `enrollments` write it, through `chain.record`.
    """

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="evidence")
    number = models.PositiveIntegerField(help_text="1, 2, 3 … within the POA.")
    kind = models.CharField(max_length=60)
    actor = ActorField()
    at = models.DateTimeField()
    details = models.JSONField(default=dict)
    previous_sha256 = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64)

    class Meta:
        verbose_name_plural = "evidence entries"
        ordering = ("poa", "number")
        constraints: ClassVar = [models.UniqueConstraint(fields=["poa", "number"], name="evidence_numbers_run_on")]

    def __str__(self) -> str:
        return f"{self.number}. {describe_event(self.kind)}"


class DestructionProof(JournalRow):
    """
    Proof that the journal of one POA was destroyed after its retention period. The proofs are their own hash chain.

    The database allows entries to be deleted only if such a proof exists, and keeps the proof permanently. It names no
    person, only the POA's public ID, the count of the entries and their last hash.
    """

    number = models.PositiveIntegerField(unique=True, help_text="1, 2, 3 … over all proofs.")
    poa_public_id = models.UUIDField("power of attorney", editable=False)
    entries = models.PositiveIntegerField(help_text="How many entries there were. The first one was number 1.")
    head_sha256 = models.CharField("SHA-256 of the last entry", max_length=64)
    reason = models.TextField()
    actor = ActorField()
    at = models.DateTimeField()
    previous_sha256 = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64)

    class Meta:
        ordering = ("number",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["poa_public_id", "entries"], name="one_proof_per_destruction")
        ]

    def __str__(self) -> str:
        return f"{self.number}. Journal of a power of attorney, {self.entries} entries"


class JournalAnchor(JournalRow):
    """
    The last hashes of all journals at one instant, stored outside the database as a file named by its own hash.

    Each anchor names the one before. If a journal is cut off or rewritten later, it no longer matches earlier anchors.
    """

    number = models.PositiveIntegerField(unique=True, help_text="1, 2, 3 … over all anchors.")
    made_at = models.DateTimeField()
    chains = models.PositiveIntegerField()
    entries = models.PositiveBigIntegerField()
    problem = models.TextField(blank=True, help_text="What was wrong with the journal when it was anchored.")
    storage_key = models.CharField(max_length=200)
    sha256 = models.CharField("SHA-256 of the file", max_length=64)
    size_bytes = models.PositiveIntegerField()
    previous_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ("number",)

    def __str__(self) -> str:
        return f"Anchor {self.number} of {short_date(self.made_at)}"
