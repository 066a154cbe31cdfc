"""Mails to the customer: a row says what is owed, the text and the link are made at the moment of sending."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction

from core.actors import SYSTEM
from poa_documents import evidence
from poa_documents.guards import AuthorityMissing, read_signed_pdf
from poa_documents.links import address_of, hash_of, link_expiry, new_token, signed_link_expiry
from poa_documents.mails import compose
from poa_documents.models import MAIL_ATTEMPTS, CustomerMail, MailKind, PoaDocument
from poa_documents.moves import lock
from poa_documents.states import PoaStatus

LEASE = timedelta(minutes=3)
SHORTEST_WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 6 * 3600

_STILL_TRUE: dict[str, frozenset[str]] = {
    MailKind.INVITATION: frozenset({PoaStatus.SENT}),
    MailKind.HOME_LINK: frozenset({PoaStatus.SEALING, PoaStatus.SIGNED, PoaStatus.SUSPENDED, PoaStatus.EXHAUSTED}),
}
_WITH_LINK = frozenset({MailKind.INVITATION, MailKind.HOME_LINK})


class MailOutcome(StrEnum):
    SENT = "SENT"
    NOT_DUE = "NOT_DUE"
    NOT_NEEDED = "NOT_NEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class _Claim:
    mail: CustomerMail
    poa: PoaDocument
    link: str


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
        compose(claim.mail, claim.poa, link=claim.link, pdf=pdf).send()
    except (
        OSError,
        ValueError,
        AuthorityMissing,
    ) as problem:  # SMTP's own errors are OSErrors
        _put_off(mail_id, problem=f"{type(problem).__name__}: {problem}".replace(claim.link or "\0", "[link]"), at=at)
        return MailOutcome.FAILED
    _mark_sent(claim, at=at)
    return MailOutcome.SENT


@transaction.atomic
def _claim(mail_id: int, *, at: datetime) -> _Claim | MailOutcome:
    mail = CustomerMail.objects.select_for_update().get(pk=mail_id)
    if mail.sent_at or mail.not_needed_at:
        return MailOutcome.NOT_NEEDED
    if mail.due_at is None or mail.due_at > at:
        return MailOutcome.NOT_DUE
    poa = lock(mail.poa_id)
    if not _is_needed(mail, poa):
        mail.not_needed_at, mail.due_at = at, None
        mail.save(update_fields=["not_needed_at", "due_at"])
        return MailOutcome.NOT_NEEDED
    mail.attempts += 1
    mail.due_at = at + LEASE if mail.attempts < MAIL_ATTEMPTS else None
    mail.save(update_fields=["attempts", "due_at"])
    link = ""
    if mail.kind in _WITH_LINK:
        token = new_token()
        poa.token_hash = hash_of(token)
        if mail.kind == MailKind.INVITATION:
            poa.token_expires_at = poa.due_at = link_expiry(at)
        else:
            poa.token_expires_at = signed_link_expiry(poa)
        poa.save(update_fields=["token_hash", "token_expires_at", "due_at"])
        evidence.record(
            poa, kind="link_made", by=SYSTEM, at=at, details={"mail": mail.pk, "expires_at": poa.token_expires_at}
        )
        link = address_of(token)
    return _Claim(mail=mail, poa=poa, link=link)


def _is_needed(mail: CustomerMail, poa: PoaDocument) -> bool:
    """An invitation is moot once the POA moved on, or when a newer one is owed or was sent."""
    true_in = _STILL_TRUE.get(mail.kind)
    if true_in is None:
        return True
    newer = CustomerMail.objects.filter(poa=poa, kind=mail.kind, pk__gt=mail.pk)
    return poa.status in true_in and not newer.exists()


@transaction.atomic
def _mark_sent(claim: _Claim, *, at: datetime) -> None:
    poa = lock(claim.poa.pk)
    CustomerMail.objects.filter(pk=claim.mail.pk).update(sent_at=at, due_at=None, last_error="")
    details = {"mail": claim.mail.pk, "mail_kind": claim.mail.kind, "to": claim.poa.customer.email}
    evidence.record(poa, kind="mail_sent", by=SYSTEM, at=at, details=details)


@transaction.atomic
def _put_off(mail_id: int, *, problem: str, at: datetime) -> None:
    mail = CustomerMail.objects.select_for_update().get(pk=mail_id)
    if mail.sent_at:
        return
    wait_seconds = min(SHORTEST_WAIT_SECONDS * 2 ** (mail.attempts - 1), LONGEST_WAIT_SECONDS)
    mail.due_at = at + timedelta(seconds=wait_seconds) if mail.attempts < MAIL_ATTEMPTS else None
    mail.last_error = problem
    mail.save(update_fields=["due_at", "last_error"])
