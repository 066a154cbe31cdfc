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


def test_unavailable_queue_costs_one_wait_for_all_messages() -> None:
    with patch("core.queue.current_app.send_task", side_effect=OperationalError("refused")) as send:
        for site_id in range(5):
            enqueue_on_commit(TaskName.CASE_CHANGED, site_id=site_id)

    assert send.call_count == 1


def test_queue_is_tried_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CircuitBreaker, "SECONDS", 0.0)

    with patch("core.queue.current_app.send_task", side_effect=OperationalError("refused")) as send:
        for site_id in range(5):
            enqueue_on_commit(TaskName.CASE_CHANGED, site_id=site_id)

    assert send.call_count == 5


def test_working_queue_gets_every_message() -> None:
    with patch("core.queue.current_app.send_task") as send:
        for site_id in range(5):
            enqueue_on_commit(TaskName.CASE_CHANGED, site_id=site_id)

    assert send.call_count == 5
