"""
Liveness and readiness of a process.

Light is not checked, because an outage at Light must not take our pages down.
"""

import logging
import threading
import time
from collections.abc import Callable
from http import HTTPStatus

from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache
from django.core.files.storage import storages
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError as QueueError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from core import clock, clock_drift
from core.models import LastSweep
from core.queue import check_takes_messages
from core.transactions import is_read_only
from enrollments.monitoring.alarms import READINESS_ALARMS, alarms
from enrollments.monitoring.measures import measure
from operations.key_checks import KeyCheck
from operations.metrics import may_read

logger = logging.getLogger(__name__)

PROBE_KEY = "readiness-probe"
PROBE_SECONDS = 60
NONEXISTENT_ROW = -1


class NotReady(Exception):
    """A part is available but cannot be used. The text says why."""


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Return 200 while the process is alive."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """
    Return whether this process can work. Operators also see the failing parts and the alarms about processes.

    Others get an answer cached for some seconds, so that frequent requests do not load the database. The cause of a
    failure is only in the log, because it may contain secrets.
    """
    if not may_read(request):
        ready = _last.is_ready()
        return JsonResponse({"ready": ready}, status=_status(is_ready=ready))
    parts = states_of_parts()
    ready = is_ready(parts)
    found = {"ready": ready, "parts": parts, "alarms": _alarms_of_processes()}
    return JsonResponse(found, status=_status(is_ready=ready))


def states_of_parts() -> dict[str, str]:
    return {name: _state_of(name, check) for name, check in CHECKS.items()}


def is_ready(parts: dict[str, str]) -> bool:
    return all(state == "ok" for state in parts.values())


def _status(*, is_ready: bool) -> HTTPStatus:
    return HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE


class CachedReadiness:
    """The last result in this process. One request refreshes it while the others get the previous one."""

    SECONDS = 5.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: bool | None = None
        self._until = 0.0

    def is_ready(self) -> bool:
        if self._ready is not None and (time.monotonic() < self._until or self._lock.locked()):
            return self._ready
        with self._lock:
            if self._ready is None or time.monotonic() >= self._until:
                self._ready = is_ready(states_of_parts())
                self._until = time.monotonic() + self.SECONDS
            return self._ready

    def forget(self) -> None:
        self._ready = None


_last = CachedReadiness()


def _alarms_of_processes() -> list[str]:
    """Return the alarms about processes. They do not affect readiness, because pages work without workers."""
    try:
        clock_drift.compare_with_database()
        clock_drift.report()
        now = clock.now()
        return [alarm.code for alarm in alarms(measure(now=now), now=now) if alarm.code in READINESS_ALARMS]
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
    """:raises NotReady: migrations are pending, or the database is read-only"""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise NotReady("migrations are pending; run manage.py migrate")
    try:
        LastSweep.objects.filter(pk=NONEXISTENT_ROW).update(
            task=""
        )  # changes nothing, and needs a database that may be written
    except DatabaseError as problem:
        if is_read_only(problem):
            raise NotReady("read-only: point DATABASE_URL to the primary, or end read-only mode") from problem
        raise


def check_storage() -> None:
    storages["default"].exists(PROBE_KEY)


def check_broker() -> None:
    """:raises NotReady: it is available but accepts no messages"""
    try:
        check_takes_messages()
    except QueueError as problem:
        if isinstance(problem.__cause__, ResponseError):
            raise NotReady(_refusal_reason(problem.__cause__)) from problem
        raise


def check_cache() -> None:
    """
    Check a Redis cache. A cache in the database is checked with the database.

    :raises NotReady: it is available but stores nothing
    """
    cache = caches["default"]
    if not isinstance(cache, RedisCache):
        return
    try:
        cache.set(PROBE_KEY, 1, timeout=PROBE_SECONDS)
    except ResponseError as problem:
        raise NotReady(_refusal_reason(problem)) from problem


def _refusal_reason(answer: ResponseError) -> str:
    """Return why Redis rejects writes, in our words, because its own message may contain private data."""
    match answer:
        case OutOfMemoryError():
            return "full: free its memory or raise its maxmemory"
        case ReadOnlyError():
            return "read-only, like a replica: point CELERY_BROKER_URL and CACHE_URL to the primary"
        case _:
            return "rejects writes; the reason is in the log"


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
    "cache": check_cache,
}
