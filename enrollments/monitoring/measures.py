"""Measurements of the system, in a fixed number of queries however many cases there are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from django.conf import settings
from django.db.models import Count, Max, Min, Q
from django.utils import timezone

from accounts.queries import clients_running_out
from core.dates import chicago_day
from core.models import CaseChange, LastSweep, WrongClock
from core.queue import TaskName
from core.sweep_times import BACKUP, WITHOUT_QUEUE
from enrollments import queries
from enrollments.engine import write_guard
from enrollments.light.documents import DOCUMENT_PURPOSE
from enrollments.models import Difference, Enrollment, EnrollmentEvent, LightWrite, Pause, ReconciliationRun, RemoteCall
from enrollments.models import WebhookDelivery as Delivery
from enrollments.monitoring.alarms import DAYS_BEFORE_WINDOW_CLOSES, Numbers
from enrollments.states import (
    SETTLED_STATUSES,
    UNSETTLED_WRITE_STATUSES,
    DifferenceKind,
    EnrollmentStatus,
    WriteKind,
    WriteStatus,
)
from installations.models import KeptProof, ProofFile
from poa_documents.actions import check_not_revoked, why_unanswered
from poa_documents.models import EvidenceEntry, JournalAnchor, PoaDocument
from poa_documents.seal.keys import SealKeyUnusable, current_key
from poa_documents.states import PoaStatus

A_DAY = timedelta(days=1)
RECENT_PERIOD = timedelta(days=7)
CLOCK_REPORT_LIFE = timedelta(minutes=5)
MAX_READING_DELAY = timedelta(hours=1)
CALLS_PERIOD = timedelta(hours=1)
"""Longer than the longest wait between two tries of a case."""
REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED})
SWEEPS = (TaskName.SWEEP_PROOFS, TaskName.SWEEP_POAS, TaskName.SWEEP_ENROLLMENTS)


def measure(*, now: datetime) -> Numbers:
    cases = Enrollment.objects.aggregate(
        unfinished=Count("pk", filter=~Q(status__in=sorted(SETTLED_STATUSES))),
        backing_off=Count("pk", filter=Q(calls_failed__gt=0, calls_not_before__gt=now)),
        oldest_account=Min("opened_at", filter=Q(light_account_uuid__isnull=False)),
    )
    due = Enrollment.objects.filter(due_at__lte=now, lease_until__isnull=True).aggregate(
        count=Count("pk"), oldest=Min("due_at")
    )
    closing = Enrollment.objects.filter(
        status=EnrollmentStatus.OPEN,
        act_by_date__gte=chicago_day(now),  # missed ones are in the work queue as overdue
        act_by_date__lte=chicago_day(now) + timedelta(days=DAYS_BEFORE_WINDOW_CLOSES),
    ).aggregate(count=Count("pk"), first=Min("act_by_date"))
    was_in_doubt = Q(status=WriteStatus.NOT_DONE, doubt_since__isnull=False)
    acceptances = LightWrite.objects.filter(kind=WriteKind.ACCEPT_PLAN, opened_at__gt=now - A_DAY).aggregate(
        done=Count("pk", filter=Q(status=WriteStatus.DONE)),
        failed=Count("pk", filter=Q(status=WriteStatus.REFUSED) | was_in_doubt),
        unsettled=Count("pk", filter=Q(status__in=sorted(UNSETTLED_WRITE_STATUSES))),
    )
    calls = _calls_to_light(now)
    swept = dict(LastSweep.objects.values_list("task", "at"))
    run = ReconciliationRun.objects.filter(finished_at__isnull=False).first()
    complete = ReconciliationRun.objects.filter(unread_count=0).aggregate(at=Max("finished_at"))
    seal_key_problem, seal_key_ends_at, seal_unanswered_because = _seal_key(now)
    last_webhook_at = Delivery.objects.aggregate(at=Max("received_at"))["at"]
    first_evidence_at = EvidenceEntry.objects.order_by("pk").values_list("at", flat=True).first()
    anchor = JournalAnchor.objects.order_by("-number").only("made_at", "problem").first()
    return Numbers(
        expects_webhooks=bool(settings.LIGHT_WEBHOOK_SECRETS),
        last_webhook_at=last_webhook_at,
        unreported_change_at=_unreported_change_at(last_webhook_at, now=now),
        due_cases=due["count"],
        oldest_due_at=due["oldest"],
        oldest_change_at=CaseChange.objects.aggregate(at=Min("at"))["at"],
        unfinished_cases=cases["unfinished"],
        accepted_in_a_day=acceptances["done"],
        failed_acceptances_in_a_day=acceptances["failed"],
        acceptances_in_doubt=acceptances["unsettled"],
        windows_closing=closing["count"],
        first_window_closes=closing["first"],
        failing_seals=PoaDocument.objects.filter(status=PoaStatus.SEALING, seal_failures__gt=0).count(),
        unstored_proofs=sum(
            model.objects.filter(unstored_content__isnull=False).count() for model in (ProofFile, KeptProof)
        ),
        plan_documents_given_up=queries.plan_documents_given_up().count(),
        unsettled_deliveries=Delivery.objects.filter(settled_at__isnull=True).count(),
        swept_at={task.value: swept.get(task.value) for task in SWEEPS},
        light_answered_at=calls.answered_at,
        calls_failing_since=calls.failing_since,
        calls_unanswered=calls.unanswered,
        calls_refused=calls.refused,
        cases_refused=calls.cases_refused,
        cases_backing_off=cases["backing_off"],
        clock_drift=tuple(WrongClock.objects.filter(at__gt=now - CLOCK_REPORT_LIFE).values_list("problem", flat=True)),
        worked_without_queue_at=swept.get(WITHOUT_QUEUE),
        writes_stopped_because=write_guard.why_writes_are_stopped(),
        paused_since=Pause.objects.filter(ended_at__isnull=True).aggregate(at=Min("started_at"))["at"],
        reconciled_at=complete["at"],
        differences=_differences(run),
        oldest_account_at=cases["oldest_account"],
        damaged_documents=PoaDocument.objects.filter(file_damaged_at__isnull=False).count(),
        seal_key_problem=seal_key_problem,
        seal_key_ends_at=seal_key_ends_at,
        seal_unanswered_because=seal_unanswered_because,
        journal_problem=anchor.problem if anchor else "",
        journal_unanchored_since=anchor.made_at if anchor else first_evidence_at,
        backup_expected_days=settings.BACKUP_ALARM_DAYS,
        backed_up_at=swept.get(BACKUP),
        first_evidence_at=first_evidence_at,
        api_clients_running_out=tuple(clients_running_out(timezone.now())),  # keys age by the machine's own clock
    )


@dataclass(frozen=True)
class _Calls:
    answered_at: datetime | None
    failing_since: datetime | None
    unanswered: int
    refused: int
    cases_refused: int


def _calls_to_light(now: datetime) -> _Calls:
    """Count the recent calls without a usable answer since the last one with an answer."""
    calls = RemoteCall.objects.filter(at__gt=now - CALLS_PERIOD).exclude(purpose=DOCUMENT_PURPOSE)
    is_refusal = Q(http_status__in=sorted(REFUSALS)) | Q(http_status__range=(300, 399))
    is_silence = Q(http_status__isnull=True) | Q(http_status__gte=500)
    answered_at = calls.exclude(is_refusal | is_silence).aggregate(at=Max("at"))["at"]
    since = calls.filter(at__gt=answered_at) if answered_at else calls
    found = since.aggregate(
        first=Min("at"),
        unanswered=Count("pk", filter=is_silence),
        refused=Count("pk", filter=is_refusal),
        cases_refused=Count("enrollment", filter=is_refusal, distinct=True),
    )
    return _Calls(answered_at, found["first"], found["unanswered"], found["refused"], found["cases_refused"])


def _unreported_change_at(last_webhook_at: datetime | None, *, now: datetime) -> datetime | None:
    """Return the first recent account change that no webhook reported. Changes are read within an hour of a webhook."""
    told_until = (
        max(now - RECENT_PERIOD, last_webhook_at + MAX_READING_DELAY) if last_webhook_at else now - RECENT_PERIOD
    )
    changes = EnrollmentEvent.objects.filter(name="light_status", at__gt=told_until)
    return changes.order_by("at").values_list("at", flat=True).first()


def _seal_key(now: datetime) -> tuple[str, datetime | None, str]:
    try:
        key = current_key(settings.POA_SEAL_KEY_FILE, settings.POA_SEAL_PASSPHRASE)
        key.check_in_force(now)
        check_not_revoked(key)
    except SealKeyUnusable as problem:
        return str(problem), None, ""
    return "", key.ends_at, why_unanswered(key, at=now)


def _differences(run: ReconciliationRun | None) -> int:
    """Count the differences, leaving out those that will settle automatically."""
    return Difference.objects.filter(run=run).exclude(kind=DifferenceKind.UNDER_WAY).count()
