"""
Metrics in the Prometheus text format.

Source: Prometheus, exposition formats, text format 0.0.4.
"""

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from http import HTTPStatus
from itertools import chain

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core import clock
from core.dates import chicago_day
from core.loopback import is_loopback
from enrollments import queries
from enrollments.models import WebhookSender
from enrollments.monitoring.alarms import AlarmCode, Numbers, alarms
from enrollments.monitoring.measures import measure

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Sample:
    value: float
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gauge:
    name: str
    help: str
    samples: tuple[Sample, ...]


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics to anyone with METRICS_TOKEN, or only to this machine if none is set."""
    if not may_read(request):
        return HttpResponse(
            "Send METRICS_TOKEN as a bearer token.\n", status=HTTPStatus.FORBIDDEN, content_type="text/plain"
        )
    now = clock.now()
    found = chain(gauges(measure(now=now), now=now), [refused_webhooks(chicago_day(now))])
    return HttpResponse(exposition(found), content_type=CONTENT_TYPE)


def may_read(request: HttpRequest) -> bool:
    """Whether the request has METRICS_TOKEN, or comes from this machine if none is set."""
    if settings.METRICS_TOKEN:
        sent = request.headers.get("Authorization", "")
        return hmac.compare_digest(sent.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    was_forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return not was_forwarded and is_loopback(request.META.get("REMOTE_ADDR", ""))


def gauges(numbers: Numbers, *, now: datetime) -> Iterator[Gauge]:
    raised = {alarm.code for alarm in alarms(numbers, now=now)}
    yield Gauge(
        "switchyard_alarm",
        "1 while the alarm is active; see the runbook of alarms.",
        tuple(Sample(code in raised, {"code": code.value}) for code in AlarmCode),
    )
    yield Gauge(
        "switchyard_sweep_age_seconds",
        "Seconds since the last run of the sweep; missing before its first run.",
        tuple(Sample(_seconds(at, now), {"sweep": task}) for task, at in numbers.swept_at.items() if at),
    )
    plain = (
        ("switchyard_due_cases", "Due cases that no worker is processing.", numbers.due_cases),
        ("switchyard_oldest_due_seconds", "How long the oldest one is due.", _seconds(numbers.oldest_due_at, now)),
        ("switchyard_unfinished_cases", "Cases that are neither active nor ended.", numbers.unfinished_cases),
        ("switchyard_acceptances_last_day", "Plans accepted in the last 24 hours.", numbers.accepted_in_a_day),
        (
            "switchyard_failed_acceptances_last_day",
            "Acceptances of the last 24 hours that were refused or did not happen after a lost answer.",
            numbers.failed_acceptances_in_a_day,
        ),
        (
            "switchyard_unsettled_acceptances",
            "Acceptances of the last 24 hours with a still unknown outcome.",
            numbers.acceptances_in_doubt,
        ),
        ("switchyard_closing_windows", "Open cases close to their last day to act.", numbers.windows_closing),
        ("switchyard_failing_seals", "Signed documents that could not be stored yet.", numbers.failing_seals),
        ("switchyard_unstored_proofs", "Proofs kept in the database until stored.", numbers.unstored_proofs),
        (
            "switchyard_given_up_plan_documents",
            "Documents of accepted plans that could not be downloaded and are not retried.",
            numbers.plan_documents_given_up,
        ),
        (
            "switchyard_light_unanswered_calls",
            "Calls to Light without an answer since the last usable one, within the last hour.",
            numbers.calls_unanswered,
        ),
        (
            "switchyard_light_refused_calls",
            "Calls that Light refused since the last usable answer, within the last hour.",
            numbers.calls_refused,
        ),
        (
            "switchyard_cases_backing_off",
            "Cases waiting to retry because Light did not answer.",
            numbers.cases_backing_off,
        ),
        ("switchyard_unsettled_webhooks", "Webhooks not processed yet.", numbers.unsettled_deliveries),
        ("switchyard_differences", "Differences found by the last reconciliation.", numbers.differences),
        ("switchyard_writes_stopped", "1 while all writes to Light are stopped.", bool(numbers.writes_stopped_because)),
    )
    for name, words, value in plain:
        yield Gauge(name, words, (Sample(value),))
    for name, words, at in (
        ("switchyard_last_webhook_seconds", "Seconds since the last webhook.", numbers.last_webhook_at),
        (
            "switchyard_light_last_answer_seconds",
            "Seconds since Light's last usable answer; missing after more than an hour.",
            numbers.light_answered_at,
        ),
        ("switchyard_last_reconciliation_seconds", "Seconds since the last reconciliation.", numbers.reconciled_at),
    ):
        yield Gauge(name, words, (Sample(_seconds(at, now)),) if at else ())


def refused_webhooks(today: date) -> Gauge:
    counts = dict(queries.refused_webhooks(today).values_list("sender", "count"))
    return Gauge(
        "switchyard_refused_webhooks_today",
        "Webhooks with a wrong signature since midnight in Chicago, by sender.",
        tuple(Sample(counts.get(sender.value, 0), {"sender": sender.value}) for sender in WebhookSender),
    )


def _seconds(at: datetime | None, now: datetime) -> float:
    return max((now - at).total_seconds(), 0.0) if at else 0.0


def exposition(found: Iterable[Gauge]) -> str:
    """Format gauges as text: HELP, TYPE, and one line per sample."""
    lines = []
    for gauge in found:
        lines += [f"# HELP {gauge.name} {_escaped(gauge.help)}", f"# TYPE {gauge.name} gauge"]
        lines += [f"{gauge.name}{_labels(sample.labels)} {float(sample.value)!r}" for sample in gauge.samples]
    return "\n".join(lines) + "\n"


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    inner = ",".join(f'{name}="{_escaped(value, quotes=True)}"' for name, value in labels.items())
    return f"{{{inner}}}"


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quotes else text
