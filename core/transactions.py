"""
Short transactions that are retried when the database aborts them in favor of another one.

After a deadlock, a serialization failure or a lock timeout, the same work succeeds a moment later. Only the transaction
is retried, never what came before or after it, so never a call to Light.
"""

import logging
import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction

logger = logging.getLogger(__name__)

MAX_TRIES = 4
FIRST_PAUSE_SECONDS = 0.05
RETRYABLE_SQLSTATES = frozenset({"40001", "40P01", "55P03"})
"""PostgreSQL's serialization failure, deadlock, and lock not available. SQLite has one writer and waits on its own."""

READ_ONLY = "25006"
"""PostgreSQL's code for a read-only transaction. Django raises it as an internal error."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def repeatable(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """
    Decorate `work` to run in a transaction and to be retried when the database aborts it.

    Inside another transaction it becomes part of that one and is not retried. So `work` must read all its own input and
    do nothing that a rollback does not undo.
    """
    return _repeatable(work, is_alone=False)


def repeatable_alone(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Like `repeatable`, for work that must commit when it returns. It fails inside another transaction."""
    return _repeatable(work, is_alone=True)


def _repeatable(work: Callable[Arguments, Result], *, is_alone: bool) -> Callable[Arguments, Result]:
    @wraps(work)
    def whole(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        tries = 1
        while True:
            try:
                with transaction.atomic(durable=is_alone):
                    return work(*arguments, **options)
            except OperationalError as problem:
                if tries == MAX_TRIES or connection.in_atomic_block or not is_retryable(problem):
                    raise
                logger.warning("The database aborted “%s” (try %s); retrying.", work.__name__, tries)
            time.sleep(FIRST_PAUSE_SECONDS * 2**tries * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            tries += 1

    return whole


def is_read_only(problem: BaseException) -> bool:
    """Whether the database is read-only, such as a replica or a server in maintenance."""
    cause = problem.__cause__
    name = getattr(cause, "sqlite_errorname", None) or ""
    return getattr(cause, "sqlstate", None) == READ_ONLY or name.startswith("SQLITE_READONLY")


def is_retryable(problem: OperationalError) -> bool:
    """Whether the database aborted this transaction in favor of another."""
    return getattr(problem.__cause__, "sqlstate", None) in RETRYABLE_SQLSTATES
