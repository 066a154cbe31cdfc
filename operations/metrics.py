"""
The numbers of the system in the text format that Prometheus reads.

Source: Prometheus, exposition formats, text format 0.0.4.
"""

import hmac
import ipaddress
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
    """Give the numbers to whoever has the token; without a token set, to this machine alone."""
    if not may_read(request):
        return HttpResponse(
            "Send METRICS_TOKEN as a bearer token.\n", status=HTTPStatus.FORBIDDEN, content_type="text/plain"
        )
    now = clock.now()
    found = chain(gauges(measure(now=now), now=now), [refused_webhooks(chicago_day(now))])
    return HttpResponse(exposition(found), content_type=CONTENT_TYPE)


def may_read(request: HttpRequest) -> bool:
    """Whether an operator asks: with METRICS_TOKEN, or from this machine where none is set."""
    if settings.METRICS_TOKEN:
        sent = request.headers.get("Authorization", "")
        return hmac.compare_digest(sent.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    was_forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return not was_forwarded and _is_this_machine(request.META.get("REMOTE_ADDR", ""))


def _is_this_machine(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def gauges(numbers: Numbers, *, now: datetime) -> Iterator[Gauge]:
    raised = {alarm.code for alarm in alarms(numbers, now=now)}
    yield Gauge(
        "switchyard_alarm",
        "1 while an alarm is raised; the runbook of alarms says what to do.",
        tuple(Sample(code in raised, {"code": code.value}) for code in AlarmCode),
    )
    yield Gauge(
        "switchyard_sweep_age_seconds",
        "Seconds since a sweep ran last; missing before it ran for the first time.",
        tuple(Sample(_seconds(at, now), {"sweep": task}) for task, at in numbers.swept_at.items() if at),
    )
    plain = (
        ("switchyard_due_cases", "Cases that are due and in no worker's hands.", numbers.due_cases),
        ("switchyard_oldest_due_seconds", "How long the oldest of them is due.", _seconds(numbers.oldest_due_at, now)),
        ("switchyard_unfinished_cases", "Cases that are neither active nor ended.", numbers.unfinished_cases),
        ("switchyard_acceptances_last_day", "Plans accepted in the last 24 hours.", numbers.accepted_in_a_day),
        (
            "switchyard_failed_acceptances_last_day",
            "Acceptances of the last 24 hours that were refused, or came to nothing after a lost answer.",
            numbers.failed_acceptances_in_a_day,
        ),
        (
            "switchyard_unsettled_acceptances",
            "Acceptances of the last 24 hours whose outcome is not known yet.",
            numbers.acceptances_in_doubt,
        ),
        ("switchyard_closing_windows", "Open cases whose last day to act is near.", numbers.windows_closing),
        ("switchyard_failing_seals", "Signed documents that could not be stored yet.", numbers.failing_seals),
        ("switchyard_unstored_proofs", "Proofs that wait in the database for the storage.", numbers.unstored_proofs),
        (
            "switchyard_given_up_plan_documents",
            "Documents of accepted plans that could not be fetched and are given up.",
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
            "Cases that wait before they call Light again, because it did not answer.",
            numbers.cases_backing_off,
        ),
        ("switchyard_unsettled_webhooks", "Webhooks kept and not settled yet.", numbers.unsettled_deliveries),
        ("switchyard_differences", "Differences that the last reconciliation found.", numbers.differences),
        ("switchyard_writes_stopped", "1 while all writes to Light are stopped.", bool(numbers.writes_stopped_because)),
    )
    for name, words, value in plain:
        yield Gauge(name, words, (Sample(value),))
    for name, words, at in (
        ("switchyard_last_webhook_seconds", "Seconds since the last webhook came.", numbers.last_webhook_at),
        (
            "switchyard_light_last_answer_seconds",
            "Seconds since Light's last usable answer; missing when it is more than an hour.",
            numbers.light_answered_at,
        ),
        ("switchyard_last_reconciliation_seconds", "Seconds since all accounts were compared.", numbers.reconciled_at),
    ):
        yield Gauge(name, words, (Sample(_seconds(at, now)),) if at else ())


def refused_webhooks(today: date) -> Gauge:
    counts = dict(queries.refused_webhooks(today).values_list("sender", "count"))
    return Gauge(
        "switchyard_refused_webhooks_today",
        "Webhooks with a wrong signature since midnight in Chicago, by the sender whose address they came to.",
        tuple(Sample(counts.get(sender.value, 0), {"sender": sender.value}) for sender in WebhookSender),
    )


def _seconds(at: datetime | None, now: datetime) -> float:
    return max((now - at).total_seconds(), 0.0) if at else 0.0


def exposition(found: Iterable[Gauge]) -> str:
    """Write gauges as text: HELP, TYPE, one line per sample, each ending in a line feed."""
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
