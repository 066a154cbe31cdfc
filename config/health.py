"""
Two questions for whoever runs the processes: does this one live, and could it do its work now?

Light is never asked: its trouble must not take our pages off the air.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus

from celery import current_app
from django.core.files.storage import storages
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.field_keys import KeyCheck
from core import clock
from enrollments.alarms import CONCERN_THE_PROCESSES, alarms
from enrollments.measures import measure

logger = logging.getLogger(__name__)

BROKER_TIMEOUT_SECONDS = 2
PROBE_KEY = "readiness-probe"


class NotReady(Exception):
    """A part answered, and what it said means that no work can be done."""


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Say that the process lives."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Say which part works and which fails; the reason of a failure is in the log, because it may name secrets."""
    parts = {name: _state_of(name, check) for name, check in CHECKS.items()}
    ready = all(state == "ok" for state in parts.values())
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse({"ready": ready, "parts": parts, "alarms": _alarms_of_processes()}, status=status)


def _alarms_of_processes() -> list[str]:
    """Name the alarms that are about processes and parts. They never make us unready: pages work without workers."""
    try:
        now = clock.now()
        return [alarm.code for alarm in alarms(measure(now=now), now=now) if alarm.code in CONCERN_THE_PROCESSES]
    except DatabaseError:
        return []


def _state_of(name: str, check: Callable[[], None]) -> str:
    try:
        check()
    except NotReady as problem:
        logger.warning("Not ready: %s: %s", name, problem)
        return str(problem)
    except Exception:
        logger.warning("Not ready: %s", name, exc_info=True)
        return "failing"
    return "ok"


def check_database() -> None:
    """:raises NotReady: migrations are waiting"""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise NotReady("migrations are waiting; run manage.py migrate")


def check_storage() -> None:
    storages["default"].exists(PROBE_KEY)


def check_broker() -> None:
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_SECONDS)


_field_keys = KeyCheck()


def check_field_keys() -> None:
    """:raises NotReady: stored values need a key that FIELD_ENCRYPTION_KEYS lacks"""
    if problems := _field_keys.problems():
        raise NotReady("; ".join(problems))


CHECKS: dict[str, Callable[[], None]] = {
    "database": check_database,
    "storage": check_storage,
    "broker": check_broker,
    "keys": check_field_keys,
}
