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

logger = logging.getLogger(__name__)

MESSAGES_SPARED_FOR_ONE_WAITING = 5
FEWEST_MESSAGES = 10


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
Nudges, news and copies, which workers take when nothing else waits: in a flood of go-lives plans are accepted first.

None of it guards an acceptance. The account is read right before each, whatever a webhook would tell.
"""


def enqueue_on_commit(task: TaskName, **ids: int) -> None:
    """Queue `task` when the open transaction commits; at once when there is none."""
    transaction.on_commit(partial(_send, task, ids), robust=True)


def room_for_more(most: int) -> int:
    """
    How many messages a sweep may add: `most` while the queue is empty, few when much waits there already.

    A sweep finds the same rows again until somebody has worked on them, so that without this a long queue would fill
    with messages for the same work. A few are always allowed: what has waited longest may be what was lost.
    """
    with current_app.connection_or_acquire() as connection:
        try:
            queue = connection.default_channel.queue_declare(current_app.conf.task_default_queue)
        except (OperationalError, *connection.connection_errors, *connection.channel_errors):
            return most
    return max(most - MESSAGES_SPARED_FOR_ONE_WAITING * int(queue.message_count), FEWEST_MESSAGES)


def _send(task: TaskName, ids: dict[str, int]) -> None:
    if not _way.is_open():
        logger.info("The queue could not be reached just before; the sweep will find %s %s.", task.value, ids)
        return
    try:
        current_app.send_task(task.value, kwargs=ids, retry=False)
    except (OperationalError, OSError):
        _way.close()
        logger.warning("The queue could not be reached; the sweep will find %s %s.", task.value, ids, exc_info=True)


class _Way:
    """The way to the queue from this process, closed for some seconds once it failed."""

    SECONDS = 5.0

    def __init__(self) -> None:
        self._closed_until = 0.0

    def is_open(self) -> bool:
        return time.monotonic() >= self._closed_until

    def close(self) -> None:
        self._closed_until = time.monotonic() + self.SECONDS


_way = _Way()
