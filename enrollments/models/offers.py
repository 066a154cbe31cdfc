"""Light's offers, their documents, and notices to customers about them."""

import hashlib
from datetime import date, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from core.dates import chicago_day, short_date
from core.public_records import MirroredRecord
from enrollments.models.cases import Enrollment
from enrollments.models.writes import LightWrite
from poa_documents.journal.chain import canonical_json
from poa_documents.models import MailKind, PoaDocument


class PlanOffer(MirroredRecord):
    """One priced plan as Light offered it, with our verdict."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="offers")
    write = models.ForeignKey(LightWrite, on_delete=models.PROTECT, related_name="offers")
    light_plan_uuid = models.UUIDField("Light plan")
    light_plan_group = models.UUIDField("Light plan group", null=True, blank=True)
    name = models.CharField(max_length=200, blank=True)
    esi_id = models.CharField("ESI ID", max_length=22)
    rate_kind = models.CharField(max_length=40, blank=True)
    term_months = models.PositiveSmallIntegerField(null=True, blank=True)
    average_cents_per_kwh_500 = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    average_cents_per_kwh_1000 = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    average_cents_per_kwh_2000 = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    energy_cents_per_kwh = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    delivery_cents_per_kwh = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    base_fee_dollars = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    termination_fee_dollars = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    buyback_cents_per_kwh = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    efl_url = models.CharField("EFL", max_length=500, blank=True)
    tos_url = models.CharField("TOS", max_length=500, blank=True)
    yrac_url = models.CharField("YRAC", max_length=500, blank=True)
    requested_at = models.DateTimeField()
    stale_at = models.DateTimeField(help_text="From then on, plans are requested again.")
    verdict = models.JSONField(default=list, help_text="For each field: the signed limit, the offer, whether it fits.")
    fits = models.BooleanField(default=False, help_text="Whether every limited field fits the envelope.")
    implausible_because = models.TextField(
        "implausible because", blank=True, help_text="Why these numbers cannot be right. Such a plan is not accepted."
    )
    raw = models.JSONField(default=dict, help_text="The plan exactly as Light sent it.")

    class Meta:
        ordering = ("-requested_at", "pk")

    def __str__(self) -> str:
        return self.name or str(self.light_plan_uuid)

    @property
    def raw_sha256(self) -> str:
        """The hash of the plan exactly as Light sent it, recorded with the evidence and the acceptance."""
        return hashlib.sha256(canonical_json(self.raw).encode()).hexdigest()


class PlanDocumentKind(models.TextChoices):
    """The documents that form the contract, along with the proof of enrollment. Source: domain notes, section 1."""

    EFL = "EFL", "Electricity Facts Label"
    TOS = "TOS", "Terms of Service"
    YRAC = "YRAC", "Your Rights as a Customer"


class PlanDocument(MirroredRecord):
    """
    A document of a plan that we attempted to accept. Its row is created with the attempt, and it is fetched afterward.

    The text at the URL may change later, so we store it as it was when the plan was accepted.
    """

    offer = models.ForeignKey(PlanOffer, on_delete=models.PROTECT, related_name="documents")
    kind = models.CharField(max_length=4, choices=PlanDocumentKind.choices)
    url = models.CharField("URL", max_length=500, blank=True)
    owed_since = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True, help_text="The next try; empty once given up.")
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(blank=True)
    stored_at = models.DateTimeField(null=True, blank=True)
    storage_key = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    size_bytes = models.PositiveIntegerField(null=True, blank=True)
    content_type = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ("offer", "kind")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["offer", "kind"], name="one_plan_document_per_offer_and_kind"),
            models.CheckConstraint(
                condition=Q(stored_at__isnull=True, storage_key="", sha256="", size_bytes__isnull=True)
                | (Q(stored_at__isnull=False, size_bytes__isnull=False) & ~Q(storage_key="") & ~Q(sha256="")),
                name="plan_document_stored_with_key_hash_and_size",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(stored_at__isnull=True), name="plan_document_due"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.offer}"


class AdvanceNotice(MirroredRecord):
    """
    A notice to the customer of the plan that will be accepted, its start, and until when they may object.

    The newest one counts. Nothing is accepted before it ends, and nothing on worse terms.
    """

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="notices")
    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="notices")
    offer = models.ForeignKey(PlanOffer, on_delete=models.PROTECT, related_name="notices")
    start_date = models.DateField(help_text="The start of service that was announced.")
    given_at = models.DateTimeField()
    until = models.DateTimeField(help_text="The plan may be accepted from this midnight in Chicago.")

    class Meta:
        ordering = ("given_at", "pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(until__gt=F("given_at")), name="notice_leaves_time_to_object"),
        ]

    def __str__(self) -> str:
        return f"Notice of {self.offer} from {short_date(self.start_date)}"

    @property
    def mail_key(self) -> str:
        """The unique key of the mail with this notice."""
        return f"case:{self.enrollment_id}:{MailKind.ADVANCE_NOTICE}:{self.pk}"

    @property
    def last_day(self) -> date:
        """The last Chicago day on which the customer may object."""
        return chicago_day(self.until) - timedelta(days=1)
