"""Acceptances. Each is recorded before it is sent."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from core.dates import short_date
from core.public_records import PublicRecord
from enrollments.models.cases import Enrollment
from enrollments.models.offers import PlanOffer
from enrollments.models.writes import LightWrite
from poa_documents.models import PoaDocument


class AcceptAttempt(PublicRecord):
    """One acceptance: the offer, the authority, the meter and the start. Recorded before the call."""

    write = models.OneToOneField(LightWrite, on_delete=models.PROTECT, related_name="acceptance")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="acceptances")
    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="acceptances")
    poa_sha256 = models.CharField("SHA-256 of the sealed POA", max_length=64)
    offer_sha256 = models.CharField(
        "SHA-256 of the offer", max_length=64, blank=True, help_text="Of the offer exactly as Light sent it."
    )
    poa_use = models.PositiveSmallIntegerField(default=1)
    offer = models.ForeignKey(PlanOffer, on_delete=models.PROTECT, related_name="acceptances")
    esi_id = models.CharField("ESI ID", max_length=22)
    service_start_date = models.DateField()
    chicago_date = models.DateField(help_text="The Chicago day on which it was sent.")
    succeeded = models.BooleanField(null=True, help_text="Empty while unknown.")

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["enrollment"], condition=Q(succeeded__isnull=True), name="one_open_acceptance_per_enrollment"
            ),
            models.UniqueConstraint(
                fields=["poa", "poa_use", "esi_id"],
                condition=Q(succeeded=True) | Q(succeeded__isnull=True),
                name="one_acceptance_per_authority_use_and_esi_id",
            ),
        ]

    def __str__(self) -> str:
        return f"Acceptance of {self.offer} from {short_date(self.service_start_date)}"
