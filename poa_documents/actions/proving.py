"""
The customer proves to read the mail at the address on file: a code for one browser, asked for and typed there.

Tries and requests are counted per browser, so that whoever else holds the link cannot use up the customer's. Somebody
who asks under ever new browsers ends the link itself: the customer, and nobody else, gets a new one by mail.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from core.actors import SYSTEM, Actor
from installations.models import Customer
from poa_documents import evidence
from poa_documents.actions.drafting import owe_mail
from poa_documents.actions.returning import address_proved
from poa_documents.links import hash_of
from poa_documents.models import ContactCode, CustomerMail, MailKind, PoaDocument
from poa_documents.moves import lock

CODE_DIGITS = 6
TRIES_PER_CODE = 5
HOUR = timedelta(hours=1)
CODES_PER_BROWSER = 5
CODES_PER_LINK = 12


class ContactNotProved(Exception):
    """Nobody has shown yet to read the mail at the customer's address, so nobody can consent or sign."""


class TooManyCodes(Exception):
    """This browser asked for as many codes as an hour allows. `again_at` is when it may ask for another."""

    def __init__(self, again_at: datetime) -> None:
        super().__init__(f"The next code may be asked for at {again_at:%H:%M}.")
        self.again_at = again_at


class LinkOverasked(Exception):
    """So many codes were asked for that the link is replaced; the new one is on its way to the customer."""


class CodeVerdict(StrEnum):
    RIGHT = "RIGHT"
    WRONG = "WRONG"
    SPENT = "SPENT"
    USED = "USED"
    EXPIRED = "EXPIRED"
    NOT_SENT = "NOT_SENT"
    NONE_ASKED = "NONE_ASKED"


@dataclass(frozen=True)
class CodeAnswer:
    verdict: CodeVerdict
    tries_left: int = 0


def ask_for_code(*, poa_id: int, browser: str, at: datetime, ip_address: str | None = None) -> CustomerMail:
    """
    Owe the customer a mail with a code for one browser; that browser's earlier codes count no more.

    The mail is not queued: whoever asks waits for it, so the face sends it at once, and the sweep when that failed.

    :raises TooManyCodes: this browser asked too often
    :raises LinkOverasked: too many were asked for under this link; a new link is owed
    """
    mail = _owe_code(poa_id=poa_id, browser=browser, at=at, ip_address=ip_address)
    if mail is None:
        raise LinkOverasked
    return mail


@transaction.atomic
def _owe_code(*, poa_id: int, browser: str, at: datetime, ip_address: str | None) -> CustomerMail | None:
    poa = lock(poa_id)
    lately = poa.contact_codes.filter(asked_at__gt=at - HOUR, asked_at__gte=poa.link_made_at or at - HOUR)
    asked_here = list(
        poa.contact_codes.filter(browser_hash=hash_of(browser), asked_at__gt=at - HOUR)
        .order_by("asked_at")
        .values_list("asked_at", flat=True)
    )
    if len(asked_here) >= CODES_PER_BROWSER:
        raise TooManyCodes(asked_here[-CODES_PER_BROWSER] + HOUR)
    if lately.count() >= CODES_PER_LINK:
        if not poa.mails.filter(kind=MailKind.SAFER_LINK, sent_at__isnull=True, not_needed_at__isnull=True).exists():
            evidence.record(poa, kind="link_overasked", by=SYSTEM, at=at, details={"codes": CODES_PER_LINK})
            owe_mail(poa, MailKind.SAFER_LINK, at=at)
        return None
    mail = CustomerMail.objects.create(poa=poa, kind=MailKind.CODE, created_at=at, due_at=at)
    ContactCode.objects.create(
        poa=poa,
        mail=mail,
        browser_hash=hash_of(browser),
        asked_at=at,
        asked_from_ip=ip_address,
        sent_to=poa.customer.email,
    )
    return mail


def make_code(asked: ContactCode, *, at: datetime) -> str:
    """Make the six digits for one mail and keep their keyed hash; the digits are in that mail and nowhere else."""
    digits = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    asked.code_hash = _keyed_hash(asked, digits)
    asked.expires_at = at + timedelta(minutes=settings.POA_CODE_MINUTES)
    asked.save(update_fields=["code_hash", "expires_at"])
    return digits


@transaction.atomic
def enter_code(
    *, poa_id: int, browser: str, digits: str, at: datetime, ip_address: str | None = None, user_agent: str = ""
) -> CodeAnswer:
    """
    Take the code that a browser's visitor typed. The right one counts once, and proves the customer's address.

    A wrong one is counted before anything else can happen; after the last try only a new code helps.
    """
    poa = lock(poa_id)
    asked = poa.contact_codes.filter(browser_hash=hash_of(browser)).order_by("-asked_at", "-pk").first()
    verdict = _verdict(poa, asked, digits, at=at)
    if asked is None or verdict in {CodeVerdict.NONE_ASKED, CodeVerdict.NOT_SENT, CodeVerdict.EXPIRED}:
        return CodeAnswer(verdict)
    if verdict == CodeVerdict.WRONG:
        asked.wrong_tries += 1
        asked.save(update_fields=["wrong_tries"])
        if asked.wrong_tries < TRIES_PER_CODE:
            return CodeAnswer(verdict, TRIES_PER_CODE - asked.wrong_tries)
        evidence.record(poa, kind="code_spent", by=SYSTEM, at=at, details={"code": asked.pk, "ip_address": ip_address})
        return CodeAnswer(CodeVerdict.SPENT)
    if verdict == CodeVerdict.RIGHT:
        asked.used_at = at
        asked.save(update_fields=["used_at"])
        Customer.objects.filter(pk=poa.customer_id, email=asked.sent_to).update(contact_verified_at=at)
        address_proved(
            customer_id=poa.customer_id, address=asked.sent_to, because="The customer typed a code mailed to it.", at=at
        )
        evidence.record(
            poa,
            kind="contact_verified",
            by=Actor.customer(poa.customer_id),
            at=at,
            details={
                "code": asked.pk,
                "sent_to": asked.sent_to,
                "asked_at": asked.asked_at,
                "asked_from_ip": asked.asked_from_ip,
                "ip_address": ip_address,
                "user_agent": user_agent[:300],
            },
        )
    return CodeAnswer(verdict)


def check_contact_proved(poa: PoaDocument) -> None:
    """:raises ContactNotProved: nobody has typed a code that was sent to the address on file"""
    if poa.customer.contact_verified_at is None:
        raise ContactNotProved("The customer's address is not proved yet: open the link and enter the code first.")


def _verdict(poa: PoaDocument, asked: ContactCode | None, digits: str, *, at: datetime) -> CodeVerdict:
    if asked is None or asked.sent_to != poa.customer.email:
        return CodeVerdict.NONE_ASKED
    if asked.used_at is not None:
        return CodeVerdict.USED
    if asked.wrong_tries >= TRIES_PER_CODE:
        return CodeVerdict.SPENT
    if asked.expires_at is None:
        return CodeVerdict.NOT_SENT
    if asked.expires_at <= at:
        return CodeVerdict.EXPIRED
    typed = "".join(character for character in digits if character.isdigit())
    is_right = constant_time_compare(_keyed_hash(asked, typed), asked.code_hash)
    return CodeVerdict.RIGHT if is_right else CodeVerdict.WRONG


def _keyed_hash(asked: ContactCode, digits: str) -> str:
    """Six digits are guessed from a plain hash in no time; without SECRET_KEY this one says nothing."""
    return salted_hmac("poa_documents.contact_code", f"{asked.pk}:{digits}", algorithm="sha256").hexdigest()
