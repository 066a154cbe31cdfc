"""
O1: many installations reach their permission to operate at once, and Light allows few calls a second.

Small and quick by default. `make test-overload` runs it with a thousand cases, five calls a second and reports spread
over a minute, and records the figures for `docs/benchmarks.md`.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.db.models import Count, Max

from core.clock import now
from core.models import LastSweep
from enrollments.decision.policy import Policy
from enrollments.models import AcceptAttempt, Enrollment, RemoteCall
from enrollments.states import EnrollmentStatus
from tests.invariants import differences_from_light
from tools.benchmarks.page import write_page
from tools.benchmarks.results import Results
from tools.service_harness.stack import WORKERS, Stack, busy

CASES = int(os.environ.get("OVERLOAD_CASES", "30"))
CALLS_PER_SECOND = int(os.environ.get("OVERLOAD_CALLS_PER_SECOND", "5"))
SECONDS_OF_REPORTS = int(os.environ.get("OVERLOAD_REPORT_SECONDS", "0"))
IS_KEPT = "OVERLOAD_KEEP" in os.environ

NECESSARY = (
    "request plans",
    "get an account token",
    "read an account",  # in the turn that accepts, right before it
    "accept a plan",
    "finalize the enrollment",
    "read an account",
)
"""The calls that one case needs."""
MAX_RATIO = 1.15
MAX_REFUSED = 0.02
CHECKS_APART_SECONDS = 60.0


@dataclass(frozen=True)
class Flood:
    """The outcome of the cases, according to our own records of calls."""

    cases: int
    necessary_calls: int
    seconds: float
    calls: dict[str, int]
    refused: int

    @property
    def shortest_seconds(self) -> float:
        return self.necessary_calls / CALLS_PER_SECOND

    @property
    def ratio(self) -> float:
        return self.seconds / self.shortest_seconds


@contextmanager
def few_calls_allowed(stack: Stack, *, believed: float, retry_after: str) -> Iterator[None]:
    """Let Light allow few calls a second, and the stack believe that it allows `believed`."""
    stack.kill(*WORKERS, "web")
    stack.environment["LIGHT_CALLS_PER_SECOND"] = str(believed)
    stack.light.set_dialect(rate_limit_per_second=CALLS_PER_SECOND, rate_limit_retry_after=retry_after)
    restarted_at = now()
    stack.make_whole()
    stack.until(lambda: LastSweep.objects.filter(at__gt=restarted_at).exists(), "the workers work", is_checked=False)
    try:
        yield
    finally:
        stack.kill(*WORKERS, "web")
        del stack.environment["LIGHT_CALLS_PER_SECOND"]
        stack.light.set_dialect(rate_limit_per_second=0, rate_limit_retry_after="1")


def flood(stack: Stack, cases: list[Enrollment]) -> Flood:
    """Report every permission to operate, wait for the last case, and return what it took."""
    keys = [case.pk for case in cases]
    calls = RemoteCall.objects.filter(enrollment__in=keys, at__gt=now())
    began_at, began = now(), time.monotonic()
    for number, case in enumerate(cases):
        time.sleep(max(0.0, began + SECONDS_OF_REPORTS * number / len(cases) - time.monotonic()))
        stack.report_pto(case)
    left = Enrollment.objects.filter(pk__in=keys).exclude(status=EnrollmentStatus.FINALIZED)
    necessary_calls = len(cases) * len(NECESSARY)
    patience = 60 + 2 * necessary_calls / CALLS_PER_SECOND
    last_check = time.monotonic()
    while left.exists():
        assert time.monotonic() - began < patience, stack.last_words()
        if time.monotonic() - last_check > CHECKS_APART_SECONDS:
            stack.check()
            last_check = time.monotonic()
        time.sleep(0.2)
    last = Enrollment.objects.filter(pk__in=keys).aggregate(at=Max("finalized_at"))["at"]
    until_then = calls.filter(at__lte=last, path__startswith="/v1/")
    return Flood(
        cases=len(cases),
        necessary_calls=necessary_calls,
        seconds=(last - began_at).total_seconds(),
        calls=dict(until_then.values_list("purpose").annotate(Count("pk"))),
        refused=until_then.filter(http_status=429).count(),
    )


def assert_each_once(stack: Stack, cases: list[Enrollment]) -> None:
    """Wait until the last webhook is read too, and check every promise and Light's own list."""
    ours = Enrollment.objects.filter(pk__in=[case.pk for case in cases])
    patience = 60 + 2 * len(cases) * len(NECESSARY) / CALLS_PER_SECOND
    stack.until(lambda: not busy(ours).exists(), "all is at rest", seconds=patience, is_checked=False)
    stack.check(reads_files=True)
    assert differences_from_light(stack.light.acceptances()) == []
    assert not AcceptAttempt.objects.filter(enrollment__in=ours, succeeded__isnull=True).exists()
    keys = [case.pk for case in cases]
    answered = RemoteCall.objects.filter(enrollment__in=keys, http_status=200)
    for purpose in ("accept a plan", "request plans", "finalize the enrollment"):
        each = answered.filter(purpose=purpose)
        assert each.count() == each.values("enrollment").distinct().count() == len(cases), purpose


@pytest.mark.timeout(3 * 60 * 60 if IS_KEPT else 240)
@pytest.mark.parametrize("retry_after", ["1"] if IS_KEPT else ["1", ""], ids=lambda text: f"retry_after_{text}")
def test_O1_flood_is_worked_off_as_fast_as_light_allows(stack: Stack, retry_after: str) -> None:
    cases = stack.ready_cases(CASES, is_checked=False)
    if IS_KEPT:  # as with real customers: no account was read a moment ago
        time.sleep(Policy().fresh_reading.total_seconds())

    with few_calls_allowed(stack, believed=CALLS_PER_SECOND, retry_after=retry_after):
        seen = flood(stack, cases)
        if IS_KEPT:
            keep(seen)
        assert_each_once(stack, cases)

    assert seen.refused <= MAX_REFUSED * sum(seen.calls.values()), seen
    assert sum(seen.calls.values()) <= MAX_RATIO * seen.necessary_calls, seen
    if IS_KEPT:  # a busy machine stretches the short run, in which startup and end weigh much
        assert seen.ratio <= MAX_RATIO, seen


def test_O1_overestimated_limit_is_corrected_by_refusals(stack: Stack) -> None:
    cases = stack.ready_cases(20, is_checked=False)

    with few_calls_allowed(stack, believed=2 * CALLS_PER_SECOND, retry_after=""):
        seen = flood(stack, cases)
        assert_each_once(stack, cases)

    assert seen.refused <= sum(seen.calls.values()) / 4, seen


def keep(seen: Flood) -> None:
    Results.load().keep(
        "overload",
        {
            "cases": seen.cases,
            "necessary_calls": seen.necessary_calls,
            "calls_per_second": CALLS_PER_SECOND,
            "seconds_of_reports": SECONDS_OF_REPORTS,
            "seconds": round(seen.seconds, 1),
            "shortest_seconds": round(seen.shortest_seconds, 1),
            "ratio": round(seen.ratio, 3),
            "calls": seen.calls,
            "refused": seen.refused,
        },
        load=os.getloadavg()[0],
    )
    write_page()
