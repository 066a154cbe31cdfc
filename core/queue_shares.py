"""The order in which workers take from the queues: work that can wait gets a share while urgent work waits."""

from collections.abc import Iterable

from core.queue import CAN_WAIT, OWN_QUEUES

ONE_MESSAGE_IN = 4
"""The share of work that can wait: small enough that a flood of go-lives is accepted first."""
LATER_QUEUES = frozenset(OWN_QUEUES[task] for task in CAN_WAIT)


class QueueShares:
    """
    Orders the queues of one worker for its next look: the first one that has a message gives it.

    Queues of the same rank take turns. kombu makes one for each channel, which it tells of every message.
    """

    def __init__(self) -> None:
        self._queues = list[str]()
        self._until_share = ONE_MESSAGE_IN

    def update(self, queues: Iterable[str]) -> None:
        """Note the queues from which the worker takes."""
        self._queues = list(queues)

    def consume(self, count: int) -> list[str]:
        """Return the first `count` queues in the order in which they are to be looked at."""
        known = self._queues[:count]
        later = [name for name in known if name in LATER_QUEUES]
        first = [name for name in known if name not in LATER_QUEUES]
        return later + first if self._until_share <= 1 else first + later

    def rotate(self, last_used: str) -> None:
        """Note from which queue a message came."""
        self._until_share = ONE_MESSAGE_IN if last_used in LATER_QUEUES else self._until_share - 1
        if last_used in self._queues:
            self._queues.remove(last_used)
            self._queues.append(last_used)
