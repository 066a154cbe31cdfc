"""The buttons that the case page shows next to each kind of hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse

from core.admin.links import BACK, button_url, record_url
from core.admin.records import RecordAdmin
from core.admin.tables import Cell
from enrollments.engine.gathering import governing_poa
from enrollments.models import Enrollment
from enrollments.states import EnrollmentStatus, HoldCode
from poa_documents.models import StopSignal
from poa_documents.queries import failure_of, unsigned_poa_of


class Subject(StrEnum):
    """The record that a button belongs to."""

    CASE = "CASE"
    AUTHORITY = "AUTHORITY"
    NEW_AUTHORITY = "NEW_AUTHORITY"
    UNSIGNED_AUTHORITY = "UNSIGNED_AUTHORITY"
    CUSTOMER = "CUSTOMER"
    FAILING_ADDRESS = "FAILING_ADDRESS"
    STOP_SIGNAL = "STOP_SIGNAL"
    INSTALLATION = "INSTALLATION"


@dataclass(frozen=True)
class ButtonRef:
    """A button, by its record and its name there."""

    subject: Subject
    button: str = ""


RELEASE = ButtonRef(Subject.CASE, "release")
RECORD_LEAVING = ButtonRef(Subject.CASE, "record-leaving")
CLOSE = ButtonRef(Subject.CASE, "close")
LINK = ButtonRef(Subject.CASE, "link-account")
ADOPT = ButtonRef(Subject.CASE, "adopt")
DRAFT = ButtonRef(Subject.NEW_AUTHORITY)
SEND = ButtonRef(Subject.UNSIGNED_AUTHORITY, "send")
RESEND = ButtonRef(Subject.UNSIGNED_AUTHORITY, "resend")
RESUME = ButtonRef(Subject.AUTHORITY, "resume")
END_STOP = ButtonRef(Subject.STOP_SIGNAL, "end")
CORRECT_CONTACT = ButtonRef(Subject.CUSTOMER, "correct-contact")
MAIL_WORKS = ButtonRef(Subject.FAILING_ADDRESS, "works-again")
REPORT_GO_LIVE = ButtonRef(Subject.INSTALLATION, "report-go-live")

NEW_SIGNATURE = (DRAFT, SEND, RESEND)

BUTTONS_BY_HOLD: dict[HoldCode, tuple[ButtonRef, ...]] = {
    HoldCode.AUTHORITY_ENDED: (*NEW_SIGNATURE, RESUME, END_STOP, CLOSE),
    HoldCode.AUTHORITY_UNCLEAR: (*NEW_SIGNATURE, RESUME, END_STOP, RELEASE),
    HoldCode.REVOKED_AFTER_ACCEPTANCE: (END_STOP, RESUME, RELEASE),
    HoldCode.OUTSIDE_LIMITS: (RELEASE, *NEW_SIGNATURE),
    HoldCode.IMPLAUSIBLE_OFFER: (RELEASE,),
    HoldCode.OFFERS_EXPIRED: (RELEASE,),
    HoldCode.NO_PROGRESS: (RELEASE,),
    HoldCode.TOO_MANY_CALLS: (RELEASE,),
    HoldCode.ACCEPTED_DIFFERENTLY: (CLOSE, RELEASE),
    HoldCode.OFFER_UNCLEAR: (RELEASE,),
    HoldCode.NO_PLANS: (RELEASE,),
    HoldCode.NO_LEGAL_START: NEW_SIGNATURE,
    HoldCode.SELF_ENROLLED: (ADOPT, CLOSE),
    HoldCode.COMPLETE_BUT_NOT_READY: (RELEASE,),
    HoldCode.UNKNOWN_LIGHT_STATUS: (RELEASE,),
    HoldCode.REFUSED_BY_LIGHT: (CORRECT_CONTACT, RELEASE),
    HoldCode.OUTCOME_UNKNOWN: (RELEASE,),
    HoldCode.ACCOUNT_UNCLEAR: (LINK, RELEASE),
    HoldCode.WRONG_DIALECT: (RELEASE,),
    HoldCode.REDIRECTED: (RELEASE,),
    HoldCode.NOT_AUTHORIZED: (RELEASE,),
    HoldCode.CANCEL_REPORTED: (CLOSE, RELEASE),
    HoldCode.CUSTOMER_LEFT: (RECORD_LEAVING,),
    HoldCode.GO_LIVE_WITHDRAWN: (REPORT_GO_LIVE, RELEASE),
    HoldCode.NOT_ACTIVE_IN_TIME: (RELEASE,),
    HoldCode.MAIL_RETURNED: (CORRECT_CONTACT, MAIL_WORKS),
    HoldCode.REPEATED_FAILURES: (RELEASE,),
}


def buttons_for(code: HoldCode, enrollment: Enrollment, request: HttpRequest) -> list[Cell]:
    """Return the buttons for a hold that this user may use now. Each returns to the case."""
    back = record_url(enrollment)
    found: list[Cell] = []
    for act in BUTTONS_BY_HOLD.get(code, (RELEASE,)):
        if act == DRAFT:
            found += drafting_button(enrollment, request)
            continue
        for record in _records(act.subject, enrollment):
            record_admin = admin.site._registry.get(type(record))  # noqa: SLF001 - the site has no public lookup
            if isinstance(record_admin, RecordAdmin):
                found += [
                    Cell(each.label, button_url(record, each.name, back=back), tone="grave" if each.is_grave else "")
                    for each in record_admin.buttons
                    if each.name == act.button
                    and record_admin.can_use_button(request, each)
                    and each.is_offered(record)
                ]
    return found


def drafting_button(enrollment: Enrollment, request: HttpRequest) -> list[Cell]:
    """Return the button that drafts a power of attorney, for an open case whose site has no unsigned one."""
    may_draft = request.user.has_perm("poa_documents.add_poadocument")
    if not may_draft or enrollment.status != EnrollmentStatus.OPEN or unsigned_poa_of(enrollment.site_id) is not None:
        return []
    known = {
        "customer": enrollment.customer.public_id,
        "site": enrollment.site.public_id,
        BACK: record_url(enrollment),
    }
    return [
        Cell("Draft a new power of attorney", f"{reverse('admin:poa_documents_poadocument_add')}?{urlencode(known)}")
    ]


def _records(subject: Subject, enrollment: Enrollment) -> Iterator[Model]:
    match subject:
        case Subject.CASE:
            yield enrollment
        case Subject.AUTHORITY:
            yield from filter(None, [governing_poa(enrollment)])
        case Subject.UNSIGNED_AUTHORITY:
            yield from filter(None, [unsigned_poa_of(enrollment.site_id)])
        case Subject.CUSTOMER:
            yield enrollment.customer
        case Subject.FAILING_ADDRESS:
            yield from filter(None, [failure_of(enrollment.customer)])
        case Subject.STOP_SIGNAL:
            yield from StopSignal.objects.filter(customer=enrollment.customer_id, ended_at__isnull=True)
        case Subject.INSTALLATION:
            yield from enrollment.installations.all()
