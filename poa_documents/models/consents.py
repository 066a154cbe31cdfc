"""What customers were shown and agreed to, on the page or on paper."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from core.actors import ActorField
from core.dates import chicago_day, short_date
from core.public_records import PublicRecord
from installations.models import Language
from poa_documents.models.documents import PoaDocument


class Statement(models.TextChoices):
    """What a customer consents to, in page order. Source: domain notes, section 5."""

    BROKER_FACTS = "BROKER_FACTS", "Broker facts"
    ERECORD = "ERECORD", "Electronic records"
    SUMMARY = "SUMMARY", "Plain summary"
    ACTS_FOR_ME = "ACTS_FOR_ME", "The installer acts for me"
    LIMITS = "LIMITS", "Plan limits"
    TIMING = "TIMING", "Timing"
    ADULT = "ADULT", "Adult and authorized for the premise"
    DOCUMENT = "DOCUMENT", "The document"


class ConsentRecord(PublicRecord):
    """
    A customer's agreement to one statement: which words, when, and from where.

    It counts for those words only. After a change of language or wording the statement is asked again, and both records
    stay.
    """

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="consents")
    statement = models.CharField(max_length=20, choices=Statement.choices)
    wording_version = models.PositiveIntegerField()
    words = models.TextField(help_text="The exact words shown.")
    wording_sha256 = models.CharField("SHA-256 of the words shown", max_length=64)
    language = models.CharField(max_length=2, choices=Language.choices)
    given_at = models.DateTimeField()
    ip_address = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("given_at", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["poa", "statement", "wording_sha256"], name="one_consent_per_words_shown")
        ]

    def __str__(self) -> str:
        return f"{self.get_statement_display()}, {short_date(chicago_day(self.given_at))}"


class PaperSignature(PublicRecord):
    """
    A signature by hand on paper. One person uploads the scan, another compares and confirms it.

    It gives no authority before that. A rejected scan is kept with the reason.
    """

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="paper_signatures")
    signed_date = models.DateField(help_text="The date that the customer wrote next to the signature.")
    document_sha256 = models.CharField("SHA-256 of the words printed", max_length=64)
    scan_storage_key = models.CharField(max_length=200)
    scan_sha256 = models.CharField("SHA-256 of the scan", max_length=64)
    scan_size_bytes = models.PositiveIntegerField()
    scan_content_type = models.CharField(max_length=40)
    received_storage_key = models.CharField(
        max_length=200, blank=True, default="", help_text="The scan as received. The one above may be a converted copy."
    )
    received_sha256 = models.CharField("SHA-256 as received", max_length=64, blank=True, default="")
    received_size_bytes = models.PositiveIntegerField("size as received", null=True, blank=True)
    recorded_by = ActorField()
    recorded_at = models.DateTimeField()
    confirmed_by = ActorField(blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    refused_by = ActorField(blank=True)
    refused_at = models.DateTimeField(null=True, blank=True)
    refused_because = models.TextField(blank=True)

    class Meta:
        ordering = ("recorded_at", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["poa"], condition=Q(refused_at__isnull=True), name="one_paper_signature_per_poa"
            ),
            models.CheckConstraint(condition=~Q(confirmed_by=F("recorded_by")), name="paper_needs_two_people"),
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True, confirmed_by="")
                | (Q(confirmed_at__isnull=False, refused_at__isnull=True) & ~Q(confirmed_by="")),
                name="paper_is_confirmed_or_refused",
            ),
        ]

    def __str__(self) -> str:
        return f"Paper signature of {short_date(self.signed_date)}"
