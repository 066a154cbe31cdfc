"""
The customer's link: it names one POA by a secret of 256 random bits, of which only the hash is stored, and expires.

A link alone opens nothing. A code sent to the customer's address starts a session (`portal.browser_sessions`). Looking
up a link changes nothing, no matter how often mail scanners and previews do it.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse

from core.company_rules import rules_at
from core.dates import chicago_midnight
from poa_documents.models import LinkEnd, PoaDocument, RetiredLink

TOKEN_BYTES = 32
DAYS_AFTER_SUNSET = 90
CODE_MINUTES = 10
"""How long a mailed code is valid."""
IDLE_MINUTES = 30
"""Idle minutes after which the customer's pages ask for a new code."""


class LinkUnknown(Exception):
    """No POA has this link. It was mistyped or cut off."""


class LinkExpired(Exception):
    """The link has expired. `poa` is the POA it belonged to."""

    def __init__(self, poa: PoaDocument) -> None:
        super().__init__(f"The link of {poa} has expired.")
        self.poa = poa


class LinkRetired(Exception):
    """The link was ended before it expired. `because` says why."""

    def __init__(self, because: LinkEnd) -> None:
        super().__init__(because.label)
        self.because = because


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def link_expiry(at: datetime) -> datetime:
    """Return when an invitation sent at that instant expires."""
    return at + timedelta(days=rules_at(at).link_days)


def signed_link_expiry(poa: PoaDocument, *, at: datetime) -> datetime:
    """Return when a link to a signed POA expires: well after the POA's last day, and later for a link made later."""
    return max(chicago_midnight(poa.envelope.sunset_date + timedelta(days=DAYS_AFTER_SUNSET)), link_expiry(at))


def address_of(token: str) -> str:
    """Return the full URL for a mail. It is never logged, stored or shown to staff."""
    return settings.SITE_URL.rstrip("/") + reverse("portal:home", kwargs={"token": token})


def find_poa(token: str, *, at: datetime) -> PoaDocument:
    """
    Find the POA that a link names, whatever its status.

    :raises LinkUnknown: no POA has it
    :raises LinkRetired: a newer link was sent, or the customer's address changed
    :raises LinkExpired: it has expired
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
    if poa.link_sent_to != poa.customer.email:  # takes effect at once, before the change is settled
        raise LinkRetired(LinkEnd.ADDRESS_CHANGED)
    if poa.token_expires_at is None or poa.token_expires_at <= at:
        raise LinkExpired(poa)
    return poa
