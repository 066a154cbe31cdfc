"""The order in which a worker takes messages from its queues: tasks that can wait get a share of every few messages."""

from collections.abc import Iterable

from core.queue import DEFERRABLE_TASKS, OWN_QUEUES

DEFERRABLE_EVERY = 4
"""One message in this many comes from a deferrable queue, so that a flood of go-lives is accepted first."""
DEFERRABLE_QUEUES = frozenset(OWN_QUEUES[task] for task in DEFERRABLE_TASKS)


class QueueShares:
    """
    The order of one worker's queues: kombu takes the next message from the first queue that has one.

    Queues of the same rank take turns. kombu creates one instance per channel and reports every message to it.
    """

    def __init__(self) -> None:
        self._queues = list[str]()
        self._until_deferrable = DEFERRABLE_EVERY

    def update(self, queues: Iterable[str]) -> None:
        self._queues = list(queues)

    def consume(self, count: int) -> list[str]:
        """Return the first `count` queues, in the order to try them."""
        known = self._queues[:count]
        deferrable = [name for name in known if name in DEFERRABLE_QUEUES]
        urgent = [name for name in known if name not in DEFERRABLE_QUEUES]
        return deferrable + urgent if self._until_deferrable <= 1 else urgent + deferrable

    def rotate(self, last_used: str) -> None:
        """Record which queue the last message came from."""
        self._until_deferrable = DEFERRABLE_EVERY if last_used in DEFERRABLE_QUEUES else self._until_deferrable - 1
        if last_used in self._queues:
            self._queues.remove(last_used)
            self._queues.append(last_used)
