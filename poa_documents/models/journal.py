"""Rows that nobody may change: entries, proofs of destruction, anchors."""

from typing import Any, ClassVar

from django.db import models

from core.actors import ActorField
from poa_documents.models.documents import PoaDocument


class JournalIsFinal(Exception):
    """Rows of the journal are only ever added. A correction is an entry of its own."""

    def __init__(self, row: "JournalRow") -> None:
        super().__init__(f"{row} is written and stays: add another instead.")


class JournalRow(models.Model):
    """A row that is only ever added: by the code, and by triggers of the database that refuse everything else."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """:raises JournalIsFinal: the row is written already"""
        if not self._state.adding:
            raise JournalIsFinal(self)
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        """:raises JournalIsFinal: always"""
        raise JournalIsFinal(self)


class EvidenceEntry(JournalRow):
    """
    One row of a POA's journal, carrying the hash of the row before. Rows are only ever added.

    This floor and the one above write it, through `evidence.record`.
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
        return f"{self.number}. {self.kind}"


class DestructionProof(JournalRow):
    """
    That the journal of one POA was destroyed when its time to be kept was over. The proofs are a chain of their own.

    The database lets entries go only where such a proof stands, and keeps the proof for good. It names no person: the
    POA by its number, and what was destroyed by count and last hash.
    """

    number = models.PositiveIntegerField(unique=True, help_text="1, 2, 3 … over all proofs.")
    poa_number = models.PositiveBigIntegerField()
    entries = models.PositiveIntegerField(help_text="How many entries there were; the first of them was number 1.")
    head_sha256 = models.CharField("SHA-256 of the last entry", max_length=64)
    reason = models.TextField()
    actor = ActorField()
    at = models.DateTimeField()
    previous_sha256 = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64)

    class Meta:
        ordering = ("number",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["poa_number", "entries"], name="one_proof_per_destruction")
        ]

    def __str__(self) -> str:
        return f"{self.number}. Journal of POA {self.poa_number}, {self.entries} entries"


class JournalAnchor(JournalRow):
    """
    The heads of all journals at one instant, kept outside the database: a file in the storage under its own hash.

    Each anchor names the one before. What is cut off or rewritten later no longer fits the anchors that saw it.
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
        return f"Anchor {self.number} of {self.made_at:%Y-%m-%d}"
