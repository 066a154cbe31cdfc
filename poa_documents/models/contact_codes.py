"""The way in: links that ended, and codes that were mailed."""

from typing import ClassVar

from django.db import models

from poa_documents.models.documents import PoaDocument
from poa_documents.models.mails import CustomerMail


class LinkEnd(models.TextChoices):
    NEWER = "NEWER", "A newer link was sent"
    ADDRESS_CHANGED = "ADDRESS_CHANGED", "The customer's e-mail address changed"


class RetiredLink(models.Model):
    """The hash of a link that no longer works, so that its page can say why and what to do."""

    poa = models.ForeignKey(PoaDocument, on_delete=models.PROTECT, related_name="retired_links")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    because = models.CharField(max_length=20, choices=LinkEnd.choices)
    retired_at = models.DateTimeField()

    class Meta:
        ordering = ("retired_at", "pk")

    def __str__(self) -> str:
        return f"Link {self.pk} of POA {self.poa_id}"


class ContactCode(models.Model):
    """
    A code that one browser asked for: whoever types it there has read the customer's mail.

    Only its keyed hash is kept, made when the mail is sent. Tries count for the browser that asked, so that somebody
    else's guesses never use up the customer's own code.
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
    left_at = models.DateTimeField("door shut by the visitor", null=True, blank=True)

    class Meta:
        ordering = ("asked_at", "pk")
        indexes: ClassVar = [models.Index(fields=["poa", "browser_hash", "asked_at"], name="codes_of_a_browser")]

    def __str__(self) -> str:
        return f"Code {self.pk} for POA {self.poa_id}"
