"""
Returned mails: the address counts as failing, mails to it are held, and its case is held for the office.

This ends automatically when the address is changed or a mail is delivered. Held mails are then sent, and returned ones
are sent again, unless they are no longer true.
"""

from datetime import datetime
from enum import StrEnum

from django.db.models import Q

from core.actors import SYSTEM, Actor
from core.case_changes import announce_case_change
from core.errors import Conflict
from core.queue import TaskName, enqueue_on_commit
from core.transactions import repeatable
from poa_documents.journal import chain
from poa_documents.mail.messages import one_line
from poa_documents.models import CASE_MAILS, AddressFailure, CustomerMail, MailKind, PoaDocument, ReturnSource
from poa_documents.moves import lock
from poa_documents.states import OPEN_STATUSES, PoaStatus

MAX_REASON_LENGTH = 500


class NeverSent(Conflict):
    """A mail that was never sent cannot be returned."""


class AddressNotFailing(Conflict):
    """Mail to this customer is not being returned, or someone has dealt with it already."""


class ReturnOutcome(StrEnum):
    BLOCKED = "BLOCKED"
    ALREADY_KNOWN = "ALREADY_KNOWN"
    SENT_AGAIN = "SENT_AGAIN"
    NOT_RELEVANT = "NOT_RELEVANT"

    @property
    def in_words(self) -> str:
        return _IN_WORDS[self]


_IN_WORDS = {
    ReturnOutcome.BLOCKED: "The mail was returned. Mail to this address is held, and the case asks the office.",
    ReturnOutcome.ALREADY_KNOWN: "The return was already recorded.",
    ReturnOutcome.SENT_AGAIN: "The mail was returned, but the address has changed or works since. It is sent again.",
    ReturnOutcome.NOT_RELEVANT: "The mail was returned, but nothing depends on it any more.",
}


@repeatable
def record_return(*, mail_id: int, because: str, source: ReturnSource | str, by: Actor, at: datetime) -> ReturnOutcome:
    """
    Record that a mail was returned. If it went to the address on file, that address counts as failing from now on.

    If the address was changed, or found to work, after the mail was sent, nothing is blocked and the mail is sent
    again. A repeat changes nothing.

    :raises NeverSent: it was never handed to the mail server
    """
    poa = lock(CustomerMail.objects.values_list("poa_id", flat=True).get(pk=mail_id))
    mail = CustomerMail.objects.select_for_update().get(pk=mail_id)
    if mail.tried_at is None:
        raise NeverSent("This mail has not been sent. Wait until it is, or correct the address to stop it.")
    if mail.returned_at is not None and (mail.returned_at > mail.tried_at or not mail.is_return_settled):
        return ReturnOutcome.ALREADY_KNOWN
    because = one_line(because, longest=MAX_REASON_LENGTH) or "No reason was given."
    mail.returned_at, mail.last_error, mail.due_at = at, because, None
    details = {"mail": mail.public_id, "mail_kind": mail.kind, "to": mail.sent_to, "because": because, "source": source}
    chain.record(poa, kind="mail_returned", by=by, at=at, details=details)
    is_to_customer = not mail.to_address
    concerns_today = is_to_customer and mail.sent_to == poa.customer.email
    if concerns_today and not _has_worked_since(mail):
        mail.is_return_settled = False
        mail.save()
        _open_failure(poa, mail, because=because, source=source, at=at)
        return ReturnOutcome.BLOCKED
    is_worth_repeating = is_to_customer and mail.kind != MailKind.CODE
    mail.is_return_settled = True
    if is_worth_repeating:
        _requeue(mail, at=at)
    mail.save()
    return ReturnOutcome.SENT_AGAIN if is_worth_repeating else ReturnOutcome.NOT_RELEVANT


@repeatable
def end_address_failure(*, customer_id: int, because: str, by: Actor, at: datetime) -> None:
    """
    Allow mail to the customer's address again, because the office found out that it works.

    :raises AddressNotFailing: it is not failing
    """
    if not settle_address_failures(customer_id, because=because, by=by, at=at):
        raise AddressNotFailing("Mail to this customer is not held. Someone has dealt with it already.")


@repeatable
def confirm_address(*, customer_id: int, address: str, because: str, at: datetime) -> None:
    """Record that a mail to this address was read or delivered."""
    if AddressFailure.objects.filter(customer_id=customer_id, address=address, ended_at__isnull=True).exists():
        settle_address_failures(customer_id, because=because, by=SYSTEM, at=at)


def settle_address_failures(customer_id: int, *, because: str, by: Actor, at: datetime) -> bool:
    """End a customer's address failure, inside the caller's transaction, and send what was held or returned."""
    failure = AddressFailure.objects.select_for_update().filter(customer_id=customer_id, ended_at__isnull=True).first()
    if failure is None:
        return False
    failure.ended_at, failure.ended_by, failure.ended_because = at, str(by), because
    failure.save()
    poa = lock(failure.poa_id)
    details = {"address": failure.address, "failing_since": failure.since, "because": because}
    chain.record(poa, kind="mail_works_again", by=by, at=at, details=details)
    mails = CustomerMail.objects.filter(poa__customer_id=customer_id, to_address="", not_needed_at__isnull=True)
    came_back = Q(returned_at__isnull=False, is_return_settled=False)
    for mail in mails.select_for_update(of=("self",)).filter(came_back | Q(held_since__isnull=False)).order_by("pk"):
        if mail.kind != MailKind.CODE:
            _requeue(mail, at=at)
        mail.is_return_settled = mail.returned_at is not None
        mail.save()
    announce_customer_change(customer_id, at=at)
    return True


def _has_worked_since(mail: CustomerMail) -> bool:
    """Whether this address was found to work after the mail was sent, so that its return is outdated."""
    failures = AddressFailure.objects.filter(customer_id=mail.poa.customer_id, address=mail.sent_to)
    return failures.filter(ended_at__gt=mail.tried_at).exists()


def _open_failure(poa: PoaDocument, mail: CustomerMail, *, because: str, source: str, at: datetime) -> None:
    before = AddressFailure.objects.filter(customer_id=poa.customer_id, ended_at__isnull=True).first()
    if before is not None and before.address == mail.sent_to:
        return
    if before is not None:
        before.ended_at, before.ended_by = at, str(SYSTEM)
        before.ended_because = "The address on file has changed."
        before.save()
    AddressFailure.objects.create(
        customer_id=poa.customer_id,
        poa=poa,
        mail=mail,
        address=mail.sent_to,
        source=source,
        because=because,
        since=at,
    )
    announce_customer_change(poa.customer_id, at=at)


def _requeue(mail: CustomerMail, *, at: datetime) -> None:
    mail.sent_at, mail.held_since, mail.due_at, mail.attempts = None, None, at, 0
    mail.last_error, mail.message_id = "", ""
    if mail.kind not in CASE_MAILS:
        enqueue_on_commit(TaskName.SEND_MAIL, mail_id=mail.pk)


def announce_customer_change(customer_id: int, *, at: datetime) -> None:
    concerned = PoaDocument.objects.filter(
        customer_id=customer_id, status__in=sorted(OPEN_STATUSES | {PoaStatus.EXHAUSTED})
    )
    for site_id in concerned.order_by("site_id").values_list("site_id", flat=True).distinct():
        announce_case_change(site_id=site_id, at=at)
