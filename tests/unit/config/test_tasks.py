from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from django.conf import settings

from config.celery import Application, app
from core import queue
from core.queue import OWN_QUEUES, TaskName, messages_waiting
from tests.conftest import REDIS_URL


def registered_tasks() -> set[str]:
    app.loader.import_default_modules()
    return {name for name in app.tasks if not name.startswith("celery.")}


def test_workers_know_exactly_the_messages_that_are_queued() -> None:
    assert registered_tasks() == {task.value for task in TaskName}


DAILY = {
    TaskName.RECONCILE.value: (9, 20),
    TaskName.TIDY_UP.value: (7, 20),
    TaskName.SWEEP_FILES.value: (10, 20),
    TaskName.CHECK_SEALED_FILES.value: (7, 40),
    TaskName.ANCHOR_JOURNAL.value: (8, 20),
    TaskName.FORGET_MAIL_REPORTS.value: (7, 40),
}


HOURLY = {TaskName.ASK_ISSUERS.value: 50}


def swept() -> list[dict[str, Any]]:
    entries = settings.CELERY_BEAT_SCHEDULE.values()
    return [entry for entry in entries if entry["task"] not in {*DAILY, *HOURLY}]


@pytest.mark.parametrize("task", DAILY)
def test_nightly_work_is_scheduled(task: str) -> None:
    entry = cast("dict[str, Any]", settings.CELERY_BEAT_SCHEDULE)[task]

    hour, minute = DAILY[task]
    assert (entry["schedule"].hour, entry["schedule"].minute) == ({hour}, {minute})


@pytest.mark.parametrize("task", HOURLY)
def test_hourly_work_is_scheduled(task: str) -> None:
    entry = cast("dict[str, Any]", settings.CELERY_BEAT_SCHEDULE)[task]

    assert (len(entry["schedule"].hour), entry["schedule"].minute) == (24, {HOURLY[task]})


def test_all_sweeps_are_scheduled() -> None:
    swept_tasks = {entry["task"] for entry in swept()}

    assert swept_tasks == {
        TaskName.SWEEP_PROOFS.value,
        TaskName.SWEEP_POAS.value,
        TaskName.SWEEP_ENROLLMENTS.value,
    }


def test_unclaimed_sweep_does_not_pile_up() -> None:
    for entry in swept():
        assert entry["options"]["expires"] <= entry["schedule"] == settings.SWEEP_SECONDS


def test_message_of_a_dead_worker_returns_to_the_queue() -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.task_ignore_result


def test_workers_consume_every_queue_in_use() -> None:
    sent_to = {app.amqp.router.route({}, task.value)["queue"].name for task in TaskName}

    assert sent_to == set(app.amqp.queues.consume_from) == {"switchyard", *OWN_QUEUES.values()}


@pytest.fixture
def on_redis(redis_key_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Application:
    """The application with its messages in a real Redis, under the test's own prefix."""
    application = Application("tests", set_as_current=False)
    application.config_from_object("django.conf:settings", namespace="CELERY")
    application.conf.update(
        broker_read_url=REDIS_URL,
        broker_write_url=REDIS_URL,
        broker_transport_options={
            "global_keyprefix": redis_key_prefix,
            "queue_order_strategy": "core.queue_order:QueueShares",
        },
    )
    monkeypatch.setattr(queue, "current_app", application)
    return application


@contextmanager
def taking(application: Application) -> Iterator[list[str]]:
    """Take messages as a worker does, from all queues at once; the list gets the name of each task."""
    taken = list[str]()

    def take(_body: object, message: Any) -> None:
        taken.append(message.headers["task"])
        message.ack()

    with application.connection_for_read() as connection:
        queues = list(application.amqp.queues.consume_from.values())
        with connection.Consumer(queues, callbacks=[take], accept=["json"]) as consumer:
            consumer.qos(prefetch_count=1)
            while sum(messages_waiting(task) or 0 for task in OWN_QUEUES):
                connection.drain_events(timeout=5)
            yield taken


@pytest.mark.services
@pytest.mark.cell("R10")
def test_R10_less_urgent_work_gets_its_share(on_redis: Application) -> None:
    for _ in range(30):
        on_redis.send_task(TaskName.ADVANCE_ENROLLMENT.value, kwargs={})
    for task in (TaskName.SETTLE_DELIVERY, TaskName.SEND_CASE_MAIL, TaskName.FETCH_PLAN_DOCUMENT):
        on_redis.send_task(task.value, kwargs={})

    with taking(on_redis) as taken:
        places = {task: taken.index(task) for task in set(taken) - {TaskName.ADVANCE_ENROLLMENT.value}}

    assert len(taken) == 33
    assert sorted(places.values()) == [3, 7, 11]


@pytest.mark.services
@pytest.mark.cell("R10")
def test_R10_webhook_flood_leaves_most_turns_to_cases(on_redis: Application) -> None:
    for _ in range(30):
        on_redis.send_task(TaskName.SETTLE_DELIVERY.value, kwargs={})
    for _ in range(9):
        on_redis.send_task(TaskName.ADVANCE_ENROLLMENT.value, kwargs={})

    with taking(on_redis) as taken:
        first = taken[:12]

    assert first.count(TaskName.ADVANCE_ENROLLMENT.value) == 9


@pytest.mark.services
def test_waiting_messages_are_counted_for_each_task(on_redis: Application) -> None:
    for _ in range(3):
        on_redis.send_task(TaskName.SETTLE_DELIVERY.value, kwargs={})
    on_redis.send_task(TaskName.ADVANCE_ENROLLMENT.value, kwargs={})

    assert [messages_waiting(task) for task in OWN_QUEUES] == [1, 3, 0, 0]
