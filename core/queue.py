"""
Queue tasks by name once the open transaction has committed.

A message is only a nudge. The row it is about says what is due, and a sweep finds the same work if the message is lost.
So an unreachable queue is logged and never fails what was just committed. After a message could not be sent, none is
tried for a few seconds, so that pages do not wait for each one.
"""

import logging
from enum import StrEnum
from functools import partial

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from core.circuit_breaker import CircuitBreaker

logger = logging.getLogger(__name__)

_breaker = CircuitBreaker()

CHECK_TIMEOUT_SECONDS = 2
QUEUE_UNAVAILABLE = (OperationalError, RedisError, OSError)
"""
Errors raised by sending while the queue takes no messages.

RedisError covers a server that answers, but is full or read-only.
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


DEFERRABLE_TASKS = frozenset({TaskName.SETTLE_DELIVERY, TaskName.SEND_CASE_MAIL, TaskName.FETCH_PLAN_DOCUMENT})
"""
Tasks that can wait. While other work is queued, workers take only one of these in every few messages
(`core.queue_order`). No acceptance depends on them: the account is read right before each one.
"""

DEFAULT_QUEUE = "switchyard"
OWN_QUEUES = {
    TaskName.ADVANCE_ENROLLMENT: f"{DEFAULT_QUEUE}-cases",
    TaskName.SETTLE_DELIVERY: f"{DEFAULT_QUEUE}-webhooks",
    TaskName.SEND_CASE_MAIL: f"{DEFAULT_QUEUE}-mails",
    TaskName.FETCH_PLAN_DOCUMENT: f"{DEFAULT_QUEUE}-documents",
}
"""Tasks with a queue each, so that a sweep can count the waiting messages and add only what is missing."""


def enqueue_on_commit(task: TaskName, **ids: int) -> None:
    """Queue `task` when the open transaction commits; at once when there is none."""
    transaction.on_commit(partial(_send, task, ids), robust=True)


def messages_waiting(task: TaskName) -> int | None:
    """
    Count the messages that no worker has taken yet, for a task in `OWN_QUEUES`; None when the queue is unreachable.

    A sweep adds only what is missing: it finds the same rows again until they have been worked on.
    """
    if not _breaker.allows_calls():
        return None
    try:
        with current_app.connection_or_acquire() as connection:
            return int(connection.default_channel.queue_declare(OWN_QUEUES[task]).message_count)
    except QUEUE_UNAVAILABLE:
        _breaker.record_failure()
        logger.warning("The waiting messages could not be counted, so none are added.", exc_info=True)
        return None


def check_takes_messages() -> None:
    """
    Open a new connection and have the server write something.

    :raises OperationalError: the queue is unreachable, full or read-only
    """
    with current_app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=CHECK_TIMEOUT_SECONDS)


def _send(task: TaskName, ids: dict[str, int]) -> None:
    if not _breaker.allows_calls():
        logger.info("The queue was unreachable moments ago; the sweep will find %s %s.", task.value, ids)
        return
    try:
        current_app.send_task(task.value, kwargs=ids, retry=False)
    except QUEUE_UNAVAILABLE:
        _breaker.record_failure()
        logger.warning("The queue is unreachable; the sweep will find %s %s.", task.value, ids, exc_info=True)


def reset_circuit() -> None:
    """Allow calls to the queue again at once, when it is known to be back."""
    _breaker.reset()
