"""
Mails to the customer: a row says which mail is due; the text and the link are created when it is sent.

After a crash between sending and recording, a mail is sent again: twice is better than never. A mail without a link
keeps its Message-ID, so that mail programs show it once. One with a link gets a new ID, because the first link no
longer works. Reminders are never repeated, because the next one reaches anyone it missed.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from enum import StrEnum
from functools import partial

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from core.actors import SYSTEM, Actor
from core.dates import short_date
from core.due_rows import Backoff
from core.errors import Conflict
from core.transactions import repeatable
from poa_documents.actions import reminders
from poa_documents.actions.contact_codes import make_code
from poa_documents.actions.drafts import STATUSES_WITH_PAGE
from poa_documents.actions.links import make_link
from poa_documents.actions.mail_returns import announce_customer_change, record_return
from poa_documents.authority_check import AuthorityMissing, read_signed_pdf
from poa_documents.journal import chain
from poa_documents.links import IDLE_MINUTES, link_expiry, signed_link_expiry
from poa_documents.mail.messages import CaseMessage, compose, compose_case_message
from poa_documents.mail.refusals import is_address_rejected, may_have_been_sent
from poa_documents.mail.reminders import next_sending_hour
from poa_documents.models import (
    CASE_MAILS,
    LINK_MAILS,
    MAIL_ATTEMPTS,
    POSTED,
    SIGNING_MAILS,
    TO_BE_POSTED,
    AddressFailure,
    CustomerMail,
    MailKind,
    MailState,
    PoaDocument,
    ReturnSource,
)
from poa_documents.moves import lock
from poa_documents.queries import failure_of, last_visit
from poa_documents.states import PoaStatus

LEASE = timedelta(minutes=3)
MAX_CODE_AGE = timedelta(minutes=10)
CODE_TIMEOUT_SECONDS = 5
"""How long a page waits for the mail server while it sends a code. After that, the sweep sends it."""
BACKOFF = Backoff(first=timedelta(seconds=30), longest=timedelta(hours=6), max_failures=MAIL_ATTEMPTS)
RECHECK_AFTER_VISIT = timedelta(hours=1)

_STILL_TRUE: dict[str, frozenset[str]] = {
    MailKind.INVITATION: frozenset({PoaStatus.SENT}),
    MailKind.REMINDER: frozenset({PoaStatus.SENT}),
    MailKind.HOME_LINK: STATUSES_WITH_PAGE,
    MailKind.SAFER_LINK: STATUSES_WITH_PAGE | {PoaStatus.SENT},
}
_WITH_SECRETS = LINK_MAILS | {MailKind.CODE}


_STILL_BY_MAIL = frozenset(
    {MailKind.PAPER_RECEIPT, MailKind.CODE, MailKind.HOME_LINK, MailKind.SAFER_LINK, MailKind.ADDRESS_CHANGED}
)
"""Mails that customers request, or that protect them, are sent even after they asked for paper."""


class NothingToPost(Conflict):
    """This mail is not waiting to be posted."""


class MailOutcome(StrEnum):
    SENT = "SENT"
    TO_BE_POSTED = "TO_BE_POSTED"
    NOT_DUE = "NOT_DUE"
    NOT_NEEDED = "NOT_NEEDED"
    HELD = "HELD"
    FAILED = "FAILED"
    RETURNED = "RETURNED"


class MailNotReady(Exception):
    """What a mail tells is not complete; it is tried again `after`, and that counts as no failure."""

    def __init__(self, after: timedelta) -> None:
        super().__init__(f"Not complete yet. Retried after {after}.")
        self.after = after


Teller = Callable[[CustomerMail], CaseMessage | None]
"""Says what a mail about an enrollment tells, right before it is sent; None when it is not true any more."""


@dataclass(frozen=True)
class _Claim:
    mail: CustomerMail
    poa: PoaDocument
    link: str = ""
    code: str = ""
    is_on_paper: bool = False


def send_mail(*, mail_id: int, at: datetime, tell: Teller | None = None) -> MailOutcome:
    """
    Send one due mail. A link in it is created now, for this mail only, and ends the previous one.

    A failure is recorded on the row and retried later. After the last try, staff must resend it. If the server
    permanently rejects the address, all mail to it is held. `tell` is for mails about an enrollment, which only
    `enrollments` can send.
    """
    claim = _claim(mail_id, is_about_case=tell is not None, at=at)
    if isinstance(claim, MailOutcome):
        return claim
    try:
        content = tell(claim.mail) if tell is not None else None
        if tell is not None and content is None:
            _drop(mail_id, at=at)
            return MailOutcome.NOT_NEEDED
        if content is not None and content.button and not claim.is_on_paper:
            # Created only now, because it ends the previous link: a mail that is not sent must not do that.
            claim = replace(claim, link=_link_for(claim, at=at))
        message = _compose(claim, content)
    except MailNotReady as reason:
        _wait(mail_id, until=at + reason.after)
        return MailOutcome.NOT_DUE
    except (OSError, ValueError, AuthorityMissing) as problem:
        return _fail(claim, problem, at=at)
    if claim.is_on_paper:
        _store_letter(mail_id, f"{message.subject}\n\n{message.body}")
        return MailOutcome.TO_BE_POSTED
    try:
        message.send()
    except (OSError, ValueError) as problem:  # SMTP's own errors are OSErrors
        return _fail(claim, problem, at=at)
    _mark_sent(claim, at=at)
    return MailOutcome.SENT


def _compose(claim: _Claim, content: CaseMessage | None) -> EmailMultiAlternatives:
    if content is not None:
        return compose_case_message(claim.mail, claim.poa, content, link=claim.link)
    pdf = read_signed_pdf(claim.poa) if claim.mail.kind == MailKind.SIGNED_COPY else None
    message = compose(claim.mail, claim.poa, link=claim.link, code=claim.code, pdf=pdf)
    if claim.code:
        message.connection = get_connection(timeout=CODE_TIMEOUT_SECONDS)
    return message


@repeatable
def _link_for(claim: _Claim, *, at: datetime) -> str:
    poa = lock(claim.poa.pk)
    return make_link(poa, claim.mail, expires_at=signed_link_expiry(poa, at=at), at=at)


@repeatable
def _claim(mail_id: int, *, is_about_case: bool, at: datetime) -> _Claim | MailOutcome:
    mail = CustomerMail.objects.select_for_update().get(pk=mail_id)
    if mail.sent_at or mail.not_needed_at:
        return MailOutcome.NOT_NEEDED
    if mail.due_at is None or mail.due_at > at or (mail.kind in CASE_MAILS) != is_about_case:
        return MailOutcome.NOT_DUE
    poa = lock(mail.poa_id)
    stopped = _why_not_now(mail, poa, at=at)
    if stopped is not None:
        mail.save(update_fields=["not_needed_at", "held_since", "due_at", "last_error"])
        return stopped
    if _goes_by_post(mail, poa):
        return _Claim(mail=mail, poa=poa, is_on_paper=True)
    mail.attempts += 1
    is_repeated = mail.attempts < MAIL_ATTEMPTS and mail.kind != MailKind.REMINDER
    mail.due_at = at + LEASE if is_repeated else None
    mail.tried_at, mail.sent_to = at, mail.to_address or poa.customer.email
    if not mail.message_id or mail.kind in _WITH_SECRETS:
        mail.message_id = f"<{uuid.uuid4().hex}@{parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition('@')[2]}>"
    mail.save(update_fields=["attempts", "due_at", "tried_at", "sent_to", "message_id"])
    if mail.kind in SIGNING_MAILS:
        poa.remind_at = reminders.next_check_after(mail, at=at)
        poa.save(update_fields=["remind_at"])
    secrets = _secrets_for(mail, poa, at=at)
    return _Claim(mail=mail, poa=poa, link=secrets.get("link", ""), code=secrets.get("code", ""))


def _why_not_now(mail: CustomerMail, poa: PoaDocument, *, at: datetime) -> MailOutcome | None:
    """Set on the locked row, without saving it, why it is not sent now. None if it is sent."""
    if not _is_needed(mail, poa, at=at):
        mail.not_needed_at, mail.due_at = at, None
        return MailOutcome.NOT_NEEDED
    if _goes_by_post(mail, poa):
        if mail.kind in CASE_MAILS:
            return None  # its text must be composed first
        mail.due_at, mail.last_error = None, TO_BE_POSTED
        return MailOutcome.TO_BE_POSTED
    if mail.kind == MailKind.REMINDER:
        decent = next_sending_hour(at, reminders.configured_policy())
        if decent > at:
            mail.due_at = decent
            return MailOutcome.NOT_DUE
    if mail.kind in CASE_MAILS and mail.kind in LINK_MAILS:
        free = _visit_ends_at(poa)
        if free > at:  # its new link would end the visit
            mail.due_at = free
            return MailOutcome.NOT_DUE
    # The customer is waiting for a code they requested, and entering it proves that mail is delivered again.
    if mail.kind != MailKind.CODE and not mail.to_address and failure_of(poa.customer) is not None:
        mail.held_since, mail.due_at = at, None
        return MailOutcome.HELD
    return None


def _visit_ends_at(poa: PoaDocument) -> datetime:
    """Return when the customer's last visit to the pages counts as over."""
    visit = last_visit(poa)
    return visit + timedelta(minutes=IDLE_MINUTES) if visit else datetime.min.replace(tzinfo=UTC)


def _goes_by_post(mail: CustomerMail, poa: PoaDocument) -> bool:
    return poa.paper_wanted_at is not None and mail.kind not in _STILL_BY_MAIL


def _secrets_for(mail: CustomerMail, poa: PoaDocument, *, at: datetime) -> dict[str, str]:
    """Create the link or code that only this mail contains."""
    link = partial(make_link, poa, mail, at=at)
    match mail.kind:
        case MailKind.CODE:
            return {"code": make_code(mail.contact_code, at=at)}
        case MailKind.INVITATION:
            poa.due_at = link_expiry(at)
            poa.save(update_fields=["due_at"])
            return {"link": link(expires_at=link_expiry(at))}
        case MailKind.HOME_LINK:
            return {"link": link(expires_at=signed_link_expiry(poa, at=at))}
        case MailKind.SAFER_LINK | MailKind.REMINDER:  # a new link with the same deadline
            return {"link": link(expires_at=poa.token_expires_at or link_expiry(at))}
    return {}


def _is_needed(mail: CustomerMail, poa: PoaDocument, *, at: datetime) -> bool:
    """Whether a mail is still needed: not outdated by the POA's status, a newer mail or, for a code, its age."""
    if mail.kind == MailKind.CODE:
        asked = mail.contact_code
        newer_codes = poa.contact_codes.filter(browser_hash=asked.browser_hash, pk__gt=asked.pk)
        is_newest = not newer_codes.filter(mail__to_address=mail.to_address).exists()
        goes_to = mail.to_address or poa.customer.email
        return is_newest and asked.sent_to == goes_to and at < asked.asked_at + MAX_CODE_AGE
    if mail.to_address and AddressFailure.objects.filter(customer=poa.customer_id, address=mail.to_address).exists():
        return False
    true_in = _STILL_TRUE.get(mail.kind)
    if true_in is None:
        return True
    kinds = SIGNING_MAILS if mail.kind in SIGNING_MAILS else {mail.kind}
    newer = CustomerMail.objects.filter(poa=poa, kind__in=sorted(kinds), not_needed_at__isnull=True, pk__gt=mail.pk)
    if poa.status not in true_in or newer.exists():
        return False
    if mail.kind == MailKind.REMINDER and not reminders.is_still_wanted(mail, poa, at=at):
        poa.remind_at = at + RECHECK_AFTER_VISIT
        poa.save(update_fields=["remind_at"])
        return False
    return True


@repeatable
def mark_posted(*, mail_id: int, by: Actor, at: datetime) -> CustomerMail:
    """
    Record that a mail was posted to the customer on paper.

    :raises NothingToPost: it is not waiting to be posted
    """
    mail = CustomerMail.objects.select_for_update().get(pk=mail_id)
    if not is_to_be_posted(mail):
        raise NothingToPost("This mail is not waiting to be posted. Reload the page to see its current status.")
    mail.not_needed_at, mail.last_error = at, f"{POSTED} on {short_date(at)}."
    mail.save(update_fields=["not_needed_at", "last_error"])
    details = {"mail": mail.public_id, "mail_kind": mail.kind, "to": str(mail.poa.site)}
    chain.record(lock(mail.poa_id), kind="mail_posted", by=by, at=at, details=details)
    return mail


def is_to_be_posted(mail: CustomerMail) -> bool:
    return mail.state == MailState.TO_BE_POSTED


@repeatable
def _mark_sent(claim: _Claim, *, at: datetime) -> None:
    """Record a sent mail, unless it was claimed again since with a new Message-ID and link."""
    poa = lock(claim.poa.pk)
    same = CustomerMail.objects.filter(pk=claim.mail.pk, message_id=claim.mail.message_id)
    same.update(sent_at=at, due_at=None, last_error="")
    details = {"mail": claim.mail.public_id, "mail_kind": claim.mail.kind, "to": claim.mail.sent_to}
    chain.record(poa, kind="mail_sent", by=SYSTEM, at=at, details=details, is_locked=True)
    if claim.mail.kind == MailKind.INVITATION:
        announce_customer_change(poa.customer_id, at=at)


def _fail(claim: _Claim, problem: Exception, *, at: datetime) -> MailOutcome:
    problem_text = f"{type(problem).__name__}: {problem}"
    for secret in (claim.link, claim.code):
        problem_text = problem_text.replace(secret or "\0", "[redacted]")
    if is_address_rejected(problem):
        record_return(mail_id=claim.mail.pk, because=problem_text, source=ReturnSource.MAIL_SERVER, by=SYSTEM, at=at)
        return MailOutcome.RETURNED
    _put_off(claim.mail.pk, problem=problem_text, is_uncertain=may_have_been_sent(problem), at=at)
    return MailOutcome.FAILED


@repeatable
def _put_off(mail_id: int, *, problem: str, is_uncertain: bool, at: datetime) -> None:
    mail = CustomerMail.objects.select_for_update().get(pk=mail_id)
    if mail.sent_at:
        return
    if mail.kind == MailKind.REMINDER and is_uncertain:
        return  # it may have arrived; otherwise the next one will
    mail.due_at = BACKOFF.next_time(mail.attempts, at=at)
    mail.last_error = problem
    mail.save(update_fields=["due_at", "last_error"])
    if mail.due_at is None and mail.kind in SIGNING_MAILS:  # someone else may have to act now
        announce_customer_change(mail.poa.customer_id, at=at)


@repeatable
def _store_letter(mail_id: int, text: str) -> None:
    """Store the text of a mail about an enrollment, so that it can be printed."""
    CustomerMail.objects.filter(pk=mail_id, sent_at__isnull=True, not_needed_at__isnull=True).update(
        letter=text, due_at=None, last_error=TO_BE_POSTED
    )


@repeatable
def _wait(mail_id: int, *, until: datetime) -> None:
    mail = CustomerMail.objects.select_for_update().get(pk=mail_id)
    mail.attempts, mail.due_at = max(mail.attempts - 1, 0), until
    mail.save(update_fields=["attempts", "due_at"])


@repeatable
def _drop(mail_id: int, *, at: datetime) -> None:
    CustomerMail.objects.filter(pk=mail_id, sent_at__isnull=True).update(not_needed_at=at, due_at=None)
