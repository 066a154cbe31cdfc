from typing import Any, cast

import pytest
from django.conf import settings

from config.celery import Application, app
from core.queue import CAN_WAIT, TaskName, room_for_more
from tests.conftest import REDIS_URL


def registered_tasks() -> set[str]:
    app.loader.import_default_modules()
    return {name for name in app.tasks if not name.startswith("celery.")}


def test_workers_know_every_message_that_may_be_queued_and_no_other() -> None:
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
def test_some_work_is_done_every_night(task: str) -> None:
    entry = cast("dict[str, Any]", settings.CELERY_BEAT_SCHEDULE)[task]

    hour, minute = DAILY[task]
    assert (entry["schedule"].hour, entry["schedule"].minute) == ({hour}, {minute})


@pytest.mark.parametrize("task", HOURLY)
def test_some_work_is_done_every_hour(task: str) -> None:
    entry = cast("dict[str, Any]", settings.CELERY_BEAT_SCHEDULE)[task]

    assert (len(entry["schedule"].hour), entry["schedule"].minute) == (24, {HOURLY[task]})


def test_all_sweeps_run_by_themselves() -> None:
    swept_tasks = {entry["task"] for entry in swept()}

    assert swept_tasks == {
        TaskName.SWEEP_PROOFS.value,
        TaskName.SWEEP_POAS.value,
        TaskName.SWEEP_ENROLLMENTS.value,
    }


def test_a_sweep_that_nobody_took_does_not_pile_up() -> None:
    for entry in swept():
        assert entry["options"]["expires"] <= entry["schedule"] == settings.SWEEP_SECONDS


def test_a_message_is_given_back_when_its_worker_dies() -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.task_ignore_result


@pytest.mark.services
def test_what_can_wait_is_taken_after_everything_else_and_counts_as_waiting(
    redis_key_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_redis = Application("tests", set_as_current=False)
    on_redis.config_from_object("django.conf:settings", namespace="CELERY")
    on_redis.conf.update(
        broker_read_url=REDIS_URL,
        broker_write_url=REDIS_URL,
        broker_transport_options={"global_keyprefix": redis_key_prefix},
    )
    monkeypatch.setattr("core.queue.current_app", on_redis)
    can_wait = sorted(CAN_WAIT)
    cannot = [TaskName.CASE_CHANGED, TaskName.ADVANCE_ENROLLMENT]

    for task in (*can_wait, *cannot):
        on_redis.send_task(task.value, kwargs={})

    assert room_for_more(500) == 500 - 5 * 5
    with (
        on_redis.connection_for_read() as connection,
        connection.SimpleQueue(on_redis.conf.task_default_queue) as queue,
    ):
        taken = [queue.get(timeout=5).headers["task"] for _ in range(5)]
    assert taken == [*cannot, *can_wait]
