"""Retired links and mailed codes."""

from typing import ClassVar

from django.db import models

from core.dates import chicago_day, short_date
from core.public_records import PublicRecord
from poa_documents.models.documents import PoaDocument
from poa_documents.models.mails import CustomerMail


class LinkEnd(models.TextChoices):
    NEWER = "NEWER", "A newer link was sent"
    ADDRESS_CHANGED = "ADDRESS_CHANGED", "The customer's e-mail address changed"


class RetiredLink(PublicRecord):
    """The hash of a link that no longer works, so that its page can explain why."""

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="retired_links")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    because = models.CharField(max_length=20, choices=LinkEnd.choices)
    retired_at = models.DateTimeField()

    class Meta:
        ordering = ("retired_at", "pk")

    def __str__(self) -> str:
        return f"Link retired on {short_date(chicago_day(self.retired_at))}"


class ContactCode(PublicRecord):
    """
    A code requested by one browser. Anyone who types it there has access to the customer's mail.

    Only a keyed hash is stored, made when the mail is sent. Tries are counted per browser, so that someone else's
    guesses never use up the customer's code.
    """

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="contact_codes")
    mail = models.OneToOneField(CustomerMail, on_delete=models.PROTECT, related_name="contact_code")
    browser_hash = models.CharField(max_length=64, editable=False)
    asked_at = models.DateTimeField(db_index=True)
    asked_from_ip = models.GenericIPAddressField(null=True, blank=True)
    code_hash = models.CharField(max_length=64, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    sent_to = models.EmailField(blank=True)
    wrong_tries = models.PositiveSmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True, blank=True)
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("asked_at", "pk")
        indexes: ClassVar = [models.Index(fields=["poa", "browser_hash", "asked_at"], name="codes_of_a_browser")]

    def __str__(self) -> str:
        return f"Code of {short_date(chicago_day(self.asked_at))}"
