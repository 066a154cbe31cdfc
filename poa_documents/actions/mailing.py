"""Mails to the customer: a row says what is owed, the text and the link are made at the moment of sending."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.core.mail import get_connection

from core.actors import SYSTEM, Actor
from core.dates import chicago_day
from core.transactions import repeatable
from poa_documents import evidence
from poa_documents.actions.linking import make_link
from poa_documents.actions.proving import make_code
from poa_documents.guards import AuthorityMissing, read_signed_pdf
from poa_documents.links import link_expiry, signed_link_expiry
from poa_documents.mails import compose
from poa_documents.models import MAIL_ATTEMPTS, CustomerMail, MailKind, PoaDocument
from poa_documents.moves import lock
from poa_documents.states import PoaStatus

LEASE = timedelta(minutes=3)
CODE_WORTH_SENDING = timedelta(minutes=10)
CODE_PATIENCE_SECONDS = 5
"""How long a page waits for the mail server while it sends a code; afterwards the sweep sends it."""
SHORTEST_WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 6 * 3600

_STILL_TRUE: dict[str, frozenset[str]] = {
    MailKind.INVITATION: frozenset({PoaStatus.SENT}),
    MailKind.HOME_LINK: frozenset({PoaStatus.SEALING, PoaStatus.SIGNED, PoaStatus.SUSPENDED, PoaStatus.EXHAUSTED}),
    MailKind.SAFER_LINK: frozenset(
        {PoaStatus.SENT, PoaStatus.SEALING, PoaStatus.SIGNED, PoaStatus.SUSPENDED, PoaStatus.EXHAUSTED}
    ),
}


TO_BE_POSTED = "The customer wants paper: print what it says, post it, then mark it as posted."
_STILL_BY_MAIL = frozenset(
    {MailKind.PAPER_RECEIPT, MailKind.CODE, MailKind.HOME_LINK, MailKind.SAFER_LINK, MailKind.ADDRESS_CHANGED}
)
"""What customers ask for themselves, or what protects them, also after they asked for paper."""


class NotToBePosted(Exception):
    """Nothing of this mail waits to be posted."""


class MailOutcome(StrEnum):
    SENT = "SENT"
    TO_BE_POSTED = "TO_BE_POSTED"
    NOT_DUE = "NOT_DUE"
    NOT_NEEDED = "NOT_NEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class _Claim:
    mail: CustomerMail
    poa: PoaDocument
    link: str = ""
    code: str = ""


def send_mail(*, mail_id: int, at: datetime) -> MailOutcome:
    """
    Send one owed mail. A link in it is made now, for this mail only, and kills the one before.

    A failure is kept in the row and tried again later; after the last try it is blocked until staff resend.
    """
    claim = _claim(mail_id, at=at)
    if isinstance(claim, MailOutcome):
        return claim
    try:
        pdf = read_signed_pdf(claim.poa) if claim.mail.kind == MailKind.SIGNED_COPY else None
        message = compose(claim.mail, claim.poa, link=claim.link, code=claim.code, pdf=pdf)
        if claim.code:
            message.connection = get_connection(timeout=CODE_PATIENCE_SECONDS)
        message.send()
    except (
        OSError,
        ValueError,
        AuthorityMissing,
    ) as problem:  # SMTP's own errors are OSErrors
        told = f"{type(problem).__name__}: {problem}"
        for secret in (claim.link, claim.code):
            told = told.replace(secret or "\0", "[left out]")
        _put_off(mail_id, problem=told, at=at)
        return MailOutcome.FAILED
    _mark_sent(claim, at=at)
    return MailOutcome.SENT


@repeatable
def _claim(mail_id: int, *, at: datetime) -> _Claim | MailOutcome:
    mail = CustomerMail.objects.select_for_update().get(pk=mail_id)
    if mail.sent_at or mail.not_needed_at:
        return MailOutcome.NOT_NEEDED
    if mail.due_at is None or mail.due_at > at:
        return MailOutcome.NOT_DUE
    poa = lock(mail.poa_id)
    if not _is_needed(mail, poa, at=at):
        mail.not_needed_at, mail.due_at = at, None
        mail.save(update_fields=["not_needed_at", "due_at"])
        return MailOutcome.NOT_NEEDED
    if poa.paper_wanted_at is not None and mail.kind not in _STILL_BY_MAIL:
        mail.due_at, mail.last_error = None, TO_BE_POSTED
        mail.save(update_fields=["due_at", "last_error"])
        return MailOutcome.TO_BE_POSTED
    mail.attempts += 1
    mail.due_at = at + LEASE if mail.attempts < MAIL_ATTEMPTS else None
    mail.save(update_fields=["attempts", "due_at"])
    return _Claim(mail=mail, poa=poa, **_secrets_for(mail, poa, at=at))


def _secrets_for(mail: CustomerMail, poa: PoaDocument, *, at: datetime) -> dict[str, str]:
    """Make what only this one mail may say: a link, or a code."""
    match mail.kind:
        case MailKind.CODE:
            return {"code": make_code(mail.contact_code, at=at)}
        case MailKind.INVITATION:
            poa.due_at = link_expiry(at)
            poa.save(update_fields=["due_at"])
            return {"link": make_link(poa, mail, expires_at=link_expiry(at), at=at)}
        case MailKind.HOME_LINK:
            return {"link": make_link(poa, mail, expires_at=signed_link_expiry(poa), at=at)}
        case MailKind.SAFER_LINK:
            return {"link": make_link(poa, mail, expires_at=poa.token_expires_at or link_expiry(at), at=at)}
    return {}


def _is_needed(mail: CustomerMail, poa: PoaDocument, *, at: datetime) -> bool:
    """An invitation is moot once the POA moved on, or when a newer one is owed or was sent; a code dies of age."""
    if mail.kind == MailKind.CODE:
        asked = mail.contact_code
        is_newest = not poa.contact_codes.filter(browser_hash=asked.browser_hash, pk__gt=asked.pk).exists()
        return is_newest and asked.sent_to == poa.customer.email and at < asked.asked_at + CODE_WORTH_SENDING
    true_in = _STILL_TRUE.get(mail.kind)
    if true_in is None:
        return True
    newer = CustomerMail.objects.filter(poa=poa, kind=mail.kind, pk__gt=mail.pk)
    return poa.status in true_in and not newer.exists()


@repeatable
def mark_posted(*, mail_id: int, by: Actor, at: datetime) -> CustomerMail:
    """
    Take note that what a mail says went to the customer on paper.

    :raises NotToBePosted: it is not one that the customer wants on paper, or it was posted already
    """
    mail = CustomerMail.objects.select_for_update().get(pk=mail_id)
    if not is_to_be_posted(mail):
        raise NotToBePosted("This mail does not wait to be posted: open it again to see where it stands.")
    mail.not_needed_at, mail.last_error = at, f"Posted on paper on {chicago_day(at)}."
    mail.save(update_fields=["not_needed_at", "last_error"])
    details = {"mail": mail.pk, "mail_kind": mail.kind, "to": str(mail.poa.site)}
    evidence.record(lock(mail.poa_id), kind="mail_posted", by=by, at=at, details=details)
    return mail


def is_to_be_posted(mail: CustomerMail) -> bool:
    return mail.is_blocked and mail.last_error == TO_BE_POSTED


@repeatable
def _mark_sent(claim: _Claim, *, at: datetime) -> None:
    poa = lock(claim.poa.pk)
    CustomerMail.objects.filter(pk=claim.mail.pk).update(sent_at=at, due_at=None, last_error="")
    details = {
        "mail": claim.mail.pk,
        "mail_kind": claim.mail.kind,
        "to": claim.mail.to_address or claim.poa.customer.email,
    }
    evidence.record(poa, kind="mail_sent", by=SYSTEM, at=at, details=details)


@repeatable
def _put_off(mail_id: int, *, problem: str, at: datetime) -> None:
    mail = CustomerMail.objects.select_for_update().get(pk=mail_id)
    if mail.sent_at:
        return
    wait_seconds = min(SHORTEST_WAIT_SECONDS * 2 ** (mail.attempts - 1), LONGEST_WAIT_SECONDS)
    mail.due_at = at + timedelta(seconds=wait_seconds) if mail.attempts < MAIL_ATTEMPTS else None
    mail.last_error = problem
    mail.save(update_fields=["due_at", "last_error"])
