from unittest.mock import patch

import pytest
from kombu.exceptions import OperationalError

from core import queue
from core.circuit_breaker import CircuitBreaker
from core.queue import TaskName, enqueue_on_commit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


@pytest.fixture(autouse=True)
def _fresh_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_breaker", CircuitBreaker())


def test_a_queue_that_is_down_is_waited_for_once_and_not_message_by_message() -> None:
    with patch("core.queue.current_app.send_task", side_effect=OperationalError("refused")) as send:
        for site_id in range(5):
            enqueue_on_commit(TaskName.CASE_CHANGED, site_id=site_id)

    assert send.call_count == 1


def test_the_queue_is_tried_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CircuitBreaker, "SECONDS", 0.0)

    with patch("core.queue.current_app.send_task", side_effect=OperationalError("refused")) as send:
        for site_id in range(5):
            enqueue_on_commit(TaskName.CASE_CHANGED, site_id=site_id)

    assert send.call_count == 5


def test_a_queue_that_works_gets_every_message() -> None:
    with patch("core.queue.current_app.send_task") as send:
        for site_id in range(5):
            enqueue_on_commit(TaskName.CASE_CHANGED, site_id=site_id)

    assert send.call_count == 5
