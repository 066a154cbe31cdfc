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
from core.sweeps import WITHOUT_QUEUE
from enrollments.engine.engine import MOST_FAILURES
from enrollments.models import Enrollment, Hold, LightWrite, RemoteCall
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteKind, WriteStatus
from installations.models import Site
from tests.factories import installations as made
from tools.service_harness.house import (
    SCHEDULERS,
    SECONDS_TO_TAKE_OVER,
    WORKERS,
    House,
    held_row,
    writers_waiting,
)
from tools.service_harness.servers import Servers

LONG_CALL_SECONDS = 20
UNREADABLE = ("no JSON", "{", "null", "7", "[]", "{}", '{"body": 1}', '{"properties": {}}', "\x00")


def accept_write(case: Enrollment) -> LightWrite | None:
    return LightWrite.objects.filter(enrollment=case, kind=WriteKind.ACCEPT_PLAN).last()


def is_status(case: Enrollment, status: str) -> bool:
    return Enrollment.objects.get(pk=case.pk).status == status


def was_answered(case: Enrollment) -> bool:
    return RemoteCall.objects.filter(enrollment=case, purpose="accept a plan", http_status=200).exists()


@contextmanager
def only_one_worker(house: House) -> Iterator[str]:
    """Let one worker do everything, so that it is known who has the case in hand."""
    house.kill(WORKERS[1])
    yield WORKERS[0]


def test_Q1_worker_killed_with_the_attempt_recorded_and_the_accept_call_not_sent(house: House) -> None:
    case = house.ready_case()
    with only_one_worker(house) as worker:
        house.light.order_fault("token", "delay", seconds=LONG_CALL_SECONDS, account_uuid=str(case.light_account_uuid))
        house.report_pto(case)
        house.until(lambda: accept_write(case), "the acceptance is recorded")
        house.kill(worker)
    assert house.calls(case, "accept") == 0

    house.start(*WORKERS)

    house.until_finalized(case, seconds=SECONDS_TO_TAKE_OVER + 30)
    outcomes = LightWrite.objects.filter(enrollment=case, kind=WriteKind.ACCEPT_PLAN).values_list("status", flat=True)
    assert [*outcomes][-2:] == [WriteStatus.NOT_DONE, WriteStatus.DONE]
    assert house.calls(case, "accept") == 1


def test_Q1_worker_killed_before_anything_is_recorded(house: House) -> None:
    case = house.ready_case()
    with only_one_worker(house) as worker:
        uuid = str(case.light_account_uuid)
        house.light.order_fault("request_plans", "delay", seconds=LONG_CALL_SECONDS, account_uuid=uuid)
        house.report_pto(case)
        house.until(lambda: house.calls(case, "request_plans"), "plans are asked for")
        house.kill(worker)
    assert accept_write(case) is None

    house.start(*WORKERS)

    house.until_finalized(case, seconds=SECONDS_TO_TAKE_OVER + 30)
    assert house.calls(case, "accept") == 1


def test_Q2_worker_killed_while_light_does_the_work(house: House) -> None:
    case = house.ready_case()
    with only_one_worker(house) as worker:
        house.light.order_fault("accept", "delay", seconds=LONG_CALL_SECONDS, account_uuid=str(case.light_account_uuid))
        house.report_pto(case)
        house.until(lambda: house.acceptances_of(case), "Light holds the acceptance")
        house.kill(worker)
    assert is_status(case, EnrollmentStatus.ACCEPTING)

    house.start(*WORKERS)

    house.until_finalized(case, seconds=SECONDS_TO_TAKE_OVER)
    assert house.calls(case, "accept") == 1
    assert case.events.filter(name="lose_answer").count() == 1


def test_Q3_worker_killed_between_answer_and_commit(house: House) -> None:
    case = house.ready_case()
    with only_one_worker(house) as worker:
        house.light.order_fault("accept", "delay", seconds=3, account_uuid=str(case.light_account_uuid))
        house.report_pto(case)
        house.until(lambda: house.acceptances_of(case), "Light holds the acceptance")
        with held_row(case):
            house.until(lambda: was_answered(case), "the worker has the answer", is_checked=False)
            house.until(lambda: writers_waiting() >= 1, "the worker waits to commit it", is_checked=False)
            house.kill(worker)
    assert is_status(case, EnrollmentStatus.ACCEPTING)

    house.start(*WORKERS)

    house.until_finalized(case, seconds=SECONDS_TO_TAKE_OVER)
    assert house.calls(case, "accept") == 1
    sent = LightWrite.objects.exclude(status=WriteStatus.NOT_DONE).get(enrollment=case, kind=WriteKind.ACCEPT_PLAN)
    assert sent.status == WriteStatus.DONE
    assert sent.doubt_since is not None


def test_Q4_worker_killed_after_the_commit_and_before_the_queue_heard_of_it(house: House) -> None:
    case = house.ready_case()
    with only_one_worker(house) as worker:
        house.light.order_fault("finalize", "delay", seconds=4, account_uuid=str(case.light_account_uuid))
        house.report_pto(case)
        house.until(lambda: is_status(case, EnrollmentStatus.ACCEPTED), "the acceptance is committed")
        with house.frozen_redis():
            house.until(
                lambda: Enrollment.objects.filter(
                    pk=case.pk, status=EnrollmentStatus.FINALIZED, lease_until=None
                ).exists(),
                "everything is committed and nothing acknowledged",
            )
            house.kill(worker)
    calls_before = len(house.light.requests())

    house.start(*WORKERS)
    house.until_finalized(case)
    logged = house.listen()
    house.send(TaskName.ADVANCE_ENROLLMENT, enrollment_id=case.pk)
    house.until(lambda: logged("not due"), "the message that came again is worked off")

    house.until_finalized(case)
    assert house.calls(case, "accept") == 1
    assert house.calls(case, "finalize") == 1
    made_since = [call["operation"] for call in house.light.requests()[calls_before:]]
    assert not {"accept", "finalize", "request_plans", "create", "record"} & set(made_since)


def test_Q5_one_pool_child_killed(house: House) -> None:
    case = house.ready_case()
    with only_one_worker(house) as worker:
        house.light.order_fault("accept", "delay", seconds=LONG_CALL_SECONDS, account_uuid=str(case.light_account_uuid))
        house.report_pto(case)
        house.until(lambda: house.acceptances_of(case), "Light holds the acceptance")

        for child in house.children_of(worker):
            os.kill(child, signal.SIGKILL)

    house.until_finalized(case, seconds=SECONDS_TO_TAKE_OVER)
    assert house.calls(case, "accept") == 1
    assert house.running[worker].poll() is None


def test_Q5_all_processes_of_all_workers_killed(house: House) -> None:
    cases = house.ready_cases(4)
    house.light.order_fault("accept", "delay", seconds=LONG_CALL_SECONDS, times=4)
    for case in cases:
        house.report_pto(case)
    house.until(lambda: any(house.acceptances_of(case) for case in cases), "the first acceptances are under way")
    house.kill(*WORKERS, *SCHEDULERS)
    house.light.clear_faults()

    house.start(*WORKERS, *SCHEDULERS)

    house.until_finalized(*cases, seconds=SECONDS_TO_TAKE_OVER + 30)


def test_Q6_Q8_the_same_message_many_times_and_long_after_the_end(house: House) -> None:
    case = house.ready_case()
    house.report_pto(case)

    for _ in range(20):
        house.send(TaskName.ADVANCE_ENROLLMENT, enrollment_id=case.pk)
        house.send(TaskName.CASE_CHANGED, site_id=case.site_id)
    house.until_finalized(case)
    for _ in range(20):
        house.send(TaskName.ADVANCE_ENROLLMENT, enrollment_id=case.pk)

    house.until(lambda: queue_length(house) == 0, "the queue is empty")
    house.until_finalized(case)
    for operation in ("accept", "finalize", "request_plans", "record"):
        assert house.calls(case, operation) == 1, operation


def queue_length(house: House) -> int:
    with redis.Redis.from_url(house.servers.redis_url) as connection:
        return sum(int(connection.llen(key)) for key in connection.scan_iter("switchyard:switchyard*"))


def test_Q7_redis_emptied_with_a_thousand_cases_due(house: House, crowd: "Crowd") -> None:
    cases = house.ready_cases(6)
    house.kill(*WORKERS)
    for case in cases:
        house.report_pto(case)
    crowd.make_due()
    house.until(lambda: queue_length(house) >= 1, "messages wait")

    with redis.Redis.from_url(house.servers.redis_url) as connection:
        connection.flushall()
    house.start(*WORKERS)

    house.until_finalized(*cases)
    house.until(crowd.was_looked_at, "everybody else was looked at")


class Crowd:
    """A thousand cases that only need to be looked at: nobody sent their power of attorney yet."""

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

    def disperse(self) -> None:
        self._mine().delete()

    def _mine(self) -> QuerySet[Enrollment]:
        return Enrollment.objects.filter(pk__in=[case.pk for case in self._cases])


@pytest.fixture
def crowd(house: House) -> Iterator[Crowd]:
    gathered = Crowd()
    yield gathered
    house.kill(*[name for name in WORKERS if name in house.running])
    gathered.disperse()


def test_Q9_two_schedulers_do_as_one(house: House) -> None:
    assert all(house.running[name].poll() is None for name in SCHEDULERS)
    cases = house.ready_cases(3)

    for case in cases:
        house.report_pto(case)

    house.until_finalized(*cases)
    for case in cases:
        assert house.calls(case, "create") + house.calls(case, "record") <= 2
        assert house.calls(case, "request_plans") == 1
        assert house.calls(case, "accept") == 1
        assert house.calls(case, "finalize") == 1


def test_Q11_redis_restarted_in_mid_flow(house: House) -> None:
    cases = house.ready_cases(3)
    house.light.order_fault("accept", "delay", seconds=5, times=3)
    for case in cases:
        house.report_pto(case)
    house.until(lambda: any(house.acceptances_of(case) for case in cases), "acceptances are under way")

    logged = house.listen()
    house.servers.kill("redis")
    house.until(lambda: logged("Connection to broker lost"), "the workers noticed")
    house.servers.start("redis")

    house.until_finalized(*cases, seconds=SECONDS_TO_TAKE_OVER + 60)
    assert all(house.running[name].poll() is None for name in (*WORKERS, *SCHEDULERS))


@contextmanager
def read_only(servers: Servers) -> Iterator[str]:
    """Make Redis a replica of a server that is not there, as after a failover."""
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


def broker_part(house: House) -> str:
    return str(requests.get(f"{house.site_url}/readyz", timeout=30).json()["parts"]["broker"])


@pytest.mark.parametrize("refusing", [read_only, full])
def test_Q14_redis_that_takes_nothing(house: House, refusing: Callable[[Servers], AbstractContextManager[str]]) -> None:
    case, another = house.ready_cases(2)
    with refusing(house.servers) as words:
        house.until(lambda: broker_part(house).startswith(words), "readiness says what is wrong", is_checked=False)
        house.report_pto(case)
        house.until_finalized(case)
        assert LastSweep.objects.filter(task=WITHOUT_QUEUE).exists()

    house.until(lambda: broker_part(house) == "ok", "readiness says that it takes messages again")
    house.report_pto(another)

    house.until_finalized(another)
    assert all(process.poll() is None for process in house.running.values())


def test_Q15_messages_that_cannot_be_read(house: House) -> None:
    case = house.ready_case()
    logged = house.listen()

    with redis.Redis.from_url(house.servers.redis_url) as connection:
        for text in UNREADABLE * len(WORKERS):
            connection.lpush("switchyard:switchyard", text)
    house.until(lambda: queue_length(house) == 0, "they are all taken")
    house.report_pto(case)

    house.until_finalized(case)
    assert logged("A message that cannot be read was dropped")
    assert all(process.poll() is None for process in house.running.values())


def test_Q16_redis_hangs_while_work_is_due(house: House) -> None:
    case = house.ready_case()
    with house.frozen_redis():
        house.report_pto(case)
        house.until_finalized(case)

    assert all(process.poll() is None for process in house.running.values())


@pytest.mark.parametrize("hours", [26, -26])
def test_D8_a_worker_whose_clock_is_a_day_off_leaves_cases_to_the_other(house: House, hours: int) -> None:
    case = house.ready_case()
    with house.wrong_clock(WORKERS[0], hours=hours):
        logged = house.listen()
        house.until(lambda: logged("Nothing is written to Light from here"), "the worker noticed")
        house.light.order_fault("accept", "delay", seconds=5, account_uuid=str(case.light_account_uuid))
        house.report_pto(case)

        house.until_finalized(case)

        assert not case.events.filter(name="lose_answer").exists()
        assert WrongClock.objects.filter(problem__contains="26 h").exists()


def test_D8_a_worker_whose_clock_is_wrong_writes_nothing(house: House) -> None:
    case = house.ready_case()
    house.kill(WORKERS[1])
    with house.wrong_clock(WORKERS[0], hours=26):
        logged = house.listen()
        house.report_pto(case)
        house.until(lambda: logged("Nothing is written to Light from here"), "the worker noticed")
        house.until(lambda: Enrollment.objects.filter(pk=case.pk, due_at__lte=now()).exists(), "the case is due")
        house.until(WrongClock.objects.filter(at__gt=now()).exists, "it looked for work again")
        assert house.calls(case, "accept") == 0
        assert house.calls(case, "request_plans") == 0

    house.make_whole()

    house.until_finalized(case)


def test_Q12_a_case_that_always_fails_holds_up_no_other_and_asks_for_a_person(house: House) -> None:
    broken, *sound = house.ready_cases(3)
    Enrollment.objects.filter(pk=broken.pk).update(light_account={"locations": "unreadable"})
    pauses = list[timedelta]()

    ours = Enrollment.objects.filter(pk=broken.pk)
    for failures in range(1, MOST_FAILURES + 1):
        ours.update(due_at=now())  # its pause is over
        house.until(ours.filter(failures=failures, lease_until=None).exists, "it failed again")
        pauses.append((ours.get().due_at or now()) - now())
    for case in sound:
        house.report_pto(case)

    house.until_finalized(*sound)
    assert pauses[-1] > 10 * pauses[0] > timedelta(0)
    hold = Hold.objects.get(enrollment=broken, released_at=None)
    assert (hold.code, hold.owner) == (HoldCode.KEEPS_FAILING, HoldOwner.OPERATIONS)
    assert house.calls(broken, "accept") == 0
    Enrollment.objects.filter(pk=broken.pk).update(light_account=broken.light_account)
    house.check()


def test_Q13_a_polite_stop_lets_the_call_end(house: House) -> None:
    case = house.ready_case()
    with only_one_worker(house) as worker:
        house.light.order_fault("accept", "delay", seconds=5, account_uuid=str(case.light_account_uuid))
        house.report_pto(case)
        house.until(lambda: house.acceptances_of(case), "Light holds the acceptance")

        process: subprocess.Popen[bytes] = house.running.pop(worker)
        process.terminate()
        assert process.wait(60) == 0

    assert Path(f"/proc/{process.pid}").exists() is False
    assert not is_status(case, EnrollmentStatus.ACCEPTING)
    house.start(*WORKERS)
    house.until_finalized(case)
    assert house.calls(case, "accept") == 1
