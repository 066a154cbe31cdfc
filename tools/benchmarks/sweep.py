"""What the sweep costs when only a few of very many enrollments are due, and which index PostgreSQL uses."""

import re
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import environ
import psycopg
from django.db import connection, connections

from core import clock
from enrollments.actions import case_opening, webhook_processing
from enrollments.engine.leases import most_urgent
from enrollments.models import Enrollment
from enrollments.tasks import MAX_PER_SWEEP
from tools.benchmarks.measuring import environment, own_database, own_folder, run

ROWS = (100_000, 1_000_000)
MANY_ROWS = (10_000_000,)
DUE = 50
TIMES = 25


def measure() -> dict[str, object]:
    return _measure(ROWS)


def measure_large() -> dict[str, object]:
    return _measure(MANY_ROWS)


def _measure(sizes: tuple[int, ...]) -> dict[str, object]:
    return {"due": DUE, "times": TIMES, "sizes": [_with(rows) for rows in sizes]}


def _with(rows: int) -> dict[str, object]:
    with ExitStack() as stack:
        folder = stack.enter_context(own_folder())
        url = stack.enter_context(own_database())
        run("manage.py", "migrate", "--noinput", "--verbosity", "0", environ=environment(folder, DATABASE_URL=url))
        _fill(url, rows)
        stack.callback(_use, connections.settings)
        _use(connections.configure_settings({"default": environ.Env.db_url_config(url)}))
        at = clock.now()
        found = most_urgent(at=at, limit=MAX_PER_SWEEP)
        if len(found) != DUE:
            raise AssertionError(f"{len(found)} enrollments were found due, not {DUE}")
        return {
            "rows": rows,
            "by_urgency_milliseconds": _milliseconds(lambda: most_urgent(at=clock.now(), limit=MAX_PER_SWEEP)),
            "whole_milliseconds": _milliseconds(_whole_look),
            "plan": _plan(),
        }


def _fill(url: str, rows: int) -> None:
    """Insert finished cases, a few of them due; other tables stay empty, so their keys are not checked."""
    columns = {
        "customer_id": "1",
        "site_id": "number",
        "status": "'FINALIZED'",
        "opened_at": "now()",
        "public_id": "gen_random_uuid()",
        "light_status": "'complete'",
        "light_stage": "'ACCEPTED'",
        "light_account": "'{}'",
        "readings_asked": "0",
        "readings_given": "0",
        "accepted_offer_id": "1",
        "service_start_date": "current_date",
        "accepted_at": "now()",
        "ended_because": "''",
        "due_at": f"now() + interval '1 day' * CASE WHEN number % {rows // DUE} = 0 THEN -1 ELSE 1 + random() * 30 END",
        "leased_by": "''",
        "failures": "0",
        "calls_failed": "0",
        "last_error": "''",
        "next_step": "'SERVICE_TO_START'",
        "because": "'Everything is done.'",
        "whose_turn": "''",
        "gates": "'[]'",
    }
    names, values = ", ".join(columns), ", ".join(columns.values())
    source = f"generate_series(1, {rows}) AS number"
    statement = f"INSERT INTO {Enrollment._meta.db_table} ({names}) SELECT {values} FROM {source}"  # noqa: S608 - all of it stands here
    with psycopg.connect(url, autocommit=True) as direct:
        direct.execute("SET session_replication_role = replica")
        direct.execute(statement.encode())
        direct.execute("VACUUM ANALYZE")


def _use(settings: dict[str, Any]) -> None:
    """Switch this process to another database."""
    connections["default"].close()
    connections.settings = settings
    del connections["default"]


def _whole_look() -> None:
    """Every query of the enrollments sweep before it queues a message."""
    at = clock.now()
    case_opening.reconsider_changed_sites(at=at, limit=MAX_PER_SWEEP)
    webhook_processing.due_deliveries(at=at, limit=MAX_PER_SWEEP)
    most_urgent(at=at, limit=MAX_PER_SWEEP)


def _milliseconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(taken), 2)


def _plan() -> list[str]:
    """The lines of EXPLAIN that name what is scanned."""
    statements: list[tuple[str, Any]] = []

    def note(execute: Callable[..., object], sql: str, params: Any, *rest: object) -> object:
        statements.append((sql, params))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(note):
        most_urgent(at=clock.now(), limit=MAX_PER_SWEEP)
    sql, params = statements[-1]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", params)
        lines = [str(line) for (line,) in cursor.fetchall()]
    return [re.sub(r" *->  | *\(cost.*", "", line).strip() for line in lines if "Scan" in line or "BitmapOr" in line]
