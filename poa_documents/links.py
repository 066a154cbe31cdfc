"""
The customer's link: one POA, one secret of 256 random bits of which only the hash is kept, and a day on which it ends.

A link alone opens nothing: it names the POA, and a code sent to the customer's address opens the door (`doors`).
Looking a link up changes nothing, however often mail scanners and previews do it.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse

from core.company import rules_at
from core.dates import chicago_midnight
from poa_documents.models import LinkEnd, PoaDocument, RetiredLink

TOKEN_BYTES = 32
DAYS_AFTER_SUNSET = 90
CODE_MINUTES = 10
"""How long a mailed code that opens a link is good for."""
IDLE_MINUTES = 30
"""Minutes without a click after which a customer's pages ask for a new code."""


class LinkUnknown(Exception):
    """No POA answers to this link: it was mistyped, cut off, or replaced by a newer one."""


class LinkExpired(Exception):
    """The link was ours, but its time is over. `poa` is whose it was."""

    def __init__(self, poa: PoaDocument) -> None:
        super().__init__(f"The link of POA {poa.pk} has expired.")
        self.poa = poa


class LinkRetired(Exception):
    """The link was ours, but was ended before its time. `because` says by what."""

    def __init__(self, because: LinkEnd) -> None:
        super().__init__(because.label)
        self.because = because


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def link_expiry(at: datetime) -> datetime:
    """How long an invitation sent at that instant may be used to sign."""
    return at + timedelta(days=rules_at(at).link_days)


def signed_link_expiry(poa: PoaDocument, *, at: datetime) -> datetime:
    """Return when a link to the page of a signed POA ends: well after the sunset, later for one that is made later."""
    return max(chicago_midnight(poa.envelope.sunset_date + timedelta(days=DAYS_AFTER_SUNSET)), link_expiry(at))


def address_of(token: str) -> str:
    """Give the full address for a mail. It is never logged, stored or shown to staff."""
    return settings.SITE_URL.rstrip("/") + reverse("portal:home", kwargs={"token": token})


def find_poa(token: str, *, at: datetime) -> PoaDocument:
    """
    Find the POA that a link names, whatever its status.

    :raises LinkUnknown: no POA has it
    :raises LinkRetired: a newer one was sent, or the customer's address is another one now
    :raises LinkExpired: its time is over
    """
    token_hash = hash_of(token)
    poa = (
        PoaDocument.objects.select_related("customer", "site", "envelope", "promise", "template")
        .filter(token_hash=token_hash)
        .first()
    )
    if poa is None:
        retired = RetiredLink.objects.filter(token_hash=token_hash).first()
        raise LinkRetired(LinkEnd(retired.because)) if retired else LinkUnknown
    if poa.link_sent_to != poa.customer.email:  # at once, also before anybody settled the change
        raise LinkRetired(LinkEnd.ADDRESS_CHANGED)
    if poa.token_expires_at is None or poa.token_expires_at <= at:
        raise LinkExpired(poa)
    return poa
