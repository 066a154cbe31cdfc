"""Queries for the pages. Each takes a fixed number of SQL queries, however many cases there are."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from django.db.models import Count, F, FilteredRelation, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from core.models import CaseChange
from enrollments.engine.gathering import governing_poa, newest_notice
from enrollments.models import (
    AdvanceNotice,
    Enrollment,
    EnrollmentEvent,
    Hold,
    LightWrite,
    Pause,
    PlanDocument,
    PlanOffer,
    RemoteCall,
    WebhookDelivery,
    WebhookRefusal,
)
from enrollments.states import SETTLED_STATUSES, EnrollmentStatus, status_label
from installations.models import GoLiveReport, InstallationEvent
from installations.states import GoLiveReportStatus
from poa_documents.models import CustomerMail, EvidenceEntry, MailKind, PoaDocument
from poa_documents.states import PoaStatus

TIMELINE_LENGTH = 200
IS_HELD = Q(open_hold__isnull=False)
COUNTED_BY = ("hold_code", "hold_owner", "next_step", "whose_turn")


class QueuePart(StrEnum):
    HELD = "held"
    WAITING = "waiting"
    RUNNING = "running"


@dataclass(frozen=True)
class QueueChoice:
    """The filter of the work queue. `reason` is a hold's code, or the next step of a case without a hold."""

    part: QueuePart = QueuePart.HELD
    reason: str = ""
    owner: str = ""


@dataclass(frozen=True)
class CaseCount:
    """The number of unfinished cases with the same reason and owner."""

    part: QueuePart
    reason: str
    owner: str
    cases: int


def unfinished_cases() -> "QuerySet[Enrollment]":
    """Return the cases that are not settled, and settled ones with a hold, annotated with the open hold."""
    return (
        Enrollment.objects.annotate(
            open_hold=FilteredRelation("holds", condition=Q(holds__released_at__isnull=True)),
        )
        .annotate(
            hold_code=F("open_hold__code"),
            hold_owner=F("open_hold__owner"),
            hold_because=F("open_hold__because"),
            hold_since=F("open_hold__since"),
        )
        .filter(IS_HELD | ~Q(status__in=sorted(SETTLED_STATUSES)))
    )


def count_cases() -> list[CaseCount]:
    """Count the unfinished cases by part, reason and owner, in one query."""
    rows = unfinished_cases().order_by().values_list(*COUNTED_BY).annotate(cases=Count("pk"))
    return [
        CaseCount(
            part=_part(hold_code, whose_turn),
            reason=hold_code or next_step,
            owner=hold_owner or whose_turn,
            cases=cases,
        )
        for hold_code, hold_owner, next_step, whose_turn, cases in rows
    ]


def cases_of(choice: QueueChoice) -> "QuerySet[Enrollment]":
    """Return the chosen cases, the most urgent first: by the last day to act, then by age."""
    of_same_reason = Hold.objects.filter(enrollment=OuterRef("pk"), code=OuterRef("hold_code")).order_by()
    released = of_same_reason.filter(released_at__isnull=False).values("code").annotate(count=Count("pk"))
    cases = (
        unfinished_cases()
        .select_related("customer", "site")
        .annotate(
            blocked_since=Subquery(of_same_reason.order_by("since").values("since")[:1]),
            times_released=Coalesce(Subquery(released.values("count")[:1]), 0),
        )
    )
    match choice.part:
        case QueuePart.HELD:
            cases = cases.filter(IS_HELD)
            by_reason, by_owner = Q(hold_code=choice.reason), Q(hold_owner=choice.owner)
        case QueuePart.WAITING:
            cases = cases.filter(~IS_HELD).exclude(whose_turn="")
            by_reason, by_owner = Q(next_step=choice.reason), Q(whose_turn=choice.owner)
        case QueuePart.RUNNING:
            cases = cases.filter(~IS_HELD, whose_turn="")
            by_reason, by_owner = Q(next_step=choice.reason), Q()
    if choice.reason:
        cases = cases.filter(by_reason)
    if choice.owner:
        cases = cases.filter(by_owner)
    return cases.order_by(
        F("act_by_date").asc(nulls_last=True),
        F("hold_since").asc(nulls_last=True),
        "opened_at",
        "pk",
    )


def _part(hold_code: str | None, whose_turn: str) -> QueuePart:
    if hold_code:
        return QueuePart.HELD
    return QueuePart.WAITING if whose_turn else QueuePart.RUNNING


def conflicting_reports() -> "QuerySet[GoLiveReport]":
    return (
        GoLiveReport.objects.filter(status=GoLiveReportStatus.CONFLICTING)
        .select_related("installation__site", "installation__customer")
        .order_by("received_at")
    )


def reports_awaiting_office() -> "QuerySet[GoLiveReport]":
    return (
        GoLiveReport.objects.filter(status=GoLiveReportStatus.AWAITING_OFFICE)
        .select_related("installation__site", "installation__customer")
        .order_by("received_at")
    )


def failing_mails() -> "QuerySet[CustomerMail]":
    return CustomerMail.objects.in_trouble().select_related("poa__customer").order_by("created_at", "pk")


def mails_of(enrollment: Enrollment) -> "QuerySet[CustomerMail]":
    """Return every mail to this customer about this site except sign-in codes, the newest first."""
    mails = CustomerMail.objects.filter(poa__customer_id=enrollment.customer_id, poa__site_id=enrollment.site_id)
    return mails.exclude(kind=MailKind.CODE).order_by("-created_at", "-pk")


def failing_seals() -> "QuerySet[PoaDocument]":
    return (
        PoaDocument.objects.filter(status=PoaStatus.SEALING, seal_failures__gt=0)
        .select_related("customer", "site")
        .order_by("signed_at")
    )


def plan_documents_given_up() -> "QuerySet[PlanDocument]":
    """Return the plan documents that could not be fetched; staff must decide what to do."""
    return (
        PlanDocument.objects.filter(stored_at__isnull=True, due_at__isnull=True)
        .select_related("offer__enrollment__customer")
        .order_by("owed_since", "pk")
    )


def failed_deliveries() -> "QuerySet[WebhookDelivery]":
    """Return the deliveries that failed, or were given up because no enrollment has their account."""
    failed = ~Q(last_error="") | Q(due_at__isnull=True)
    return WebhookDelivery.objects.filter(failed, settled_at__isnull=True).order_by("received_at")


def refused_webhooks(day: date) -> "QuerySet[WebhookRefusal]":
    """Return the number of webhooks with a wrong signature on a Chicago day, by sender."""
    return WebhookRefusal.objects.filter(date=day).order_by("sender")


def open_pauses() -> "QuerySet[Pause]":
    return Pause.objects.filter(ended_at__isnull=True).order_by("started_at")


class TimelineKind(StrEnum):
    CASE = "Case"
    JOB = "Job"
    AUTHORITY = "Authority"
    WEBHOOK = "Webhook"
    WRITE = "Write to Light"
    CALL = "Call to Light"


@dataclass(frozen=True)
class TimelineEntry:
    """One event in the history of an enrollment, from any of its journals."""

    at: datetime
    kind: TimelineKind
    what: str
    actor: str
    detail: str
    record: Model


def poas_of(enrollment: Enrollment) -> "QuerySet[PoaDocument]":
    return (
        PoaDocument.objects.filter(customer_id=enrollment.customer_id, site_id=enrollment.site_id)
        .select_related("envelope", "customer")
        .order_by("-created_at", "-pk")
    )


def timeline(enrollment: Enrollment, *, length: int = TIMELINE_LENGTH) -> list[TimelineEntry]:
    """
    Return the history of an enrollment, the newest first, at most `length` entries.

    A POA's journal also contains the case's own events. Those are listed once.
    """
    events = EnrollmentEvent.objects.filter(enrollment=enrollment).order_by("-at", "-pk")[:length]
    jobs = (
        InstallationEvent.objects.filter(installation__enrollments=enrollment)
        .select_related("installation__site")
        .order_by("-at", "-pk")[:length]
    )
    evidence = (
        EvidenceEntry.objects.filter(poa__customer_id=enrollment.customer_id, poa__site_id=enrollment.site_id)
        .exclude(kind__startswith="enrollment.")
        .order_by("-at", "-pk")[:length]
    )
    deliveries = WebhookDelivery.objects.filter(enrollment=enrollment).order_by("-received_at", "-pk")[:length]
    writes = LightWrite.objects.filter(enrollment=enrollment).order_by("-opened_at", "-pk")[:length]
    calls = RemoteCall.objects.filter(enrollment=enrollment).order_by("-at", "-pk")[:length]
    found = [
        *(_case_entry(event) for event in events),
        *(_job_entry(event) for event in jobs),
        *(_evidence_entry(entry) for entry in evidence),
        *(_delivery_entry(delivery) for delivery in deliveries),
        *(_write_entry(write) for write in writes),
        *(_call_entry(call) for call in calls),
    ]
    return _newest(found)[:length]


def _newest(entries: Iterable[TimelineEntry]) -> list[TimelineEntry]:
    return sorted(entries, key=lambda entry: entry.at, reverse=True)


def _case_entry(event: EnrollmentEvent) -> TimelineEntry:
    old, new = status_label(event.old_status), status_label(event.new_status)
    moved = f"{old} → {new}" if old and new and old != new else ""
    return TimelineEntry(
        at=event.at,
        kind=TimelineKind.CASE,
        what=_humanize(event.name),
        actor=event.actor,
        detail=" · ".join(text for text in (moved, event.reason) if text),
        record=event,
    )


def _job_entry(event: InstallationEvent) -> TimelineEntry:
    return TimelineEntry(
        at=event.at,
        kind=TimelineKind.JOB,
        what=f"{_humanize(event.name)} ({event.installation.get_kind_display()})",
        actor=event.actor,
        detail=event.reason,
        record=event,
    )


def _evidence_entry(entry: EvidenceEntry) -> TimelineEntry:
    return TimelineEntry(
        at=entry.at,
        kind=TimelineKind.AUTHORITY,
        what=_humanize(entry.kind),
        actor=entry.actor,
        detail="",
        record=entry,
    )


def _delivery_entry(delivery: WebhookDelivery) -> TimelineEntry:
    return TimelineEntry(
        at=delivery.received_at,
        kind=TimelineKind.WEBHOOK,
        what=delivery.event_name or "Unnamed event",
        actor="light",
        detail=delivery.last_error or delivery.outcome,
        record=delivery,
    )


def _write_entry(write: LightWrite) -> TimelineEntry:
    return TimelineEntry(
        at=write.opened_at,
        kind=TimelineKind.WRITE,
        what=f"{write.get_kind_display()}: {write.get_status_display().lower()}",
        actor="system",
        detail=write.outcome,
        record=write,
    )


def _call_entry(call: RemoteCall) -> TimelineEntry:
    return TimelineEntry(
        at=call.at,
        kind=TimelineKind.CALL,
        what=f"{call.method} {call.path}",
        actor="system",
        detail=f"{call.http_status or 'no answer'} in {call.seconds:.2f} s {call.problem}".strip(),
        record=call,
    )


def _humanize(name: str) -> str:
    return name.replace("_", " ").replace(".", ": ").capitalize()


def enrollment_of(poa: PoaDocument) -> Enrollment | None:
    """Return the enrollment that this POA governs, or an ended one if none is open."""
    enrollments = Enrollment.objects.select_related("site", "customer", "accepted_offer").filter(
        site_id=poa.site_id, customer_id=poa.customer_id
    )
    newest_first = enrollments.order_by("-opened_at", "-pk")
    return next((enrollment for enrollment in newest_first if governing_poa(enrollment) == poa), None)


def announced_notice(enrollment: Enrollment, poa: PoaDocument) -> AdvanceNotice | None:
    """Return the notice sent to the customer, as long as its plan is neither accepted nor dropped."""
    if enrollment.status not in {EnrollmentStatus.OPEN, EnrollmentStatus.ACCEPTING, EnrollmentStatus.IN_DOUBT}:
        return None
    if poa.status != PoaStatus.SIGNED:
        return None
    notice = newest_notice(enrollment)
    return notice if notice is not None and notice.poa_id == poa.pk else None


def is_decision_outdated(enrollment: Enrollment) -> bool:
    """Whether the case changed since its next step was decided and stored."""
    is_undecided = enrollment.changes_noted != enrollment.changes_decided
    return is_undecided or CaseChange.objects.filter(site_id=enrollment.site_id).exists()


def stored_documents(offer: PlanOffer) -> "QuerySet[PlanDocument]":
    return PlanDocument.objects.filter(offer=offer, stored_at__isnull=False)
