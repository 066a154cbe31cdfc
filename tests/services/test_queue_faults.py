"""The queue's faults, cell by cell, against real processes."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import redis
import requests
from django.db.models import QuerySet

from core.clock import now
from core.models import LastSweep, WrongClock
from core.queue import TaskName
from core.sweep_times import WITHOUT_QUEUE
from enrollments.engine.engine import MAX_FAILURES
from enrollments.models import Enrollment, Hold, LightWrite, RemoteCall
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteKind, WriteStatus
from installations.models import Site
from tests.factories import installations as made
from tools.service_harness.servers import Servers
from tools.service_harness.stack import (
    SCHEDULERS,
    SECONDS_TO_TAKE_OVER,
    WORKERS,
    Stack,
    held_row,
    writers_waiting,
)

LONG_CALL_SECONDS = 20
UNREADABLE = ("no JSON", "{", "null", "7", "[]", "{}", '{"body": 1}', '{"properties": {}}', "\x00")


def accept_write(case: Enrollment) -> LightWrite | None:
    return LightWrite.objects.filter(enrollment=case, kind=WriteKind.ACCEPT_PLAN).last()


def is_status(case: Enrollment, status: str) -> bool:
    return Enrollment.objects.get(pk=case.pk).status == status


def was_answered(case: Enrollment) -> bool:
    return RemoteCall.objects.filter(enrollment=case, purpose="accept a plan", http_status=200).exists()


@contextmanager
def only_one_worker(stack: Stack) -> Iterator[str]:
    """Leave one worker running, so that it is known which one has the case."""
    stack.kill(WORKERS[1])
    yield WORKERS[0]


def test_Q1_acceptance_recorded_before_a_kill_is_sent_once(stack: Stack) -> None:
    case = stack.ready_case()
    with only_one_worker(stack) as worker:
        stack.light.inject_fault("token", "delay", seconds=LONG_CALL_SECONDS, account_uuid=str(case.light_account_uuid))
        stack.report_pto(case)
        stack.until(lambda: accept_write(case), "the acceptance is recorded")
        stack.kill(worker)
    assert stack.calls(case, "accept") == 0

    stack.start(*WORKERS)

    stack.until_finalized(case, seconds=SECONDS_TO_TAKE_OVER + 30)
    outcomes = LightWrite.objects.filter(enrollment=case, kind=WriteKind.ACCEPT_PLAN).values_list("status", flat=True)
    assert [*outcomes][-2:] == [WriteStatus.NOT_DONE, WriteStatus.DONE]
    assert stack.calls(case, "accept") == 1


def test_Q1_kill_before_recording_costs_nothing(stack: Stack) -> None:
    case = stack.ready_case()
    with only_one_worker(stack) as worker:
        uuid = str(case.light_account_uuid)
        stack.light.inject_fault("request_plans", "delay", seconds=LONG_CALL_SECONDS, account_uuid=uuid)
        stack.report_pto(case)
        stack.until(lambda: stack.calls(case, "request_plans"), "plans are asked for")
        stack.kill(worker)
    assert accept_write(case) is None

    stack.start(*WORKERS)

    stack.until_finalized(case, seconds=SECONDS_TO_TAKE_OVER + 30)
    assert stack.calls(case, "accept") == 1


def test_Q2_kill_during_the_call_is_settled_by_reading(stack: Stack) -> None:
    case = stack.ready_case()
    with only_one_worker(stack) as worker:
        stack.light.inject_fault(
            "accept", "delay", seconds=LONG_CALL_SECONDS, account_uuid=str(case.light_account_uuid)
        )
        stack.report_pto(case)
        stack.until(lambda: stack.acceptances_of(case), "Light holds the acceptance")
        stack.kill(worker)
    assert is_status(case, EnrollmentStatus.ACCEPTING)

    stack.start(*WORKERS)

    stack.until_finalized(case, seconds=SECONDS_TO_TAKE_OVER)
    assert stack.calls(case, "accept") == 1
    assert case.events.filter(name="mark_in_doubt").count() == 1


def test_Q3_kill_between_answer_and_commit_accepts_once(stack: Stack) -> None:
    case = stack.ready_case()
    with only_one_worker(stack) as worker:
        stack.light.inject_fault("accept", "delay", seconds=3, account_uuid=str(case.light_account_uuid))
        stack.report_pto(case)
        stack.until(lambda: stack.acceptances_of(case), "Light holds the acceptance")
        with held_row(case):
            stack.until(lambda: was_answered(case), "the worker has the answer", is_checked=False)
            stack.until(lambda: writers_waiting() >= 1, "the worker waits to commit it", is_checked=False)
            stack.kill(worker)
    assert is_status(case, EnrollmentStatus.ACCEPTING)

    stack.start(*WORKERS)

    stack.until_finalized(case, seconds=SECONDS_TO_TAKE_OVER)
    assert stack.calls(case, "accept") == 1
    sent = LightWrite.objects.exclude(status=WriteStatus.NOT_DONE).get(enrollment=case, kind=WriteKind.ACCEPT_PLAN)
    assert sent.status == WriteStatus.DONE
    assert sent.doubt_since is not None


def test_Q4_kill_between_commit_and_acknowledgement_repeats_nothing(stack: Stack) -> None:
    case = stack.ready_case()
    with only_one_worker(stack) as worker:
        stack.light.inject_fault("finalize", "delay", seconds=4, account_uuid=str(case.light_account_uuid))
        stack.report_pto(case)
        stack.until(lambda: is_status(case, EnrollmentStatus.ACCEPTED), "the acceptance is committed")
        with stack.frozen_redis():
            stack.until(
                lambda: Enrollment.objects.filter(
                    pk=case.pk, status=EnrollmentStatus.FINALIZED, lease_until=None
                ).exists(),
                "everything is committed and nothing acknowledged",
            )
            stack.kill(worker)
    calls_before = len(stack.light.requests())

    stack.start(*WORKERS)
    stack.until_finalized(case)
    logged = stack.listen()
    stack.send(TaskName.ADVANCE_ENROLLMENT, enrollment_id=case.pk)
    stack.until(lambda: logged("not due"), "the message that came again is worked off")

    stack.until_finalized(case)
    assert stack.calls(case, "accept") == 1
    assert stack.calls(case, "finalize") == 1
    made_since = [call["operation"] for call in stack.light.requests()[calls_before:]]
    assert not {"accept", "finalize", "request_plans", "create", "record"} & set(made_since)


def test_Q5_case_continues_after_one_pool_child_dies(stack: Stack) -> None:
    case = stack.ready_case()
    with only_one_worker(stack) as worker:
        stack.light.inject_fault(
            "accept", "delay", seconds=LONG_CALL_SECONDS, account_uuid=str(case.light_account_uuid)
        )
        stack.report_pto(case)
        stack.until(lambda: stack.acceptances_of(case), "Light holds the acceptance")

        for child in stack.children_of(worker):
            os.kill(child, signal.SIGKILL)

    stack.until_finalized(case, seconds=SECONDS_TO_TAKE_OVER)
    assert stack.calls(case, "accept") == 1
    assert stack.running[worker].poll() is None


def test_Q5_case_continues_after_all_workers_die(stack: Stack) -> None:
    cases = stack.ready_cases(4)
    stack.light.inject_fault("accept", "delay", seconds=LONG_CALL_SECONDS, times=4)
    for case in cases:
        stack.report_pto(case)
    stack.until(lambda: any(stack.acceptances_of(case) for case in cases), "the first acceptances are under way")
    stack.kill(*WORKERS, *SCHEDULERS)
    stack.light.clear_faults()

    stack.start(*WORKERS, *SCHEDULERS)

    stack.until_finalized(*cases, seconds=SECONDS_TO_TAKE_OVER + 30)


def test_Q6_Q8_repeated_and_late_messages_have_no_effect(stack: Stack) -> None:
    case = stack.ready_case()
    stack.report_pto(case)

    for _ in range(20):
        stack.send(TaskName.ADVANCE_ENROLLMENT, enrollment_id=case.pk)
        stack.send(TaskName.CASE_CHANGED, site_id=case.site_id)
    stack.until_finalized(case)
    for _ in range(20):
        stack.send(TaskName.ADVANCE_ENROLLMENT, enrollment_id=case.pk)

    stack.until(lambda: queue_length(stack) == 0, "the queue is empty")
    stack.until_finalized(case)
    for operation in ("accept", "finalize", "request_plans", "record"):
        assert stack.calls(case, operation) == 1, operation


def queue_length(stack: Stack) -> int:
    with redis.Redis.from_url(stack.servers.redis_url) as connection:
        return sum(int(connection.llen(key)) for key in connection.scan_iter("switchyard:switchyard*"))


def test_Q7_thousand_due_cases_survive_an_emptied_redis(stack: Stack, crowd: "Crowd") -> None:
    cases = stack.ready_cases(6)
    stack.kill(*WORKERS)
    for case in cases:
        stack.report_pto(case)
    crowd.make_due()
    stack.until(lambda: queue_length(stack) >= 1, "messages wait")

    with redis.Redis.from_url(stack.servers.redis_url) as connection:
        connection.flushall()
    stack.start(*WORKERS)

    stack.until_finalized(*cases)
    stack.until(crowd.was_looked_at, "everybody else was looked at")


class Crowd:
    """A thousand cases that only need a decision: their power of attorney was not sent yet."""

    SIZE = 1_000

    def __init__(self) -> None:
        job = made.installation(now())
        sites = [
            Site(
                address_1=f"{number} Crowd Street",
                city="Austin",
                state="TX",
                postal_code="78701",
                esi_id=made.esi_id(),
                created_at=now(),
            )
            for number in range(self.SIZE)
        ]
        made_sites = Site.objects.bulk_create(sites)
        self._cases = Enrollment.objects.bulk_create(
            Enrollment(site=site, customer=job.customer, opened_at=now(), due_at=now() + timedelta(days=1))
            for site in made_sites
        )

    def make_due(self) -> None:
        self._mine().update(due_at=now(), next_step="")

    def was_looked_at(self) -> bool:
        return not self._mine().filter(next_step="").exists()

    def delete(self) -> None:
        self._mine().delete()

    def _mine(self) -> QuerySet[Enrollment]:
        return Enrollment.objects.filter(pk__in=[case.pk for case in self._cases])


@pytest.fixture
def crowd(stack: Stack) -> Iterator[Crowd]:
    gathered = Crowd()
    yield gathered
    stack.kill(*[name for name in WORKERS if name in stack.running])
    gathered.delete()


def test_Q9_two_schedulers_act_as_one(stack: Stack) -> None:
    assert all(stack.running[name].poll() is None for name in SCHEDULERS)
    cases = stack.ready_cases(3)

    for case in cases:
        stack.report_pto(case)

    stack.until_finalized(*cases)
    for case in cases:
        assert stack.calls(case, "create") + stack.calls(case, "record") <= 2
        assert stack.calls(case, "request_plans") == 1
        assert stack.calls(case, "accept") == 1
        assert stack.calls(case, "finalize") == 1


def test_Q11_workers_reconnect_after_a_redis_restart(stack: Stack) -> None:
    cases = stack.ready_cases(3)
    stack.light.inject_fault("accept", "delay", seconds=5, times=3)
    for case in cases:
        stack.report_pto(case)
    stack.until(lambda: any(stack.acceptances_of(case) for case in cases), "acceptances are under way")

    logged = stack.listen()
    stack.servers.kill("redis")
    stack.until(lambda: logged("Connection to broker lost"), "the workers noticed")
    stack.servers.start("redis")

    stack.until_finalized(*cases, seconds=SECONDS_TO_TAKE_OVER + 60)
    assert all(stack.running[name].poll() is None for name in (*WORKERS, *SCHEDULERS))


@contextmanager
def read_only(servers: Servers) -> Iterator[str]:
    """Make Redis a replica of a server that does not exist, as after a failover."""
    with redis.Redis.from_url(servers.redis_url) as connection:
        connection.slaveof("127.0.0.1", 1)
        try:
            yield "read-only"
        finally:
            connection.slaveof()


@contextmanager
def full(servers: Servers) -> Iterator[str]:
    with redis.Redis.from_url(servers.redis_url) as connection:
        connection.config_set("maxmemory", "1")
        try:
            yield "full"
        finally:
            connection.config_set("maxmemory", "0")


def broker_part(stack: Stack) -> str:
    return str(requests.get(f"{stack.site_url}/readyz", timeout=30).json()["parts"]["broker"])


@pytest.mark.parametrize("refusing", [read_only, full])
def test_Q14_work_continues_while_redis_refuses_writes(
    stack: Stack, refusing: Callable[[Servers], AbstractContextManager[str]]
) -> None:
    case, another = stack.ready_cases(2)
    with refusing(stack.servers) as words:
        stack.until(lambda: broker_part(stack).startswith(words), "readiness says what is wrong", is_checked=False)
        stack.report_pto(case)
        stack.until_finalized(case)
        assert LastSweep.objects.filter(task=WITHOUT_QUEUE).exists()

    stack.until(lambda: broker_part(stack) == "ok", "readiness says that it takes messages again")
    stack.report_pto(another)

    stack.until_finalized(another)
    assert all(process.poll() is None for process in stack.running.values())


def test_Q15_unreadable_messages_are_dropped(stack: Stack) -> None:
    case = stack.ready_case()
    logged = stack.listen()

    with redis.Redis.from_url(stack.servers.redis_url) as connection:
        for text in UNREADABLE * len(WORKERS):
            connection.lpush("switchyard:switchyard", text)
    stack.until(lambda: queue_length(stack) == 0, "they are all taken")
    stack.report_pto(case)

    stack.until_finalized(case)
    assert logged("Dropped a message that cannot be read")
    assert all(process.poll() is None for process in stack.running.values())


def test_Q16_due_work_is_done_while_redis_hangs(stack: Stack) -> None:
    case = stack.ready_case()
    with stack.frozen_redis():
        stack.report_pto(case)
        stack.until_finalized(case)

    assert all(process.poll() is None for process in stack.running.values())


@pytest.mark.parametrize("hours", [26, -26])
def test_D8_worker_with_a_wrong_clock_takes_no_case(stack: Stack, hours: int) -> None:
    case = stack.ready_case()
    with stack.wrong_clock(WORKERS[0], hours=hours):
        logged = stack.listen()
        stack.until(lambda: logged("This process writes nothing to Light"), "the worker noticed")
        stack.light.inject_fault("accept", "delay", seconds=5, account_uuid=str(case.light_account_uuid))
        stack.report_pto(case)

        stack.until_finalized(case)

        assert not case.events.filter(name="mark_in_doubt").exists()
        assert WrongClock.objects.filter(problem__contains="26 h").exists()


def test_D8_worker_with_a_wrong_clock_writes_nothing(stack: Stack) -> None:
    case = stack.ready_case()
    stack.kill(WORKERS[1])
    with stack.wrong_clock(WORKERS[0], hours=26):
        logged = stack.listen()
        stack.report_pto(case)
        stack.until(lambda: logged("This process writes nothing to Light"), "the worker noticed")
        stack.until(lambda: Enrollment.objects.filter(pk=case.pk, due_at__lte=now()).exists(), "the case is due")
        stack.until(WrongClock.objects.filter(at__gt=now()).exists, "it looked for work again")
        assert stack.calls(case, "accept") == 0
        assert stack.calls(case, "request_plans") == 0

    stack.make_whole()

    stack.until_finalized(case)


def test_Q12_always_failing_case_becomes_a_hold(stack: Stack) -> None:
    broken, *sound = stack.ready_cases(3)
    Enrollment.objects.filter(pk=broken.pk).update(light_account={"locations": "unreadable"})
    pauses = list[timedelta]()

    ours = Enrollment.objects.filter(pk=broken.pk)
    for failures in range(1, MAX_FAILURES + 1):
        ours.update(due_at=now())  # its pause is over
        stack.until(ours.filter(failures=failures, lease_until=None).exists, "it failed again")
        pauses.append((ours.get().due_at or now()) - now())
    for case in sound:
        stack.report_pto(case)

    stack.until_finalized(*sound)
    assert pauses[-1] > 10 * pauses[0] > timedelta(0)
    hold = Hold.objects.get(enrollment=broken, released_at=None)
    assert (hold.code, hold.owner) == (HoldCode.REPEATED_FAILURES, HoldOwner.OPERATIONS)
    assert stack.calls(broken, "accept") == 0
    Enrollment.objects.filter(pk=broken.pk).update(light_account=broken.light_account)
    stack.check()


def test_Q13_polite_stop_lets_the_call_finish(stack: Stack) -> None:
    case = stack.ready_case()
    with only_one_worker(stack) as worker:
        stack.light.inject_fault("accept", "delay", seconds=5, account_uuid=str(case.light_account_uuid))
        stack.report_pto(case)
        stack.until(lambda: stack.acceptances_of(case), "Light holds the acceptance")

        process: subprocess.Popen[bytes] = stack.running.pop(worker)
        process.terminate()
        assert process.wait(60) == 0

    assert Path(f"/proc/{process.pid}").exists() is False
    assert not is_status(case, EnrollmentStatus.ACCEPTING)
    stack.start(*WORKERS)
    stack.until_finalized(case)
    assert stack.calls(case, "accept") == 1
