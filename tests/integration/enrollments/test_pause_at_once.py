"""A pause, or a system hold, with workers running: queued work does not start any more."""

import queue
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.db import connections

from enrollments.actions.system_holds import hold_writes
from enrollments.decision.steps import Waiting
from enrollments.models import Enrollment, LightWrite
from enrollments.states import WriteKind, WriteStatus
from simulator.server import RunningSimulator, start_simulator
from tests.contract.dialects import DIALECT_PAIRS
from tests.integration.enrollments.flow import MORNING, OFFICE, Flow

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]

CASES = 8
WORKERS = 3
SECONDS_LIGHT_TAKES = 1.7
SECONDS_ALLOWED = 1.0
SECONDS_TO_WAIT = 60


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    running = start_simulator(dialect=DIALECT_PAIRS[0].simulator)
    running.control.set_now(MORNING)
    running.control.freeze_clock()
    yield running
    running.stop()


@pytest.fixture
def flow(simulator: RunningSimulator) -> Iterator[Flow]:
    walked = Flow(simulator, DIALECT_PAIRS[0])
    yield walked
    walked.check()
    walked.light.close()


def ready_cases(flow: Flow) -> list[Enrollment]:
    """Cases whose acceptance only a pause prevents."""
    cases = [flow.case() for _ in range(CASES)]
    pause = flow.pause()
    for case in cases:
        flow.run(case)
        flow.finish_at_light(case)
        flow.report_pto(case)
    flow.pass_time(flow.policy.collecting_interval)
    for case in cases:
        assert flow.run(case) == Waiting.PAUSED
    flow.resume(pause)
    return cases


def start_workers(flow: Flow, cases: list[Enrollment]) -> list[threading.Thread]:
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for case in cases:
        waiting.put(case.pk)

    def work() -> None:
        try:
            while not waiting.empty():
                flow.engine.advance(waiting.get_nowait())
        except queue.Empty:
            pass
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work, daemon=True) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    return workers


def accepted_at_light(flow: Flow) -> int:
    return len(flow.simulator.control.requests("accept"))


@pytest.mark.parametrize(
    "stop",
    [
        lambda flow: flow.pause(),
        lambda flow: hold_writes(reason="Stop.", by=OFFICE, at=flow.clock.at),
    ],
    ids=["pause", "system_hold"],
)
def test_U8_no_acceptance_reaches_light_after_a_pause(flow: Flow, stop: Callable[[Flow], object]) -> None:
    cases = ready_cases(flow)
    flow.simulator.control.inject_fault("token", "delay", seconds=SECONDS_LIGHT_TAKES, times=None)
    workers = start_workers(flow, cases)
    wait_until(lambda: LightWrite.objects.filter(kind=WriteKind.ACCEPT_PLAN, status=WriteStatus.OPEN).exists())

    stop(flow)
    time.sleep(SECONDS_ALLOWED)  # the promise is about this second
    received = accepted_at_light(flow)
    for worker in workers:
        worker.join(SECONDS_TO_WAIT)

    assert not any(worker.is_alive() for worker in workers)
    assert accepted_at_light(flow) == received
    assert received < CASES
    stopped = LightWrite.objects.filter(kind=WriteKind.ACCEPT_PLAN, status=WriteStatus.NOT_DONE)
    assert all(write.outcome.startswith("Not sent.") for write in stopped)
    assert len(flow.simulator.control.acceptances()) == received
    waiting = {Enrollment.objects.get(pk=case.pk).next_step for case in cases}
    assert waiting & {Waiting.PAUSED, Waiting.WRITES_STOPPED}


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
