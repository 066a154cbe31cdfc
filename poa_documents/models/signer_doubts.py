"""Doubts whether the customer signed, and the proof that cleared them."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from core.actors import ActorField
from core.dates import chicago_day, short_date
from core.public_records import PublicRecord
from installations.models import ContactProof
from poa_documents.models.documents import PoaDocument


class DoubtReason(models.TextChoices):
    """Why a signature needs more proof than the mailed code."""

    ADDRESS_CHANGED = "ADDRESS_CHANGED", "The address was changed after the invitation"
    SIGNED_AFTER_CHANGE = "SIGNED_AFTER_CHANGE", "Signed right after a change of address"
    STAFF_ADDRESS = "STAFF_ADDRESS", "The address belongs to staff or to the company"
    SHARED_CONTACT = "SHARED_CONTACT", "Several customers share the address or phone number"
    STAFF_DEVICE = "STAFF_DEVICE", "Signed from a connection or browser that staff used"
    FIRST_ADDRESS = "FIRST_ADDRESS", "Company rule: a second person confirms"


class SignerDoubt(PublicRecord):
    """
    One reason why a signature gives no authority yet. Only proof from the customer clears it.
    """

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="signer_doubts")
    reason = models.CharField(max_length=20, choices=DoubtReason.choices)
    because = models.TextField(help_text="What was seen.")
    noted_at = models.DateTimeField()
    proof = models.CharField(max_length=20, choices=ContactProof.choices, blank=True)
    cleared_at = models.DateTimeField(null=True, blank=True)
    cleared_by = ActorField(blank=True)

    class Meta:
        ordering = ("noted_at", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["poa", "reason"], name="one_doubt_of_a_kind_per_signature"),
            models.CheckConstraint(
                condition=Q(cleared_at__isnull=True, cleared_by="", proof="")
                | (Q(cleared_at__isnull=False) & ~Q(cleared_by="") & ~Q(proof="")),
                name="doubt_cleared_when_by_whom_and_how",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["poa"], condition=Q(cleared_at__isnull=True), name="doubt_still_open"),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}, {short_date(chicago_day(self.noted_at))}"
