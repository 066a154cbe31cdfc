"""
One log line for each task that did something, with its IDs and the number of the case.

Sweeps that found nothing are logged at DEBUG only: there are thousands in an idle hour, and `/metrics` and alarms tell
when they stop.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from celery import Task
from celery.signals import task_postrun, task_prerun
from django.db import DatabaseError

from core import log_context
from core.queue import TaskName

logger = logging.getLogger("tasks")

SWEEPS = frozenset({TaskName.SWEEP_PROOFS, TaskName.SWEEP_POAS, TaskName.SWEEP_ENROLLMENTS})
_started: dict[str, float] = {}


@task_prerun.connect
def start_task(task_id: str, kwargs: dict[str, Any], **_signal: object) -> None:
    _started[task_id] = time.monotonic()
    log_context.set_logged_cases(_cases_of(kwargs))


@task_postrun.connect
def log_outcome(
    sender: "Task[..., Any]", task_id: str, kwargs: dict[str, Any], state: str, retval: object, **_signal: object
) -> None:
    seconds = time.monotonic() - _started.pop(task_id, time.monotonic())
    try:
        if state == "SUCCESS":  # Celery itself logs failures
            _log(str(sender.name), kwargs, str(retval), seconds)
    finally:
        log_context.set_logged_cases(())


def _log(name: str, kwargs: dict[str, Any], outcome: str, seconds: float) -> None:
    if not log_context.suffix():  # the task may have created the case
        log_context.set_logged_cases(_cases_of(kwargs))
    level = logging.DEBUG if name in SWEEPS and not re.search("[1-9]", outcome) else logging.INFO
    about = "".join(f" {key.removesuffix('_id')} {number}" for key, number in kwargs.items() if key.endswith("_id"))
    logger.log(level, "%s%s: %s (%.2f s)", name, about, outcome, seconds)


def _cases_of(kwargs: dict[str, Any]) -> list[int]:
    try:
        return sorted({number for key, find in _FINDERS.items() if key in kwargs for number in find(kwargs[key])})
    except DatabaseError:  # the task reports the outage; its line has no case number then
        return []


def _of_poa(pk: int) -> Iterable[int]:
    from poa_documents.models import PoaDocument  # this module is imported before models are loaded

    return _of_sites(PoaDocument.objects.filter(pk=pk).values_list("site_id", flat=True))


def _of_mail(pk: int) -> Iterable[int]:
    from poa_documents.models import CustomerMail

    return _of_sites(CustomerMail.objects.filter(pk=pk).values_list("poa__site_id", flat=True))


def _of_delivery(pk: int) -> Iterable[int]:
    from enrollments.models import WebhookDelivery

    numbers = WebhookDelivery.objects.filter(pk=pk).values_list("enrollment_id", flat=True)
    return [number for number in numbers if number is not None]


def _of_document(pk: int) -> Iterable[int]:
    from enrollments.models import PlanDocument

    return PlanDocument.objects.filter(pk=pk).values_list("offer__enrollment_id", flat=True)


def _of_sites(site_ids: Iterable[int]) -> Iterable[int]:
    return [number for site_id in site_ids for number in log_context.cases_of_site(site_id)]


_FINDERS: dict[str, Callable[[int], Iterable[int]]] = {
    "enrollment_id": lambda pk: [pk],
    "site_id": log_context.cases_of_site,
    "poa_id": _of_poa,
    "mail_id": _of_mail,
    "delivery_id": _of_delivery,
    "document_id": _of_document,
}
