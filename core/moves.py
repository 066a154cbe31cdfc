"""State machines as data: a table of moves per kind of record, and the check that reads it."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import Conflict


@dataclass(frozen=True)
class Move:
    sources: frozenset[str]
    target: str
    meaning: str


class MoveNotAllowed(Conflict):
    def __init__(self, *, subject: str, move: str, status: str) -> None:
        super().__init__(f"{subject} is {status}. It cannot {move.replace('_', ' ')} in that state.")
        self.subject = subject
        self.move = move
        self.status = status


def find_move(moves: Mapping[str, Move], name: str, *, subject: str, status: str) -> Move:
    """
    Return the move of that name if `status` allows it.

    :raises MoveNotAllowed: the record's status is not among the move's sources
    """
    move = moves[name]
    if status not in move.sources:
        raise MoveNotAllowed(subject=subject, move=name, status=status)
    return move
