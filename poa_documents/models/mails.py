"""Mails to customers, what happened to them, and addresses that do not work."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q

from core.actors import ActorField
from core.dates import chicago_day, short_date
from core.public_records import MirroredRecord, PublicRecord
from installations.models import Customer
from poa_documents.models.documents import PoaDocument


class MailKind(models.TextChoices):
    INVITATION = "INVITATION", "Invitation to sign"
    REMINDER = "REMINDER", "Reminder to sign"
    SIGNED_COPY = "SIGNED_COPY", "Copy of the signed document"
    DECLINED_RECEIPT = "DECLINED_RECEIPT", "Receipt for declining"
    REVOKED_RECEIPT = "REVOKED_RECEIPT", "Receipt for revoking"
    PAPER_RECEIPT = "PAPER_RECEIPT", "Receipt for switching to paper"
    HOME_LINK = "HOME_LINK", "New link to the customer's page"
    CODE = "CODE", "Code for opening the link"
    SAFER_LINK = "SAFER_LINK", "New link after too many codes"
    ADDRESS_CHANGED = "ADDRESS_CHANGED", "Notice to the old e-mail address"
    DETAILS_MISSING = "DETAILS_MISSING", "Customer's turn: details missing at Light"
    CREDIT_FROZEN = "CREDIT_FROZEN", "Customer's turn: credit file frozen"
    GO_LIVE_RECEIVED = "GO_LIVE_RECEIVED", "News: permission to operate received"
    ADVANCE_NOTICE = "ADVANCE_NOTICE", "Notice before a plan is accepted"
    PLAN_ACCEPTED = "PLAN_ACCEPTED", "News: a plan was accepted"
    SERVICE_ACTIVE = "SERVICE_ACTIVE", "News: service is active"
    SERVICE_ENDS = "SERVICE_ENDS", "News: service ends"


TURN_MAILS = frozenset({MailKind.DETAILS_MISSING, MailKind.CREDIT_FROZEN})
"""Mails that tell customers it is their turn. Each has a new link, like a reminder to sign."""


CASE_MAILS = TURN_MAILS | {
    MailKind.GO_LIVE_RECEIVED,
    MailKind.ADVANCE_NOTICE,
    MailKind.PLAN_ACCEPTED,
    MailKind.SERVICE_ACTIVE,
    MailKind.SERVICE_ENDS,
}
"""Mails about an enrollment. `enrollments` creates them, writes their text and checks that it is still true."""


LINK_MAILS = TURN_MAILS | {
    MailKind.INVITATION,
    MailKind.REMINDER,
    MailKind.HOME_LINK,
    MailKind.SAFER_LINK,
    MailKind.ADVANCE_NOTICE,
}
"""Mails with a link. Each new link ends the one before."""


SIGNING_MAILS = frozenset({MailKind.INVITATION, MailKind.REMINDER})
"""Mails that ask for a signature. Only the newest one has a working link."""


MAIL_ATTEMPTS = 8


TO_BE_POSTED = "The customer wants paper. Print the letter, mail it, then mark it as mailed."


POSTED = "Mailed on paper"


class MailState(models.TextChoices):
    """The state of a mail. Computed from its columns, never stored."""

    QUEUED = "QUEUED", "Waiting"
    RETRYING = "RETRYING", "Failed, will be retried"
    HELD = "HELD", "Held back: the address does not work"
    SENT = "SENT", "Sent"
    UNCERTAIN = "UNCERTAIN", "Unknown whether it was sent"
    RETURNED = "RETURNED", "Returned as undeliverable"
    FAILED = "FAILED", "Given up"
    TO_BE_POSTED = "TO_BE_POSTED", "To be mailed on paper"
    POSTED = "POSTED", "Mailed on paper"
    OVERTAKEN = "OVERTAKEN", "No longer needed"


class CustomerMailQuerySet(models.QuerySet["CustomerMail"]):
    def unsent(self) -> "CustomerMailQuerySet":
        return self.filter(sent_at__isnull=True, not_needed_at__isnull=True)

    def due(self, at: datetime) -> "CustomerMailQuerySet":
        """Mails to send now, except those about an enrollment."""
        return self.unsent().filter(due_at__lte=at).exclude(kind__in=sorted(CASE_MAILS))

    def due_about_cases(self, at: datetime) -> "CustomerMailQuerySet":
        """Mails about an enrollment to send now."""
        return self.unsent().filter(due_at__lte=at, kind__in=sorted(CASE_MAILS))

    def blocked(self) -> "CustomerMailQuerySet":
        """Mails that were given up after repeated failures. Someone must check the address."""
        return self.unsent().filter(due_at__isnull=True, held_since__isnull=True)

    def in_trouble(self) -> "CustomerMailQuerySet":
        """Mails that staff should know about: failing, given up, held back or returned."""
        failing = Q(sent_at__isnull=True, not_needed_at__isnull=True) & (
            ~Q(last_error="") | Q(held_since__isnull=False)
        )
        return self.filter(failing | Q(returned_at__isnull=False, is_return_settled=False))


class CustomerMail(MirroredRecord):
    """
    One mail to a customer. The text is written when it is sent, so links are never stored.
    """

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="mails")
    kind = models.CharField(max_length=20, choices=MailKind.choices)
    case_number = models.PositiveBigIntegerField(
        null=True, blank=True, db_index=True, help_text="The enrollment it is about, if any."
    )
    once_key = models.CharField(
        max_length=80, blank=True, editable=False, help_text="Prevents sending the same mail twice, such as a reminder."
    )
    to_address = models.EmailField(blank=True, help_text="Set if it does not go to the customer's address on file.")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    held_since = models.DateTimeField(
        null=True, blank=True, help_text="Waiting since then because mail to the address is returned."
    )
    tried_at = models.DateTimeField(null=True, blank=True, help_text="When it was last handed to the mail server.")
    sent_to = models.EmailField(blank=True, help_text="The address it was last sent to.")
    message_id = models.CharField(
        max_length=120,
        blank=True,
        db_index=True,
        help_text="Its ID at the mail server, to match delivery reports.",
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    returned_at = models.DateTimeField(null=True, blank=True, help_text="When we learned that it was returned.")
    is_return_settled = models.BooleanField(
        default=False, help_text="Whether it was sent again after it was returned, or no longer needed to be."
    )
    not_needed_at = models.DateTimeField(
        null=True, blank=True, help_text="When it turned out to be out of date, so that nothing is sent."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(blank=True)
    letter = models.TextField(blank=True, editable=False, help_text="The text, if it must be mailed on paper.")

    objects = CustomerMailQuerySet.as_manager()

    class Meta:
        ordering = ("created_at", "pk")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["once_key"], condition=~Q(once_key=""), name="mail_scheduled_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {short_date(chicago_day(self.created_at))}"

    @property
    def is_blocked(self) -> bool:
        return self.state in {MailState.FAILED, MailState.TO_BE_POSTED}

    @property
    def is_in_trouble(self) -> bool:
        return self.state in {MailState.RETRYING, MailState.HELD, MailState.RETURNED} or self.is_blocked

    @property
    def state(self) -> MailState:
        if self.not_needed_at:
            return MailState.POSTED if self.last_error.startswith(POSTED) else MailState.OVERTAKEN
        if self.returned_at and not self.is_return_settled:
            return MailState.RETURNED
        if self.sent_at:
            return MailState.SENT
        if self.held_since:
            return MailState.HELD
        if self.due_at is None and self.last_error == TO_BE_POSTED:
            return MailState.TO_BE_POSTED
        if self.due_at is None:
            return MailState.FAILED if self.last_error else MailState.UNCERTAIN
        return MailState.RETRYING if self.last_error else MailState.QUEUED


class ReturnSource(models.TextChoices):
    MAIL_SERVER = "MAIL_SERVER", "The mail server refused it"
    PROVIDER = "PROVIDER", "The mail provider reported it"
    OFFICE = "OFFICE", "The office saw it"


class AddressFailure(PublicRecord):
    """
    Mail to a customer's address is returned. While this is open for the address on file, no mail is sent there.

    It ends when the address changes, when a mail is known to have arrived, or when the office closes it.
    """

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="address_failures")
    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="address_failures")
    mail = models.ForeignKey(CustomerMail, on_delete=models.PROTECT, related_name="address_failures")
    address = models.EmailField()
    source = models.CharField(max_length=12, choices=ReturnSource.choices)
    because = models.TextField(help_text="What the mail server, the provider or the office said.")
    since = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = ActorField(blank=True)
    ended_because = models.TextField(blank=True)

    class Meta:
        ordering = ("-since", "-pk")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["customer"], condition=Q(ended_at__isnull=True), name="one_open_address_failure_per_customer"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="address_failure_ended_by_whom",
            ),
        ]

    def __str__(self) -> str:
        return f"Mail to {self.address} is returned"


class MailReport(PublicRecord):
    """
    A delivery report from the mail provider, as received. Its signature is already verified.
    """

    event_key = models.CharField(
        max_length=100, unique=True, help_text="The report's own ID, or the hash of the body if it has none."
    )
    body = models.TextField(help_text="The raw body. Bytes that are not text are written as \\xNN.")
    received_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, null=True, blank=True, related_name="mail_reports")
    mail = models.ForeignKey(CustomerMail, on_delete=models.PROTECT, null=True, blank=True, related_name="reports")
    settled_at = models.DateTimeField(null=True, blank=True)
    outcome = models.TextField(blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        ordering = ("-received_at", "-pk")

    def __str__(self) -> str:
        return f"Mail report of {short_date(chicago_day(self.received_at))}"
