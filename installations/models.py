"""Customers, sites, installations and their go-live reports."""

from datetime import date
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from phonenumber_field.modelfields import PhoneNumberField

from core.actors import ActorField
from core.dates import chicago_day, short_date
from core.encryption import EncryptedTextField
from core.public_records import MirroredRecord, PublicRecord
from core.staff_formats import describe_event
from installations.states import CURRENT_REPORT_STATUSES, GoLiveReportStatus, InstallationStatus


class Language(models.TextChoices):
    ENGLISH = "en", _("English")
    SPANISH = "es", _("Spanish")


class Customer(MirroredRecord):
    """A person who bought hardware. Never add a field for a Social Security number or a card number."""

    first_name = models.CharField(max_length=100)
    last_name = models.CharField(max_length=100)
    email = models.EmailField(help_text="Invitations and copies go here.")
    phone = PhoneNumberField(region="US", blank=True)
    date_of_birth_text = EncryptedTextField(
        "date of birth", blank=True, default="", help_text="YYYY-MM-DD; encrypted in the database."
    )
    language = models.CharField(max_length=2, choices=Language.choices, default=Language.ENGLISH)
    contact_verified_at = models.DateTimeField(null=True, blank=True)
    registered_by = ActorField(blank=True, help_text="Who put the customer and the first address on file.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("last_name", "first_name", "pk")
        indexes: ClassVar = [models.Index(fields=["updated_at"], name="customer_updated")]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def date_of_birth(self) -> date | None:
        return date.fromisoformat(self.date_of_birth_text) if self.date_of_birth_text else None


class ContactProof(models.TextChoices):
    """How the customer proved that an e-mail address, or a questioned signature, is theirs."""

    EARLIER_ADDRESS_CODE = "EARLIER_ADDRESS_CODE", "Code mailed to the earlier address"
    CALL_BACK = "CALL_BACK", "Call-back by a second person"


class ContactChange(PublicRecord):
    """
    One change of a customer's e-mail address or phone number by the office.

    After the invitation, the customer must prove a new address before an account is opened at Light with it.
    """

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="contact_changes")
    old_email = models.EmailField()
    new_email = models.EmailField()
    old_phone = models.CharField(max_length=128, blank=True)
    new_phone = models.CharField(max_length=128, blank=True)
    changed_at = models.DateTimeField()
    changed_by = ActorField()
    proof = models.CharField(max_length=20, choices=ContactProof.choices, blank=True)
    proved_at = models.DateTimeField(null=True, blank=True)
    proved_by = ActorField(blank=True)
    settled_at = models.DateTimeField(
        null=True,
        blank=True,
        db_index=True,
        help_text="When the old address was notified and its links stopped working.",
    )

    class Meta:
        ordering = ("changed_at", "pk")

    def __str__(self) -> str:
        return f"Contact change of {short_date(chicago_day(self.changed_at))}"


class Site(MirroredRecord):
    """One premise with one meter, identified by its ESI ID."""

    address_1 = models.CharField("street address", max_length=200)
    address_2 = models.CharField("apartment or suite", max_length=100, blank=True)
    city = models.CharField(max_length=100)
    state = models.CharField(max_length=2, default="TX")
    postal_code = models.CharField("ZIP code", max_length=10)
    esi_id = models.CharField("ESI ID", max_length=22, unique=True, help_text="Digits as text, never a number.")
    tdu_code = models.CharField("wires company", max_length=30, blank=True, help_text="Derived from the ESI ID.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("city", "address_1", "pk")
        indexes: ClassVar = [models.Index(fields=["updated_at"], name="site_updated")]

    def __str__(self) -> str:
        return f"{self.address_1}, {self.city}"


class HardwareKind(models.TextChoices):
    SOLAR = "SOLAR", _("Solar")
    BATTERY = "BATTERY", _("Battery")
    EV_CHARGER = "EV_CHARGER", _("EV charger")


class Installation(MirroredRecord):
    """One hardware job at one site."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="installations")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="installations")
    kind = models.CharField(max_length=12, choices=HardwareKind.choices)
    size_kw = models.DecimalField("size, kW AC", max_digits=8, decimal_places=3, null=True, blank=True)
    contract_signed_date = models.DateField()
    embargo_end_date = models.DateField(
        null=True,
        blank=True,
        help_text="Last day on which the buyer may cancel the sale. Nothing is sent to Light until it is over.",
    )
    technician = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="installations"
    )
    scheduled_date = models.DateField(null=True, blank=True)
    status = models.CharField(
        max_length=30, choices=InstallationStatus.choices, default=InstallationStatus.SOLD, editable=False
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("scheduled_date", "pk")
        indexes: ClassVar = [models.Index(fields=["updated_at"], name="installation_updated")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at {self.site}"

    @property
    def goes_live_by_pto(self) -> bool:
        """EV chargers need no permission from the utility. They go live when they are commissioned."""
        return self.kind != HardwareKind.EV_CHARGER


class InstallationEvent(PublicRecord):
    """One move of an installation, or another action on it."""

    installation = models.ForeignKey(Installation, on_delete=models.PROTECT, related_name="events")
    name = models.CharField(max_length=60)
    old_status = models.CharField(max_length=30, blank=True)
    new_status = models.CharField(max_length=30, blank=True)
    actor = ActorField()
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("at", "pk")

    def __str__(self) -> str:
        return describe_event(self.name)


class GoLiveSource(models.TextChoices):
    LETTER = "LETTER", _("Letter from the utility")
    PORTAL = "PORTAL", _("Utility's web portal")
    EMAIL = "E_MAIL", _("E-mail from the utility")
    CALL = "CALL", _("Phone call")
    ON_SITE = "ON_SITE", _("Commissioned on site")


class GoLiveReport(MirroredRecord):
    """
    A report of the utility's permission to operate, or of an EV charger's commissioning.

    Reports are never overwritten. A correction is a new report that refers to the one it corrects.
    """

    installation = models.ForeignKey(Installation, on_delete=models.PROTECT, related_name="reports")
    submission_id = models.UUIDField(
        unique=True, help_text="Created by the form, so that a form sent twice counts once."
    )
    granted_date = models.DateField()
    source = models.CharField(max_length=10, choices=GoLiveSource.choices)
    utility_reference = models.CharField(max_length=60, blank=True)
    note = models.TextField(blank=True)
    status = models.CharField(max_length=20, choices=GoLiveReportStatus.choices, editable=False)
    reported_by = ActorField()
    device_at = models.DateTimeField(null=True, blank=True, help_text="Time of the report by the device's own clock.")
    received_at = models.DateTimeField()
    confirmed_by = ActorField(blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    corrects = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="corrected_by"
    )
    compared_with = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="others",
        help_text="The current report that this one agrees or conflicts with.",
    )
    closing_reason = models.TextField(blank=True, help_text="Why it was corrected or withdrawn.")

    class Meta:
        verbose_name = "go-live report"
        ordering = ("-received_at", "-pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["installation"],
                condition=Q(status__in=sorted(CURRENT_REPORT_STATUSES)),
                name="one_current_report_per_installation",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True, confirmed_by="")
                | (Q(confirmed_at__isnull=False) & ~Q(confirmed_by="")),
                name="report_confirmed_by_whom_and_when",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["updated_at"], name="go_live_report_updated")]

    def __str__(self) -> str:
        return f"{short_date(self.granted_date)} for {self.installation}"


class StoredProof(models.Model):
    """
    A checked photo or PDF in private storage, and the original bytes if they differ.

    While the storage is down, the bytes are kept in `unstored_content` and `unstored_received`. A sweep stores them
    later and empties both fields.
    """

    storage_key = models.CharField(max_length=200, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64)
    received_sha256 = models.CharField(
        "SHA-256 of the original", max_length=64, help_text="Hash of the file as sent, before metadata was removed."
    )
    size_bytes = models.PositiveIntegerField()
    content_type = models.CharField(max_length=40)
    original_name = models.CharField(max_length=200)
    unstored_content = models.BinaryField(null=True, blank=True)
    received_storage_key = models.CharField(max_length=200, blank=True, default="")
    received_size_bytes = models.PositiveIntegerField("size of the original", null=True, blank=True)
    unstored_received = models.BinaryField(null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.original_name


class ProofFile(MirroredRecord, StoredProof):
    """A photo or PDF that proves a go-live report."""

    report = models.ForeignKey(GoLiveReport, on_delete=models.PROTECT, related_name="proofs")

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["report", "received_sha256"], name="same_proof_once_per_report")
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(unstored_content__isnull=False), name="proof_not_stored_yet"),
        ]


class KeptProof(PublicRecord, StoredProof):
    """A valid proof from a form that was not accepted yet. It is attached to the report once the form is accepted."""

    installation = models.ForeignKey(Installation, on_delete=models.PROTECT, related_name="kept_proofs")
    submission_id = models.UUIDField()
    kept_by = ActorField()
    kept_at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["submission_id", "kept_by", "received_sha256"], name="same_proof_kept_once_per_submission"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(unstored_content__isnull=False), name="kept_proof_not_stored_yet"),
        ]
