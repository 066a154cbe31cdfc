"""
Mails about an enrollment: scheduled once per case in the transaction of the event, and sent only while still true.

`poa_documents` stores and sends them. This module decides when one is due and what it says.
"""

import logging
from datetime import datetime, timedelta
from functools import partial

from core.company_rules import current_rules
from core.dates import chicago_day
from core.queue import TaskName, enqueue_on_commit
from core.stored_files import FileAltered, StoredFile, read
from core.transactions import repeatable
from enrollments.customer_home import milestone_mails
from enrollments.customer_home.turn_mails import TurnMails, is_mail_due
from enrollments.decision import notices
from enrollments.decision.facts import Facts
from enrollments.decision.steps import Waiting
from enrollments.engine import write_guard
from enrollments.engine.gathering import gather, governing_poa, missing_details
from enrollments.engine.locked_case import LockedCase, lock_case
from enrollments.models import Enrollment, EnrollmentEvent, PlanDocument, PlanDocumentKind, PlanOffer
from enrollments.queries import is_decision_outdated
from enrollments.states import SETTLED_STATUSES, HoldCode
from installations.models import GoLiveReport
from installations.states import GoLiveReportStatus
from poa_documents.actions import MailNotReady, MailOutcome, configured_policy, schedule_case_mail, send_mail
from poa_documents.mail.messages import CaseMessage
from poa_documents.models import CustomerMail, MailKind, MailState, PoaDocument
from poa_documents.queries import last_visit

logger = logging.getLogger(__name__)

_WAITING_MAIL = frozenset({MailState.QUEUED, MailState.RETRYING, MailState.HELD, MailState.TO_BE_POSTED})

MAX_NEWS_AGE = timedelta(days=30)
"""Older events are not worth a mail, such as a go-live long before the customer signed."""
MAX_WAIT_FOR_DOCUMENTS = timedelta(minutes=30)
RETRY_INTERVAL = timedelta(minutes=1)
CANCELLATION_RETRY_INTERVAL = timedelta(hours=1)
MAX_ATTACHED_BYTES = 7_000_000
"""Mail servers accept at least 10 MB, and encoding makes attachments a third larger."""


def schedule_milestone_mail(case: LockedCase, kind: MailKind, *, at: datetime, key: str = "") -> CustomerMail | None:
    """
    Schedule a mail about a case in the caller's transaction. None if it was scheduled before.

    One per case and kind, unless `key` distinguishes it, as for a second notice.
    """
    if case.poa is None:
        return None
    case_number = case.enrollment.pk
    key = key or f"case:{case_number}:{kind.value}"
    mail = schedule_case_mail(case.poa, kind, case_number=case_number, once_key=key, at=at)
    if mail is not None:
        enqueue_on_commit(TaskName.SEND_CASE_MAIL, mail_id=mail.pk)
    return mail


@repeatable
def schedule_go_live_mail(*, enrollment_id: int, at: datetime) -> CustomerMail | None:
    """Owe the customer the mail about a counted go-live, if it is recent and they are sent about this case at all."""
    case = lock_case(enrollment_id)
    fresh = GoLiveReport.objects.filter(
        installation__enrollments=case.enrollment, status=GoLiveReportStatus.COUNTED, received_at__gte=at - MAX_NEWS_AGE
    )
    if not fresh.exists():
        return None
    if not milestone_mails.is_still_true(MailKind.GO_LIVE_RECEIVED, case.facts):
        return None
    return schedule_milestone_mail(case, MailKind.GO_LIVE_RECEIVED, at=at)


def schedule_service_end_mail(case: LockedCase, *, at: datetime) -> CustomerMail | None:
    """
    Owe the customer the mail that their accepted service ends or has ended, once for each last day.

    Skipped if service ended long ago, or if a restored backup may have lost the record of an earlier mail.
    """
    enrollment = case.enrollment
    last_day = enrollment.service_end_date
    is_old = last_day is not None and last_day < chicago_day(at - MAX_NEWS_AGE)
    if enrollment.accepted_at is None or is_old or write_guard.is_catching_up_after_restore():
        return None
    key = _key_of_service_end(enrollment)
    return schedule_milestone_mail(case, MailKind.SERVICE_ENDS, at=at, key=key)


def _key_of_service_end(enrollment: Enrollment) -> str:
    return f"case:{enrollment.pk}:{MailKind.SERVICE_ENDS.value}:{enrollment.service_end_date or 'unknown'}"


TURN_MAIL_FOR = {
    Waiting.CUSTOMER_TO_FINISH: MailKind.DETAILS_MISSING,
    Waiting.CREDIT_FROZEN: MailKind.CREDIT_FROZEN,
}


@repeatable
def schedule_turn_mail(*, enrollment_id: int, code: Waiting, at: datetime) -> CustomerMail | None:
    """
    Owe the customer the next mail that says what Light is waiting for, if one is due. A repeat changes nothing.

    Each freeze of the credit file starts a new series of mails. Missing details have one series per power of attorney.
    """
    case = lock_case(enrollment_id)
    enrollment, poa = case.enrollment, case.poa
    if poa is None:
        return None
    kind = TURN_MAIL_FOR[code]
    since = enrollment.light_status_since if kind == MailKind.CREDIT_FROZEN else None
    turn = f"case:{enrollment.pk}:{kind.value}:{poa.pk}.{int(since.timestamp()) if since else 0}"
    mails = list(CustomerMail.objects.filter(poa=poa, kind=kind, once_key__startswith=f"{turn}:"))
    sent = [mail for mail in mails if mail.state != MailState.OVERTAKEN]
    known = TurnMails(
        sent=len(sent),
        last_sent_at=max((mail.sent_at or mail.tried_at or mail.created_at for mail in sent), default=None),
        last_visit_at=_last_visit(enrollment, poa),
        is_one_waiting=any(mail.state in _WAITING_MAIL for mail in sent),
    )
    if not is_mail_due(known, at, configured_policy()):
        return None
    return schedule_milestone_mail(case, kind, at=at, key=f"{turn}:{len(mails) + 1}")


def _last_visit(enrollment: Enrollment, poa: PoaDocument) -> datetime | None:
    """When the customer was last on our pages, or went from them to Light's."""
    opened = EnrollmentEvent.objects.filter(enrollment=enrollment, name="open_hosted_pages").order_by("-at").first()
    return max((moment for moment in (last_visit(poa), opened.at if opened else None) if moment), default=None)


def due_case_mails(*, at: datetime, limit: int) -> list[int]:
    due = CustomerMail.objects.due_about_cases(at).order_by("due_at")
    return list(due.values_list("pk", flat=True)[:limit])


def send_case_mail(*, mail_id: int, at: datetime) -> MailOutcome:
    """Send one due mail about an enrollment, unless it is no longer true."""
    return send_mail(mail_id=mail_id, at=at, tell=partial(_tell, at=at))


def _tell(mail: CustomerMail, *, at: datetime) -> CaseMessage | None:
    enrollment = (
        Enrollment.objects.select_related("customer", "site", "accepted_offer").filter(pk=mail.case_number or 0).first()
    )
    if enrollment is None:
        return None
    if mail.kind in TURN_MAIL_FOR.values():
        return _turn(enrollment, mail)
    facts = gather(enrollment, governing_poa(enrollment))
    if not milestone_mails.is_still_true(mail.kind, facts):
        return None
    match mail.kind:
        case MailKind.GO_LIVE_RECEIVED:
            return _go_live(enrollment, facts)
        case MailKind.ADVANCE_NOTICE:
            return _notice(enrollment, mail, at=at)
        case MailKind.PLAN_ACCEPTED:
            return _acceptance(enrollment, facts, mail, at=at)
        case MailKind.SERVICE_ACTIVE:
            return _service(enrollment, mail)
        case MailKind.SERVICE_ENDS:
            return _service_end(enrollment, mail, at=at)
    return None


def _turn(enrollment: Enrollment, mail: CustomerMail) -> CaseMessage | None:
    """
    Ask for what the customer's page asks for: both follow the stored decision.

    :raises MailNotReady: the case is being decided again
    """
    if enrollment.lease_until is not None or is_decision_outdated(enrollment):
        raise MailNotReady(RETRY_INTERVAL)
    kinds = {code.value: kind for code, kind in TURN_MAIL_FOR.items()}
    if enrollment.status in SETTLED_STATUSES or kinds.get(enrollment.customer_code) != mail.kind:
        return None
    return milestone_mails.customers_turn_message(
        MailKind(mail.kind),
        missing=missing_details(enrollment),
        act_by=enrollment.act_by_date,
        is_reminder=not mail.once_key.endswith(":1"),
        address=str(enrollment.site),
        contact=current_rules().contact,
        language=enrollment.customer.language,
    )


def _go_live(enrollment: Enrollment, facts: Facts) -> CaseMessage | None:
    if facts.go_live.counted_date is None:
        return None
    return milestone_mails.go_live_message(
        granted=facts.go_live.counted_date,
        by_pto=facts.go_live.by_pto,
        address=str(enrollment.site),
        language=enrollment.customer.language,
    )


def _notice(enrollment: Enrollment, mail: CustomerMail, *, at: datetime) -> CaseMessage | None:
    """Announce the newest notice while a whole day is left to object. After that, another notice is due."""
    notice = enrollment.notices.select_related("offer", "poa__envelope").order_by("-given_at", "-pk").first()
    if notice is None or notice.mail_key != mail.once_key or not notices.leaves_a_day(notice.until, at):
        return None
    return milestone_mails.advance_notice_message(
        offer=notice.offer,
        envelope=notice.poa.envelope,
        start=notice.start_date,
        last_day=notice.last_day,
        address=str(enrollment.site),
        contact=current_rules().contact,
        language=enrollment.customer.language,
    )


def _acceptance(enrollment: Enrollment, facts: Facts, mail: CustomerMail, *, at: datetime) -> CaseMessage | None:
    """:raises MailNotReady: the plan's documents are being fetched, or it is unclear whether the plan was canceled"""
    if facts.hold is not None and facts.hold.code == HoldCode.CANCEL_REPORTED:
        raise MailNotReady(CANCELLATION_RETRY_INTERVAL)
    offer, start, accepted_at = enrollment.accepted_offer, enrollment.service_start_date, enrollment.accepted_at
    if offer is None or start is None or accepted_at is None:
        return None
    return milestone_mails.acceptance_message(
        offer=offer,
        envelope=mail.poa.envelope,
        start=start,
        accepted_at=accepted_at,
        documents=_documents(offer, is_patient=at < accepted_at + MAX_WAIT_FOR_DOCUMENTS),
        address=str(enrollment.site),
        contact=current_rules().contact,
        language=enrollment.customer.language,
        now=at,
    )


def _documents(offer: PlanOffer, *, is_patient: bool) -> dict[str, bytes | None]:
    """
    Return the stored documents that are PDFs, verified against their hashes, and None for the others.

    :raises MailNotReady: some are still being fetched
    """
    stored = {each.kind: each for each in PlanDocument.objects.filter(offer=offer, stored_at__isnull=False)}
    if is_patient and len(stored) < len(PlanDocumentKind):
        raise MailNotReady(RETRY_INTERVAL)
    room = MAX_ATTACHED_BYTES
    found: dict[str, bytes | None] = {}
    for kind in PlanDocumentKind:
        document = stored.get(kind.value)
        size = document.size_bytes or 0 if document else 0
        fits = document is not None and document.content_type == "application/pdf" and size <= room
        found[kind.value] = _content(document, is_patient=is_patient) if document is not None and fits else None
        room -= size if fits else 0
    return found


def _content(document: PlanDocument, *, is_patient: bool) -> bytes | None:
    """
    Return the stored bytes, or None if they are lost: customers must hear about their plan anyway.

    :raises MailNotReady: the storage does not answer, but may soon
    """
    try:
        return read(StoredFile(document.storage_key, document.sha256, document.size_bytes or 0))
    except FileAltered:
        logger.exception("Plan document %s is damaged. The customer gets the mail without it.", document.pk)
    except Exception as problem:
        logger.exception("Plan document %s could not be read.", document.pk)
        if is_patient:
            raise MailNotReady(RETRY_INTERVAL) from problem
    return None


def _service(enrollment: Enrollment, mail: CustomerMail) -> CaseMessage | None:
    offer, start = enrollment.accepted_offer, enrollment.service_start_date
    if offer is None or start is None:
        return None
    return milestone_mails.service_message(
        offer=offer,
        envelope=mail.poa.envelope,
        start=start,
        address=str(enrollment.site),
        contact=current_rules().contact,
        language=enrollment.customer.language,
    )


def _service_end(enrollment: Enrollment, mail: CustomerMail, *, at: datetime) -> CaseMessage | None:
    """Announce the last day that Light shows now. If it was corrected since, another mail is due."""
    offer = enrollment.accepted_offer
    if offer is None or mail.once_key != _key_of_service_end(enrollment):
        return None
    return milestone_mails.service_end_message(
        plan=offer.name,
        last_day=enrollment.service_end_date,
        has_begun=enrollment.active_at is not None,
        address=str(enrollment.site),
        contact=current_rules().contact,
        language=enrollment.customer.language,
        now=at,
    )
