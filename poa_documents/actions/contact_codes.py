"""
Codes that prove the customer reads mail at the address on file. A code is requested and entered in the same browser.

Tries and requests are counted per browser, so that someone else with the link cannot use up the customer's. Too many
requests from different browsers end the link: a new one is mailed to the customer.
"""

import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from core.actors import SYSTEM, Actor
from core.dates import chicago_time
from core.errors import Forbidden
from installations.models import ContactProof, Customer
from poa_documents import signer_doubts
from poa_documents.actions.drafts import schedule_mail
from poa_documents.actions.mail_returns import confirm_address
from poa_documents.actions.signer_proofs import NothingToProve, clear_doubts
from poa_documents.journal import chain
from poa_documents.links import CODE_MINUTES, hash_of
from poa_documents.models import ContactCode, CustomerMail, MailKind, PoaDocument
from poa_documents.moves import lock

CODE_DIGITS = 6
TRIES_PER_CODE = 5
HOUR = timedelta(hours=1)
CODES_PER_BROWSER = 5
CODES_PER_LINK = 12
MAX_TYPED = 60


class ContactNotProved(Forbidden):
    """The customer's address is not proved yet, so they can neither consent nor sign."""


class TooManyCodes(Exception):
    """This browser requested the maximum number of codes per hour. `again_at` is when it may request another."""

    def __init__(self, again_at: datetime) -> None:
        super().__init__(f"The next code can be requested at {chicago_time(again_at)}.")
        self.again_at = again_at


class TooManyCodesForLink(Exception):
    """Too many codes were requested for this link, so it is replaced. A new one is mailed to the customer."""


class CodeVerdict(StrEnum):
    RIGHT = "RIGHT"
    WRONG = "WRONG"
    SPENT = "SPENT"
    USED = "USED"
    EXPIRED = "EXPIRED"
    NOT_SENT = "NOT_SENT"
    NONE_ASKED = "NONE_ASKED"
    INCOMPLETE = "INCOMPLETE"


_NOT_COUNTED = frozenset({CodeVerdict.INCOMPLETE, CodeVerdict.NONE_ASKED, CodeVerdict.NOT_SENT, CodeVerdict.EXPIRED})


@dataclass(frozen=True)
class CodeResult:
    verdict: CodeVerdict
    tries_left: int = 0


def ask_for_code(
    *, poa_id: int, browser: str, at: datetime, ip_address: str | None = None, to_earlier_address: bool = False
) -> CustomerMail:
    """
    Owe the customer a mail with a code for one browser. That browser's earlier codes become invalid.

    `to_earlier_address` requests proof that the customer also reads the address from before the office changed it.

    The mail is not queued. The customer is waiting for it, so the caller sends it immediately; the sweep retries it.

    :raises TooManyCodes: this browser requested too many
    :raises TooManyCodesForLink: too many were requested under this link; a new link is due
    :raises NothingToProve: there is no earlier address to prove
    """
    mail = _schedule_code(
        poa_id=poa_id, browser=browser, at=at, ip_address=ip_address, to_earlier_address=to_earlier_address
    )
    if mail is None:
        raise TooManyCodesForLink
    return mail


@transaction.atomic
def _schedule_code(
    *, poa_id: int, browser: str, at: datetime, ip_address: str | None, to_earlier_address: bool
) -> CustomerMail | None:
    poa = lock(poa_id)
    earlier = signer_doubts.earlier_address(poa.customer) if to_earlier_address else ""
    if to_earlier_address and not earlier:
        raise NothingToProve
    recent = poa.contact_codes.filter(asked_at__gt=at - HOUR, asked_at__gte=poa.link_made_at or at - HOUR)
    again_at = next_code_at(poa, browser, at=at)
    if again_at is not None:
        raise TooManyCodes(again_at)
    if recent.count() >= CODES_PER_LINK:
        if not is_link_replaced(poa):
            chain.record(poa, kind="code_limit_reached", by=SYSTEM, at=at, details={"codes": CODES_PER_LINK})
            schedule_mail(poa, MailKind.SAFER_LINK, at=at)
        return None
    mail = CustomerMail.objects.create(poa=poa, kind=MailKind.CODE, to_address=earlier, created_at=at, due_at=at)
    ContactCode.objects.create(
        poa=poa,
        mail=mail,
        browser_hash=hash_of(browser),
        asked_at=at,
        asked_from_ip=ip_address,
        sent_to=earlier or poa.customer.email,
    )
    return mail


def make_code(asked: ContactCode, *, at: datetime) -> str:
    """Generate the six digits for one mail and store their keyed hash. Only that mail contains the digits."""
    digits = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    asked.code_hash = _keyed_hash(asked, digits)
    asked.expires_at = at + timedelta(minutes=CODE_MINUTES)
    asked.save(update_fields=["code_hash", "expires_at"])
    return digits


@transaction.atomic
def enter_code(
    *, poa_id: int, browser: str, digits: str, at: datetime, ip_address: str | None = None, user_agent: str = ""
) -> CodeResult:
    """
    Check the code that a visitor entered. The right one counts once, and proves the customer's address.

    Wrong tries are counted under lock. After the last try, a new code is needed.
    """
    poa = lock(poa_id)
    asked = newest_code(poa, browser)
    verdict = _verdict(poa.customer.email, asked, digits, at=at)
    if asked is None or verdict in _NOT_COUNTED:
        return CodeResult(verdict)
    if verdict == CodeVerdict.WRONG:
        return _count_wrong_try(poa, asked, ip_address=ip_address, at=at)
    if verdict == CodeVerdict.RIGHT:
        asked.used_at = at
        asked.save(update_fields=["used_at"])
        Customer.objects.filter(pk=poa.customer_id, email=asked.sent_to).update(contact_verified_at=at)
        confirm_address(
            customer_id=poa.customer_id, address=asked.sent_to, because="The customer typed a code mailed to it.", at=at
        )
        chain.record(
            poa,
            kind="contact_verified",
            by=Actor.customer(poa.customer.public_id),
            at=at,
            details={
                "code": asked.public_id,
                "sent_to": asked.sent_to,
                "asked_at": asked.asked_at,
                "asked_from_ip": asked.asked_from_ip,
                "ip_address": ip_address,
                "user_agent": user_agent[:300],
            },
        )
    return CodeResult(verdict)


@transaction.atomic
def enter_earlier_code(
    *, poa_id: int, browser: str, digits: str, at: datetime, ip_address: str | None = None
) -> CodeResult:
    """
    Check the code that was mailed to the address from before the office changed it.

    The right one proves that the customer knows about the change and about everything signed since.
    """
    poa = lock(poa_id)
    asked = newest_code(poa, browser, to_earlier_address=True)
    verdict = _verdict(signer_doubts.earlier_address(poa.customer), asked, digits, at=at)
    if asked is None or verdict in _NOT_COUNTED:
        return CodeResult(verdict)
    if verdict == CodeVerdict.WRONG:
        return _count_wrong_try(poa, asked, ip_address=ip_address, at=at)
    if verdict == CodeVerdict.RIGHT:
        asked.used_at = at
        asked.save(update_fields=["used_at"])
        details: dict[str, object] = {"code": asked.public_id, "sent_to": asked.sent_to, "ip_address": ip_address}
        clear_doubts(
            poa.customer,
            ContactProof.EARLIER_ADDRESS_CODE,
            details=details,
            by=Actor.customer(poa.customer.public_id),
            at=at,
        )
    return CodeResult(verdict)


def newest_code(poa: PoaDocument, browser: str, *, to_earlier_address: bool = False) -> ContactCode | None:
    """Return the newest code that this browser requested. Only that one can count."""
    asked_here = poa.contact_codes.filter(browser_hash=hash_of(browser))
    of_kind = asked_here.exclude(mail__to_address="") if to_earlier_address else asked_here.filter(mail__to_address="")
    return of_kind.order_by("-asked_at", "-pk").first()


def next_code_at(poa: PoaDocument, browser: str, *, at: datetime) -> datetime | None:
    """Return when this browser may request another code, or None if it may now."""
    asked_here = list(
        poa.contact_codes.filter(browser_hash=hash_of(browser), asked_at__gt=at - HOUR)
        .order_by("asked_at")
        .values_list("asked_at", flat=True)
    )
    return asked_here[-CODES_PER_BROWSER] + HOUR if len(asked_here) >= CODES_PER_BROWSER else None


def is_link_replaced(poa: PoaDocument) -> bool:
    """Whether a new link is due, but not sent yet, because too many codes were requested."""
    return poa.mails.filter(kind=MailKind.SAFER_LINK, sent_at__isnull=True, not_needed_at__isnull=True).exists()


@dataclass(frozen=True)
class CodeState:
    """What the code page shows: whether a code can be entered, and the result of the last try."""

    is_open: bool
    verdict: CodeVerdict | None = None
    tries_left: int = 0


def state_of_code(asked: ContactCode | None, *, address: str, at: datetime) -> CodeState:
    """Return the state of a browser's newest code to this address."""
    if asked is None or asked.sent_to != address or asked.used_at is not None:
        return CodeState(is_open=False)
    if asked.wrong_tries >= TRIES_PER_CODE:
        return CodeState(is_open=False, verdict=CodeVerdict.SPENT)
    if asked.expires_at is not None and asked.expires_at <= at:
        return CodeState(is_open=False, verdict=CodeVerdict.EXPIRED)
    if asked.expires_at is None and asked.asked_at + timedelta(minutes=CODE_MINUTES) <= at:
        return CodeState(is_open=False)
    wrong = CodeVerdict.WRONG if asked.wrong_tries else None
    return CodeState(is_open=True, verdict=wrong, tries_left=TRIES_PER_CODE - asked.wrong_tries)


def _count_wrong_try(poa: PoaDocument, asked: ContactCode, *, ip_address: str | None, at: datetime) -> CodeResult:
    asked.wrong_tries += 1
    asked.save(update_fields=["wrong_tries"])
    if asked.wrong_tries < TRIES_PER_CODE:
        return CodeResult(CodeVerdict.WRONG, TRIES_PER_CODE - asked.wrong_tries)
    chain.record(
        poa, kind="code_used_up", by=SYSTEM, at=at, details={"code": asked.public_id, "ip_address": ip_address}
    )
    return CodeResult(CodeVerdict.SPENT)


def leave(*, poa_id: int, browser: str, at: datetime) -> None:
    """End the visit that one browser's codes opened, in every copy of its cookies. A repeat changes nothing."""
    codes = ContactCode.objects.filter(poa_id=poa_id, browser_hash=hash_of(browser), used_at__isnull=False)
    codes.filter(left_at__isnull=True).update(left_at=at)


def check_contact_proved(poa: PoaDocument) -> None:
    """:raises ContactNotProved: no code that was sent to the address on file has been entered"""
    if poa.customer.contact_verified_at is None:
        raise ContactNotProved("The customer's address is not proved yet. Open the link and enter the code first.")


def _verdict(address: str, asked: ContactCode | None, digits: str, *, at: datetime) -> CodeVerdict:
    if asked is None or asked.sent_to != address:
        return CodeVerdict.NONE_ASKED
    if asked.used_at is not None:
        return CodeVerdict.USED
    if asked.wrong_tries >= TRIES_PER_CODE:
        return CodeVerdict.SPENT
    if asked.expires_at is None:
        return CodeVerdict.NOT_SENT
    if asked.expires_at <= at:
        return CodeVerdict.EXPIRED
    typed = digits_in(digits)
    if len(typed) < CODE_DIGITS:
        return CodeVerdict.INCOMPLETE
    is_right = constant_time_compare(_keyed_hash(asked, typed), asked.code_hash)
    return CodeVerdict.RIGHT if is_right else CodeVerdict.WRONG


def digits_in(typed: str) -> str:
    """Return the digits as ASCII, from any script a phone's keyboard may write, such as full-width or Arabic-Indic."""
    signs = typed[:MAX_TYPED]
    return "".join(str(unicodedata.digit(sign)) for sign in signs if sign.isdecimal())


def _keyed_hash(asked: ContactCode, digits: str) -> str:
    """Return a hash keyed with SECRET_KEY: a plain hash of six digits can be reversed quickly."""
    return salted_hmac("poa_documents.contact_code", f"{asked.pk}:{digits}", algorithm="sha256").hexdigest()
