"""
Which case a log line is about, so that one case can be followed from the sale to active service by its number.

Every line written while `about` is in force ends with `[case 5]`. What changes a record of a site tells so with
`tell_of_site`; the package that has the cases says how a site's number leads to theirs (`find_cases_with`).
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


def find_cases_with(find: Callable[[int], Iterable[int]]) -> None:
    """Register how the numbers of a site's cases are found; called once, when the packages are loaded."""
    _find[:] = [find]


def cases_of_site(site_id: int) -> list[int]:
    return [number for find in _find for number in find(site_id)]


def name_cases(numbers: Iterable[int]) -> None:
    """Let the lines of this task or request name these cases from here on; none ends it."""
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


def tell(words: str, *, case: int) -> None:
    """Write a line about a case once the open transaction has committed."""
    transaction.on_commit(partial(_write, words, lambda: [case]), robust=True)


def tell_of_site(words: str, *, site_id: int) -> None:
    """Write a line about the case of a site, as `tell` does."""
    transaction.on_commit(partial(_write, words, partial(_cases_or_none, site_id)), robust=True)


def _cases_or_none(site_id: int) -> list[int]:
    try:
        return cases_of_site(site_id)
    except DatabaseError:  # a line without its number is better than none
        return []


def _write(words: str, find: Callable[[], list[int]]) -> None:
    with about(find()):
        logger.info("%s", words)
