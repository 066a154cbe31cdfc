"""
Hand work on by name, once the transaction that made it has committed.

A message is only a nudge: the row it is about says what is due, and a sweep finds the same work when the message is
lost. So a queue that cannot be reached is written to the log and never undoes or fails what was just committed. Nor
does it hold up a page message by message: after one that could not be sent, none is tried for a few seconds.
"""

import logging
import time
from enum import StrEnum
from functools import partial

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

LONGEST_CHECK_SECONDS = 2
QUEUE_UNAVAILABLE = (OperationalError, RedisError, OSError)
"""
What sending fails with while the queue takes no messages.

A server that is full or turned read-only says so in an answer, which redis-py raises as an error of its own.
"""


class TaskName(StrEnum):
    """Every message that may be queued. A test compares this list with the tasks that workers register."""

    SWEEP_PROOFS = "installations.sweep_proofs"
    TIDY_UP = "installations.tidy_up"
    SEAL_POA = "poa_documents.seal_poa"
    SEND_MAIL = "poa_documents.send_mail"
    FORGET_MAIL_REPORTS = "poa_documents.forget_mail_reports"
    SETTLE_CONTACT_CHANGE = "poa_documents.settle_contact_change"
    SWEEP_POAS = "poa_documents.sweep"
    CHECK_SEALED_FILES = "poa_documents.check_sealed_files"
    ANCHOR_JOURNAL = "poa_documents.anchor_journal"
    ASK_ISSUERS = "poa_documents.ask_issuers"
    CASE_CHANGED = "enrollments.case_changed"
    ADVANCE_ENROLLMENT = "enrollments.advance"
    SETTLE_DELIVERY = "enrollments.settle_delivery"
    SEND_CASE_MAIL = "enrollments.send_mail"
    FETCH_PLAN_DOCUMENT = "enrollments.fetch_plan_document"
    SWEEP_ENROLLMENTS = "enrollments.sweep"
    SWEEP_FILES = "config.sweep_files"
    RECONCILE = "enrollments.reconcile"
    CONTINUE_RECONCILIATION = "enrollments.continue_reconciliation"


CAN_WAIT = frozenset({TaskName.SETTLE_DELIVERY, TaskName.SEND_CASE_MAIL, TaskName.FETCH_PLAN_DOCUMENT})
"""
Nudges, news and copies. While other work waits, workers take one of these in every few messages (`core.queue_shares`).

None of it guards an acceptance. The account is read right before each, whatever a webhook would tell.
"""

DEFAULT_QUEUE = "switchyard"
OWN_QUEUES = {
    TaskName.ADVANCE_ENROLLMENT: f"{DEFAULT_QUEUE}-cases",
    TaskName.SETTLE_DELIVERY: f"{DEFAULT_QUEUE}-webhooks",
    TaskName.SEND_CASE_MAIL: f"{DEFAULT_QUEUE}-mails",
    TaskName.FETCH_PLAN_DOCUMENT: f"{DEFAULT_QUEUE}-documents",
}
"""The tasks whose waiting messages are counted, so that a sweep adds none for a row that has one."""


def enqueue_on_commit(task: TaskName, **ids: int) -> None:
    """Queue `task` when the open transaction commits; at once when there is none."""
    transaction.on_commit(partial(_send, task, ids), robust=True)


def messages_waiting(task: TaskName) -> int | None:
    """
    Count the messages of a task with a queue of its own that no worker has taken yet; None when the queue is away.

    A sweep adds only what is missing: it finds the same rows again until they have been worked on.
    """
    if not _way.is_open():
        return None
    try:
        with current_app.connection_or_acquire() as connection:
            return int(connection.default_channel.queue_declare(OWN_QUEUES[task]).message_count)
    except QUEUE_UNAVAILABLE:
        _way.close()
        logger.warning("The messages that wait could not be counted; nothing is added to them.", exc_info=True)
        return None


def check_takes_messages() -> None:
    """
    Connect once more, and have the server write something.

    :raises OperationalError: it cannot be reached, is full, or is read-only
    """
    with current_app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=LONGEST_CHECK_SECONDS)


def _send(task: TaskName, ids: dict[str, int]) -> None:
    if not _way.is_open():
        logger.info("The queue could not be reached just before; the sweep will find %s %s.", task.value, ids)
        return
    try:
        current_app.send_task(task.value, kwargs=ids, retry=False)
    except QUEUE_UNAVAILABLE:
        _way.close()
        logger.warning("The queue could not be reached; the sweep will find %s %s.", task.value, ids, exc_info=True)


def reach_again() -> None:
    """Try the queue again at once, when it is known to be back."""
    _way.open()


class _Way:
    """The way to the queue from this process, closed for some seconds once it failed."""

    SECONDS = 5.0

    def __init__(self) -> None:
        self._closed_until = 0.0

    def is_open(self) -> bool:
        return time.monotonic() >= self._closed_until

    def close(self) -> None:
        self._closed_until = time.monotonic() + self.SECONDS

    def open(self) -> None:
        self._closed_until = 0.0


_way = _Way()
