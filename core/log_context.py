"""
Case numbers in log lines, so that one case can be followed from the sale to active service.

Every line logged inside `about` ends with `[case 5]`. Code that changes a record of a site calls `log_for_site`.
`enrollments` registers how to find the cases of a site (`register_case_lookup`).
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

from django.db import DatabaseError, transaction

logger = logging.getLogger("cases")

_cases: ContextVar[str] = ContextVar("cases", default="")
_find: list[Callable[[int], Iterable[int]]] = []


def register_case_lookup(find: Callable[[int], Iterable[int]]) -> None:
    """Register the function that returns the case numbers of a site. Called once, at startup."""
    _find[:] = [find]


def cases_of_site(site_id: int) -> list[int]:
    return [number for find in _find for number in find(site_id)]


def set_logged_cases(numbers: Iterable[int]) -> None:
    """Add these case numbers to all further log lines of this task or request; an empty list removes them."""
    _cases.set(", ".join(map(str, numbers)))


@contextmanager
def about(numbers: Iterable[int]) -> Iterator[None]:
    token = _cases.set(", ".join(map(str, numbers)))
    try:
        yield
    finally:
        _cases.reset(token)


def suffix() -> str:
    cases = _cases.get()
    return f" [case {cases}]" if cases else ""


def log_for_case(text: str, *, case: int) -> None:
    """Log a line about a case once the open transaction has committed."""
    transaction.on_commit(partial(_write, text, lambda: [case]), robust=True)


def log_for_site(text: str, *, site_id: int) -> None:
    """Log a line about the cases of a site once the open transaction has committed."""
    transaction.on_commit(partial(_write, text, partial(_cases_or_none, site_id)), robust=True)


def _cases_or_none(site_id: int) -> list[int]:
    try:
        return cases_of_site(site_id)
    except DatabaseError:  # a line without its number is better than none
        return []


def _write(text: str, find: Callable[[], list[int]]) -> None:
    with about(find()):
        logger.info("%s", text)
