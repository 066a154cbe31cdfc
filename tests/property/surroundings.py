"""What surrounds the cases of the machine: a queue delivered by hand, a storage that may refuse, a log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, Protocol
from unittest.mock import patch

from celery import current_app
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from django.db import connection, transaction

from core.queue import TaskName

Message = tuple[str, dict[str, int]]


class Killed(BaseException):
    """Stands for signal 9: no handler of ours runs after it."""


class Queue:
    """
    What was sent to the queue and not delivered yet, in place of Celery's broker.

    Django releases messages at the outermost commit; here everything runs inside one transaction that is rolled back at
    the end, so `take_committed` releases the held messages. It must be called outside the transactions under test.
    Messages of a transaction that was rolled back never get here, as in production.
    """

    def __init__(self) -> None:
        self.waiting: list[Message] = []

    def send_task(self, name: str, *, kwargs: dict[str, int], retry: bool) -> None:
        assert not retry
        self.waiting.append((name, kwargs))

    def take_committed(self) -> None:
        while connection.run_on_commit:
            committed, connection.run_on_commit = connection.run_on_commit, []
            for entry in committed:
                entry[1]()

    def lose_committed(self) -> None:
        """The process dies between its commit and its message."""
        connection.run_on_commit = []

    def take(self, pick: int) -> Message | None:
        return self.waiting.pop(pick % len(self.waiting)) if self.waiting else None


def run(name: str, ids: dict[str, int]) -> str:
    """Do what a worker does with a message: run the task of that name."""
    return str(current_app.tasks[name](**ids))


def sweep_names() -> tuple[str, ...]:
    return (TaskName.SWEEP_PROOFS.value, TaskName.SWEEP_POAS.value, TaskName.SWEEP_ENROLLMENTS.value)


@contextmanager
def killed_at_statement(number: int) -> Iterator[None]:
    """
    Die before the statement with that number, inside or between transactions.

    Starts and ends of transactions are not counted: a death there equals one right beside them.
    """
    left = number

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 - Django's way
        nonlocal left
        if not sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            left -= 1
            if left == 0:
                raise Killed
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        yield


@contextmanager
def database_rolled_back() -> Iterator[None]:
    """Roll everything back at the end; until then a transaction that is outermost in production behaves like one."""
    frame = transaction.atomic()
    frame._from_testcase = True  # type: ignore[attr-defined]  # lets durable transactions begin in it, as a test case does
    with frame, outermost_transactions_with_savepoints(frame):
        yield
        connection.run_on_commit = []
        transaction.set_rollback(True)


@contextmanager
def outermost_transactions_with_savepoints(frame: transaction.Atomic) -> Iterator[None]:
    """
    Give each transaction that starts directly in the frame a savepoint, also those that ask for none.

    Django deletes and writes many rows this way. With no transaction around them that a death would roll back,
    it would roll back the frame here, and everything committed before.
    """
    enter = transaction.Atomic.__enter__

    def enter_with_savepoint(block: transaction.Atomic) -> None:
        asked_for = block.savepoint
        block.savepoint = asked_for or connection.atomic_blocks[-1:] == [frame]
        try:
            enter(block)
        finally:
            block.savepoint = asked_for

    with patch.object(transaction.Atomic, "__enter__", enter_with_savepoint):
        yield


class MemoryStorage(Storage):
    """A storage in memory that refuses everything while it is down."""

    files: ClassVar[dict[str, bytes]] = {}
    is_down: ClassVar[bool] = False

    @classmethod
    def clear(cls) -> None:
        cls.files.clear()
        cls.is_down = False

    @classmethod
    @contextmanager
    def readable(cls) -> Iterator[None]:
        """Allow a check to look at the stored files, whatever the application can see of them."""
        was_down, cls.is_down = cls.is_down, False
        yield
        cls.is_down = was_down

    def _open(self, name: str, mode: str = "rb") -> "File[bytes]":
        assert mode == "rb"
        self._refuse_while_down()
        if name not in self.files:
            raise FileNotFoundError(name)
        return ContentFile(self.files[name])

    def _save(self, name: str, content: "File[bytes]") -> str:
        self._refuse_while_down()
        self.files[name] = content.read()
        return name

    def exists(self, name: str) -> bool:
        self._refuse_while_down()
        return name in self.files

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        self._refuse_while_down()
        within = [name.removeprefix(f"{path}/") for name in self.files if name.startswith(f"{path}/")]
        if not within:
            raise FileNotFoundError(path)
        folders = {name.partition("/")[0] for name in within if "/" in name}
        return sorted(folders), sorted(name for name in within if "/" not in name)

    def delete(self, name: str) -> None:
        self.files.pop(name, None)

    def _refuse_while_down(self) -> None:
        if self.is_down:
            raise OSError("The storage is down.")


class Log(logging.Handler):
    """Everything that is logged, for the search for secrets; and logged errors, of which there must be none."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.text = ""
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = logging.Formatter("%(name)s: %(message)s").format(record)
        self.text += line + "\n"
        if record.levelno >= logging.ERROR:
            self.errors.append(line)

    def clear(self) -> None:
        self.text, self.errors = "", []


class ShownTime(Protocol):
    at: datetime


class SurfaceClock:
    """The clock that surfaces and tasks read; it shows the time of the current flow."""

    flow_clock: ClassVar[ShownTime]

    def now(self) -> datetime:
        return self.flow_clock.at
