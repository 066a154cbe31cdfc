"""Rows that several tests start with, built once instead of before each test."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from pytest_django.plugin import DjangoDbBlocker


@contextmanager
def rows_for_several_tests(blocker: DjangoDbBlocker) -> Iterator[None]:
    """
    Roll back what is written inside. Tests inside run in savepoints of this transaction.

    Only for tests in a transaction of their own (`django_db` without `transaction=True`).
    """
    outer = transaction.atomic()
    outer._from_testcase = True  # type: ignore[attr-defined]  # as Django's TestCase does, so durable blocks may begin
    blocker.unblock()
    try:
        with outer:
            yield
            transaction.set_rollback(True)
    finally:
        blocker.restore()
