"""
Short transactions that are repeated whole when the database breaks them off for the sake of another.

A deadlock, a conflict of serializable transactions or a lock that nobody gave back in time says nothing about the work
itself: the same work, from its first line on, goes through a moment later. Only the transaction is repeated, never what
was done before or after it, and so never a call to Light.
"""

import logging
import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction

logger = logging.getLogger(__name__)

MOST_TRIES = 4
FIRST_PAUSE_SECONDS = 0.05
BROKEN_OFF = frozenset({"40001", "40P01", "55P03"})
"""PostgreSQL's serialization failure, deadlock, and lock not available. SQLite has one writer, and waits by itself."""

READ_ONLY = "25006"
"""PostgreSQL's read-only transaction, which Django raises as an internal error."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def repeatable(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """
    Do `work` in a transaction, and all of it again when the database breaks that off; a decorator.

    Inside a transaction it is a part of that one, which alone can be repeated. So `work` reads what it builds upon by
    itself, and does nothing that a rollback does not undo.
    """
    return _repeatable(work, is_alone=False)


def repeatable_alone(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Do the same for work that must be committed once it is over, and so refuses to be part of a transaction."""
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
                if tries == MOST_TRIES or connection.in_atomic_block or not was_broken_off(problem):
                    raise
                logger.warning("The database broke off “%s” (try %s); it is repeated.", work.__name__, tries)
            time.sleep(FIRST_PAUSE_SECONDS * 2**tries * random.uniform(0.5, 1.5))  # noqa: S311 - spreads work
            tries += 1

    return whole


def is_read_only(problem: BaseException) -> bool:
    """Whether the database refuses to write anything at all, as a replica does, or a server that operators closed."""
    cause = problem.__cause__
    name = getattr(cause, "sqlite_errorname", None) or ""
    return getattr(cause, "sqlstate", None) == READ_ONLY or name.startswith("SQLITE_READONLY")


def was_broken_off(problem: OperationalError) -> bool:
    """Whether the database gave up this transaction so that others can go on."""
    return getattr(problem.__cause__, "sqlstate", None) in BROKEN_OFF
