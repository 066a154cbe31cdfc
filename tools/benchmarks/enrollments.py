"""
Enrollments a second from permission to operate to finalized, beside a bare loop that makes the same calls.

Both are given as many calls in flight: the stand-in for Light serves so many at a time, without delay or after 50 ms.
The loop has a process for each; ours has always the same processes, so that its own work can fill the time in which
Light is waited for.
"""

import json
import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta

from django.db import transaction
from django.db.models import Max
from django.test.utils import setup_test_environment, teardown_test_environment

from core.clock import now
from core.dates import chicago_day
from core.queue import TaskName
from enrollments.actions import mails, plan_documents, webhook_processing
from enrollments.models import Enrollment, RemoteCall
from enrollments.states import EnrollmentStatus
from simulator.server import DEFAULT_APP_TOKEN
from tests.factories import installations as made
from tools.benchmarks.measuring import compare
from tools.service_harness.assembly import built_stack, own_servers
from tools.service_harness.servers import ROOT, s3_server
from tools.service_harness.stack import WORKERS, Stack, busy
from tools.service_harness.wire import Wire

ROUNDS = 3
OURS_A_ROUND = 30
BARE_A_ROUND = 60
PROCESSES = 2 * len(WORKERS)
IN_FLIGHT = (1, PROCESSES)
REMOTE_SECONDS = (0.0, 0.05)
MAX_ROUND_SECONDS = 300.0
SETTINGS = "tools.benchmarks.settings"
"""With production's waits; tests of faults use shorter ones."""


def measure() -> dict[str, object]:
    with ExitStack() as exit_stack:
        setup_test_environment()
        exit_stack.callback(teardown_test_environment)
        servers, s3 = exit_stack.enter_context(own_servers()), s3_server()
        wire = exit_stack.enter_context(Wire(s3.endpoint_url))
        stack = exit_stack.enter_context(built_stack(servers, s3, wire))
        stack.environment["DJANGO_SETTINGS_MODULE"] = SETTINGS
        stack.make_whole()
        ours_at_once(stack, stack.ready_cases(PROCESSES, is_checked=False))  # every process has loaded what it needs
        return {
            "processes": PROCESSES,
            "ours_a_round": OURS_A_ROUND,
            "bare_a_round": BARE_A_ROUND,
            "settings": [_beside(stack, seconds, calls) for seconds in REMOTE_SECONDS for calls in IN_FLIGHT],
        }


def _beside(stack: Stack, remote_seconds: float, in_flight: int) -> dict[str, object]:
    ours, bare, calls = [], [], 0
    for _ in range(ROUNDS):
        cases = stack.ready_cases(OURS_A_ROUND, is_checked=False)
        stack.light.change_settings(max_concurrent_calls=in_flight)
        if remote_seconds:
            stack.light.inject_fault("*", "delay", seconds=remote_seconds, times=None)
        began_at = now()
        ours.append(ours_at_once(stack, cases))
        calls += RemoteCall.objects.filter(at__gt=began_at, path__startswith="/v1/").count()
        bare.append(_bare_alone(stack, remote_seconds, in_flight))
        stack.light.clear_faults()
        stack.light.change_settings(max_concurrent_calls=0)
    return {
        "remote_ms": round(remote_seconds * 1000),
        "in_flight": in_flight,
        "calls_each": round(calls / ROUNDS / OURS_A_ROUND, 2),
        **compare(ours, bare),
    }


def ours_at_once(stack: Stack, cases: list[Enrollment]) -> float:
    """Report all permissions in one transaction, so that all start together; return enrollments per second."""
    ours = Enrollment.objects.filter(pk__in=[case.pk for case in cases])
    with transaction.atomic():
        for case in cases:
            made.go_live_report(case.installations.get(), at=now())
    began_at = now()
    for site_id in ours.values_list("site_id", flat=True):
        stack.send(TaskName.CASE_CHANGED, site_id=site_id)
    stack.until(
        lambda: not ours.exclude(status=EnrollmentStatus.FINALIZED).exists(),
        "every case is finalized",
        seconds=MAX_ROUND_SECONDS,
        is_checked=False,
    )
    last = ours.aggregate(at=Max("finalized_at"))["at"]
    stack.until(lambda: not busy(ours).exists() and not _is_work_left(), "all is quiet again", is_checked=False)
    return float(len(cases) / (last - began_at).total_seconds())


def _is_work_left() -> bool:
    """Mails, plan documents or webhooks that come after the enrollments, and would slow the loop."""
    at = now()
    due = (plan_documents.due_documents, mails.due_case_mails, webhook_processing.due_deliveries)
    return any(find(at=at, limit=1) for find in due)


def _bare_alone(stack: Stack, remote_seconds: float, in_flight: int) -> float:
    """Run the loop without the webhooks that its calls would send to us; return enrollments per second."""
    stack.light.switch_webhooks(off=True)
    stack.light.clear_faults()
    accounts = bare_accounts(stack, BARE_A_ROUND)
    if remote_seconds:
        stack.light.inject_fault("*", "delay", seconds=remote_seconds, times=None)
    speed = bare_at_once(stack, accounts, in_flight)
    stack.light.switch_webhooks(off=False)
    return speed


def bare_accounts(stack: Stack, count: int) -> list[dict[str, str]]:
    """Accounts at the simulator that are as ready as ours, created without us."""
    accounts: list[dict[str, str]] = json.loads(_loop(stack, "prepare", {"count": count}))["accounts"]
    return accounts


def bare_at_once(stack: Stack, accounts: list[dict[str, str]], processes: int) -> float:
    start = chicago_day(now()) + timedelta(days=10)
    told = {"accounts": accounts, "processes": processes, "start": start.isoformat()}
    return len(accounts) / float(json.loads(_loop(stack, "enroll", told))["seconds"])


def _loop(stack: Stack, command: str, told: dict[str, object]) -> str:
    arguments = [sys.executable, "-m", "tools.benchmarks.bare.loop", command, stack.light_url, DEFAULT_APP_TOKEN]
    return subprocess.run(  # noqa: S603 - our own command
        arguments,
        cwd=ROOT,
        input=json.dumps(told),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=MAX_ROUND_SECONDS,
    ).stdout
