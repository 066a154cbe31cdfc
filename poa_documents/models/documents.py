"""The power of attorney itself, and what stops it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from core.actors import ActorField
from core.dates import chicago_day, short_date
from core.encryption import EncryptedTextField
from core.public_records import MirroredRecord, PublicRecord
from installations.models import Customer, Site
from poa_documents.models.limits import Envelope, PlanPromise
from poa_documents.models.wording import PoaTemplate
from poa_documents.states import ENDED_MAYBE_UNSTORED, EVER_SIGNED_STATUSES, OPEN_STATUSES, PoaStatus


class SignatureKind(models.TextChoices):
    DRAWN = "DRAWN", "Drawn"
    TYPED = "TYPED", "Typed"
    PAPER = "PAPER", "By hand on paper"


class RevocationChannel(models.TextChoices):
    PORTAL = "PORTAL", "Customer's page"
    PHONE = "PHONE", "Phone"
    EMAIL = "E_MAIL", "E-mail"
    LETTER = "LETTER", "Letter"
    TEXT = "TEXT", "Text message"
    IN_PERSON = "IN_PERSON", "In person"


class PoaDocument(MirroredRecord):
    """One limited power of attorney: one customer, one site, one envelope."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="poas")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="poas")
    template = models.ForeignKey(PoaTemplate, on_delete=models.PROTECT, related_name="documents")
    promise = models.ForeignKey(PlanPromise, on_delete=models.PROTECT, related_name="documents")
    envelope = models.OneToOneField(Envelope, on_delete=models.PROTECT, related_name="poa")
    status = models.CharField(max_length=12, choices=PoaStatus.choices, default=PoaStatus.DRAFT, editable=False)
    created_at = models.DateTimeField()

    token_hash = models.CharField(max_length=64, blank=True, editable=False)
    token_expires_at = models.DateTimeField(null=True, blank=True)
    link_made_at = models.DateTimeField(null=True, blank=True, editable=False)
    link_sent_to = models.EmailField(
        blank=True, editable=False, help_text="The link stops working as soon as the customer's address changes."
    )
    sent_at = models.DateTimeField(null=True, blank=True)

    signature_kind = models.CharField(max_length=5, choices=SignatureKind.choices, blank=True)
    signature_text = EncryptedTextField(
        blank=True, default="", editable=False, help_text="The typed name, or the drawn strokes as JSON points."
    )
    signed_at = models.DateTimeField(null=True, blank=True)
    signed_from_ip = models.GenericIPAddressField(null=True, blank=True)
    signed_user_agent = models.CharField(max_length=300, blank=True)
    document_sha256 = models.CharField(
        "SHA-256 of the text shown", max_length=64, blank=True, help_text="Hash of the exact text the customer saw."
    )

    pdf_storage_key = models.CharField(max_length=200, blank=True)
    pdf_sha256 = models.CharField("SHA-256 of the sealed file", max_length=64, blank=True)
    pdf_size_bytes = models.PositiveIntegerField(null=True, blank=True)
    sealed_at = models.DateTimeField(null=True, blank=True)
    seal_certificate_sha256 = models.CharField(
        "SHA-256 of the seal's certificate",
        max_length=64,
        blank=True,
        help_text="Empty for documents from before seals were introduced. Those are verified by their hash.",
    )
    timestamp_due_at = models.DateTimeField(
        null=True,
        blank=True,
        db_index=True,
        help_text="When to request the time stamp that was not available at sealing.",
    )
    file_checked_at = models.DateTimeField(null=True, blank=True, db_index=True)
    file_damaged_at = models.DateTimeField(
        null=True, blank=True, help_text="When the stored file was found to be missing, altered or wrongly sealed."
    )

    suspended_because = models.TextField(blank=True, help_text="The stop signal that someone must resolve.")
    ended_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was declined, voided, revoked or otherwise ended."
    )
    ended_because = models.TextField(blank=True)
    revocation_channel = models.CharField(max_length=10, choices=RevocationChannel.choices, blank=True)
    revocation_received_at = models.DateTimeField(
        null=True, blank=True, help_text="When we received the customer's message. It may have been recorded later."
    )
    paper_wanted_at = models.DateTimeField(
        "consent to electronic records withdrawn at",
        null=True,
        blank=True,
        help_text="From then on the customer gets everything on paper. What was signed before stays valid.",
    )
    paper_wanted_channel = models.CharField(max_length=10, choices=RevocationChannel.choices, blank=True)
    uses_made = models.PositiveSmallIntegerField(default=0, editable=False)

    due_at = models.DateTimeField(null=True, blank=True, db_index=True, help_text="When the sweep checks it next.")
    remind_at = models.DateTimeField(
        null=True, blank=True, db_index=True, help_text="When to check whether to remind the customer."
    )
    seal_failures = models.PositiveSmallIntegerField(default=0, editable=False)
    last_error = models.TextField(blank=True)

    class Meta:
        verbose_name = "power of attorney"
        verbose_name_plural = "powers of attorney"
        ordering = ("-created_at", "-pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site"],
                condition=Q(status__in=[PoaStatus.DRAFT, PoaStatus.SENT, PoaStatus.SEALING]),
                name="one_unsigned_poa_per_site",
            ),
            models.UniqueConstraint(
                fields=["token_hash"], condition=~Q(token_hash=""), name="signing_link_names_one_poa"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=sorted(EVER_SIGNED_STATUSES - ENDED_MAYBE_UNSTORED))
                | (Q(signed_at__isnull=False, sealed_at__isnull=False) & ~Q(pdf_sha256="") & ~Q(pdf_storage_key="")),
                name="signed_means_sealed_and_stored",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["updated_at"], name="poa_updated")]

    def __str__(self) -> str:
        return f"POA of {self.customer}, {short_date(chicago_day(self.created_at))}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES


class StopKind(models.TextChoices):
    DECEASED = "DECEASED", "The customer died"
    INCAPACITATED = "INCAPACITATED", "The customer can no longer decide"


class StopSignal(PublicRecord):
    """
    A report that a customer died or can no longer decide. Nothing is done in their name while it is open.

    It is about the person, so it covers all their powers of attorney at every site. Source: domain notes, section 5.
    """

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="stop_signals")
    kind = models.CharField(max_length=15, choices=StopKind.choices)
    source = models.TextField(help_text="Who reported it, and how they know.")
    received_at = models.DateTimeField(help_text="When the report reached us.")
    recorded_at = models.DateTimeField()
    recorded_by = ActorField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = ActorField(blank=True)
    decision = models.TextField(blank=True, help_text="What the office learned and decided.")

    class Meta:
        ordering = ("recorded_at", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["customer", "kind"], condition=Q(ended_at__isnull=True), name="one_open_stop_signal_of_a_kind"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="stop_signal_ended_when_and_by_whom",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.customer}"
