"""U8: a pause, or a system hold, stops the next acceptance in under a second, with workers busy and work queued."""

import time
from collections.abc import Callable

import pytest

from core.clock import now
from enrollments.actions.pauses import pause, resume
from enrollments.actions.system_holds import hold_writes, release_writes
from enrollments.decision.steps import Waiting
from enrollments.models import Enrollment, LightWrite
from enrollments.states import WriteKind, WriteStatus
from tests.factories.installations import OFFICE
from tools.service_harness.stack import Stack

CASES = 6
SECONDS_LIGHT_TAKES = 3
SECONDS_ALLOWED = 1.0


def pause_all() -> Callable[[], object]:
    opened = pause(reason="Prices look odd.", by=OFFICE, at=now())
    return lambda: resume(pause_id=opened.pk, by=OFFICE, at=now())


def hold_all() -> Callable[[], object]:
    hold_writes(reason="The provider moves.", by=OFFICE, at=now())
    return lambda: release_writes(by=OFFICE, at=now())


@pytest.mark.parametrize(
    ("stop", "waiting"), [(pause_all, Waiting.PAUSED), (hold_all, Waiting.WRITES_STOPPED)], ids=["pause", "system_hold"]
)
def test_U8_no_acceptance_starts_after_a_pause(
    stack: Stack, stop: Callable[[], Callable[[], object]], waiting: Waiting
) -> None:
    cases = stack.ready_cases(CASES)
    stack.light.inject_fault("token", "delay", seconds=SECONDS_LIGHT_TAKES, times=None)
    for case in cases:
        stack.report_pto(case)
    ours = Enrollment.objects.filter(pk__in=[case.pk for case in cases])
    recorded = LightWrite.objects.filter(enrollment__in=ours, kind=WriteKind.ACCEPT_PLAN, status=WriteStatus.OPEN)
    stack.until(recorded.exists, "an acceptance is under way")

    go_on = stop()
    time.sleep(SECONDS_ALLOWED)  # the promise is about this second
    received = sum(stack.calls(case, "accept") for case in cases)
    stack.until(lambda: not recorded.exists() and not ours.filter(lease_until__isnull=False), "the workers rest")

    assert sum(stack.calls(case, "accept") for case in cases) == received < CASES
    assert ours.filter(next_step=waiting).count() >= CASES - received

    stack.light.clear_faults()
    go_on()

    stack.until_finalized(*cases)
