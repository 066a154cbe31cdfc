"""Delivery reports from the mail provider: stored first, processed by the sweep, each with at most one effect."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from core.actors import SYSTEM
from core.cleanup import delete_in_batches
from core.due_rows import Backoff, claim, due_ids
from core.transactions import repeatable
from poa_documents.actions.mail_returns import confirm_address, record_return
from poa_documents.models import AddressFailure, CustomerMail, MailReport, ReturnSource

LEASE = timedelta(minutes=1)
BACKOFF = Backoff(first=timedelta(minutes=1), longest=timedelta(hours=9), max_failures=10)
KEPT_FOR = timedelta(days=90)
MAX_ID_LENGTH = 100

BOUNCED, DELIVERED = "bounced", "delivered"


def store_report(*, body: bytes, at: datetime) -> None:
    """Store a report whose signature was verified, due immediately. A repeat changes nothing."""
    text = body.decode("utf-8", errors="backslashreplace").replace("\x00", "\\x00")
    key = _own_id(_read(text)) or hashlib.sha256(body).hexdigest()
    report = MailReport(event_key=key, body=text, received_at=at, due_at=at)
    MailReport.objects.bulk_create([report], ignore_conflicts=True)


def _own_id(said: Mapping[str, Any]) -> str:
    """Return the report's own ID, or "". The mail's ID would make all reports but the first look like repeats."""
    own_id = said.get("id")
    if not isinstance(own_id, str) or len(own_id) > MAX_ID_LENGTH or not own_id.isprintable():
        return ""
    return "" if own_id.strip("<>") == _bare(said.get("message_id")) else own_id


def due_reports(*, at: datetime, limit: int) -> list[int]:
    return due_ids(MailReport.objects.filter(settled_at__isnull=True), at=at, limit=limit)


def settle_report(*, report_id: int, at: datetime) -> str:
    """
    Process one report of a mail that was permanently returned or delivered.

    Reports of unknown mails and of delays have no effect. A report that cannot be parsed stays listed with its error.
    """
    unsettled = MailReport.objects.filter(pk=report_id, settled_at__isnull=True)
    if not claim(unsettled, at=at, lease=LEASE):
        return "not due"
    try:
        return _settle(report_id, at=at)
    except Exception as problem:
        due_at = BACKOFF.next_time(unsettled.get().attempts, at=at)
        again = "retried later." if due_at is not None else "not retried. Tell operations."
        unsettled.update(due_at=due_at, last_error=f"{type(problem).__name__}: {again}")
        raise


@repeatable
def _settle(report_id: int, *, at: datetime) -> str:
    report = MailReport.objects.select_for_update(of=("self",)).get(pk=report_id)
    if report.settled_at is not None:
        return report.outcome
    said = _read(report.body)
    report.due_at, report.last_error = None, ""
    if not isinstance(said.get("event"), str):
        report.last_error = "Not a JSON object with an event name. Compare what the provider sends with the docs."
    else:
        mail = _mail_of(said)
        report.settled_at, report.mail, report.poa_id = at, mail, mail.poa_id if mail else None
        report.outcome = _take_effect(mail, said, at=at) if mail else "Not one of our mails."
    report.save()
    return report.outcome or report.last_error


def forget_reports(*, at: datetime) -> int:
    """Delete old reports. Their effects stay in the journal."""
    return delete_in_batches(MailReport.objects.filter(Q(received_at__lt=at - KEPT_FOR)))


def _take_effect(mail: CustomerMail, said: Mapping[str, Any], *, at: datetime) -> str:
    event, address = said["event"], said.get("address")
    if isinstance(address, str) and address.strip().lower() != mail.sent_to.lower():
        return "It names a different address than the mail was sent to."
    if event == DELIVERED:
        customer_id = mail.poa.customer_id
        failing = AddressFailure.objects.filter(customer_id=customer_id, ended_at__isnull=True, since__lt=mail.tried_at)
        if not failing.filter(address=mail.sent_to).exists():
            return "Delivered."
        confirm_address(customer_id=customer_id, address=mail.sent_to, because="A mail was delivered.", at=at)
        return "Delivered. The address works again."
    if event != BOUNCED:
        return "This event has no effect."
    if said.get("is_permanent") is not True:
        return "Returned temporarily. The provider keeps trying."
    reason = said.get("reason")
    because = reason if isinstance(reason, str) else ""
    return record_return(mail_id=mail.pk, because=because, source=ReturnSource.PROVIDER, by=SYSTEM, at=at).in_words


def _mail_of(said: Mapping[str, Any]) -> CustomerMail | None:
    """Find the mail by our Message-ID. An address alone is not enough."""
    bare = _bare(said.get("message_id"))
    if not bare or not bare.isprintable():  # databases reject some control characters
        return None
    return CustomerMail.objects.select_related("poa").filter(message_id=f"<{bare}>").first()


def _bare(message_id: object) -> str:
    return message_id.strip().strip("<>") if isinstance(message_id, str) else ""


def _read(text: str) -> Mapping[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
