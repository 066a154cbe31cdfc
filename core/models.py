"""Records shared by every package."""

from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from core.actors import ActorField
from core.encryption import EncryptedTextField
from core.public_records import PublicRecord


class CaseChange(models.Model):
    """
    Something about a site's case changed. Written in the same transaction as the change.

    `enrollments` deletes it after looking at the case, so a lost message only delays that until the next sweep.
    """

    site_id = models.PositiveBigIntegerField(db_index=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"Case of site {self.site_id} changed"


class LastSweep(models.Model):
    """When a sweep last ran. One row per kind of sweep, overwritten each time."""

    task = models.CharField(max_length=60, unique=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("task",)

    def __str__(self) -> str:
        return self.task


class WrongClock(models.Model):
    """The last problem seen with a machine's clock. One row per machine; ignore old ones."""

    machine = models.CharField(max_length=255, unique=True)
    problem = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ("machine",)

    def __str__(self) -> str:
        return self.machine


class IdempotentRequest(models.Model):
    """A write by another system and its answer. A repeat gets the same answer and does nothing."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=100)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=300)
    request_sha256 = models.CharField(max_length=64)
    response_status = models.PositiveSmallIntegerField()
    response_body = models.JSONField(null=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "key"], name="key_used_once_per_user")]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class OfficeAddress(models.Model):
    """An IP address that a staff member worked from, and when it was last used."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    ip_address = models.GenericIPAddressField()
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "ip_address"], name="address_once_per_user")]

    def __str__(self) -> str:
        return f"Address of user {self.user_id}"


class KeptForm(models.Model):
    """What someone typed on one page, so that a later page can show it again (`core.kept_forms`)."""

    key_hash = models.CharField(max_length=64, unique=True)
    text = EncryptedTextField()
    kept_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"Kept form {self.pk}"


class GoLiveConfirmation(models.TextChoices):
    """Which go-live reports wait for the office before they count."""

    WITHOUT_PROOF = "WITHOUT_PROOF", "Reports without proof"
    ALWAYS = "ALWAYS", "Every report"
    NEVER = "NEVER", "No report"


class RowIsFinal(Exception):
    """A row that is only ever added was to be changed or deleted."""


def _days(lowest: int, highest: int) -> list[Any]:
    return [MinValueValidator(lowest), MaxValueValidator(highest)]


class CompanyRules(PublicRecord):
    """
    What the company decides: who it is, and how it works with customers. Each row holds all of it, from a moment on.

    Rows are only ever added, through `core.company_rules`; triggers refuse everything else. So what applied
    at any moment can be shown later.
    """

    name = models.CharField("company name", max_length=120, help_text="As customers know it.")
    contact = models.CharField(
        max_length=200, help_text="How customers reach the company, in one line: phone number and e-mail address."
    )
    broker_number = models.CharField(
        "broker registration number",
        max_length=8,
        validators=[RegexValidator(r"\ABR[0-9]{6}\Z", "Type BR and six digits.")],
        help_text="The registration with the PUCT, shown to customers: BR and six digits.",
    )
    link_days = models.PositiveSmallIntegerField("days a signing link is valid", default=30, validators=_days(1, 365))
    reminder_first_days = models.PositiveSmallIntegerField(
        "days until the first reminder",
        default=3,
        validators=_days(0, 60),
        help_text="After the invitation, while the customer has not signed. 0: no reminders.",
    )
    reminder_every_days = models.PositiveSmallIntegerField("days between reminders", default=7, validators=_days(1, 60))
    max_reminders = models.PositiveSmallIntegerField("reminders per invitation", default=3, validators=_days(0, 20))
    reminder_from_hour = models.PositiveSmallIntegerField(
        "reminders go out from", default=9, validators=_days(0, 23), help_text="Hour of the day, Chicago time."
    )
    reminder_until_hour = models.PositiveSmallIntegerField(
        "reminders go out until", default=19, validators=_days(1, 24), help_text="Hour of the day, Chicago time."
    )
    advance_notice_days = models.PositiveSmallIntegerField(
        "days to object to a chosen plan",
        default=3,
        validators=_days(0, 14),
        help_text="Whole days between the notice to the customer and the acceptance. 0: accept at once.",
    )
    go_live_confirmation = models.CharField(
        "go-live reports the office confirms",
        max_length=13,
        choices=GoLiveConfirmation.choices,
        default=GoLiveConfirmation.WITHOUT_PROOF,
        help_text="Nobody confirms a report of their own. What the office reports without proof waits for a second "
        "person.",
    )
    solar_sale_can_be_canceled = models.BooleanField(
        "solar sales can be canceled for some days", default=True, help_text="The law says so. Keep it on."
    )
    battery_sale_can_be_canceled = models.BooleanField("battery sales can be canceled for some days", default=False)
    ev_charger_sale_can_be_canceled = models.BooleanField(
        "EV charger sales can be canceled for some days", default=False
    )
    call_back_for_first_address = models.BooleanField(
        "call every customer back",
        default=False,
        help_text="A second person calls also where the first e-mail address on file was used to sign. Without it, "
        "Light's own check of the customer's identity is the second proof.",
    )
    company_mail_domains = models.CharField(
        "the company's mail domains",
        max_length=300,
        blank=True,
        validators=[RegexValidator(r"\A[a-z0-9.-]+(, ?[a-z0-9.-]+)*\Z", "Type domains, separated by commas.")],
        help_text="Comma-separated. A customer with an address there is called back before anything is opened at "
        "Light. Empty: the domain that our mails come from.",
    )
    effective_from = models.DateTimeField("in effect from", db_index=True)
    decided_by = ActorField()
    decided_at = models.DateTimeField()
    reason = models.TextField("why")

    class Meta:
        verbose_name = "company rules"
        verbose_name_plural = "company rules"
        ordering = ("-effective_from", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(effective_from__gte=models.F("decided_at")), name="company_rules_never_for_the_past"
            ),
            models.CheckConstraint(
                condition=models.Q(reminder_until_hour__gt=models.F("reminder_from_hour")),
                name="company_rules_reminder_hours",
                violation_error_message="Reminders must stop later in the day than they begin.",
            ),
        ]

    def __str__(self) -> str:
        return f"Rules of {self.name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """:raises RowIsFinal: the row is written already"""
        if not self._state.adding:
            raise RowIsFinal(f"{self} are final. Decide new ones.")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        """:raises RowIsFinal: always"""
        raise RowIsFinal(f"{self} are final. Decide new ones.")

    @property
    def mail_domains(self) -> list[str]:
        return [domain.strip() for domain in self.company_mail_domains.split(",") if domain.strip()]
