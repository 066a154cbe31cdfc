"""Time stamps of seals, and what issuers said about certificates."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from core.dates import chicago_time
from core.public_records import PublicRecord
from poa_documents.models.documents import PoaDocument


class SealTimestamp(PublicRecord):
    """
    A third party's time stamp (RFC 3161) for a POA's seal or sealed file.

    A time stamp inside the seal is saved before the file is stored, so that a second try produces the same bytes. If it
    is not available in time, one over the whole file is added later, stored separately from the unchanged file.
    """

    poa = models.OneToOneField(PoaDocument, on_delete=models.PROTECT, related_name="seal_timestamp")
    is_inside = models.BooleanField(help_text="Whether it is part of the seal. Otherwise it covers the whole file.")
    stamped_at = models.DateTimeField(help_text="The time according to the authority.")
    authority_sha256 = models.CharField("SHA-256 of the authority's certificate", max_length=64)
    token = models.BinaryField()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"Time stamp of {chicago_time(self.stamped_at)}"


class IssuersAnswer(PublicRecord):
    """
    What the issuers of a certificate said: not revoked, or revoked.

    They are asked in advance, so that no signature waits for an issuer. Answers are kept for a while, so that a second
    try to seal produces the same bytes. The certificate is that of the seal or of a time stamp authority.
    """

    certificate_sha256 = models.CharField("SHA-256 of the certificate", max_length=64, db_index=True)
    asked_at = models.DateTimeField(db_index=True)
    counts_from = models.DateTimeField(null=True, blank=True)
    counts_until = models.DateTimeField(null=True, blank=True)
    archive = models.BinaryField(blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    said = models.TextField(blank=True, help_text="What the issuer said about the revocation.")

    class Meta:
        ordering = ("-asked_at", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, counts_from__isnull=False, counts_until__isnull=False)
                | Q(revoked_at__isnull=False, counts_from__isnull=True, counts_until__isnull=True),
                name="answer_is_good_or_says_revoked",
            )
        ]

    def __str__(self) -> str:
        said = "revoked" if self.revoked_at else "not revoked"
        return f"{self.certificate_sha256[:8]}…, {said}, asked {chicago_time(self.asked_at)}"
