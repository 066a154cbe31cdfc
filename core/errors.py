"""
Base classes for refused actions. Every surface handles each of them in one way.

The text tells the person what to do. `problems` names the invalid fields. Every other exception is a bug or an outage.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

Problems = Mapping[str, str | Sequence[str]]


class Refusal(Exception):
    """The action was refused and changed nothing."""

    def __init__(self, message: str | Problems = "") -> None:
        named = {} if isinstance(message, str) else message
        self.problems = {name: [texts] if isinstance(texts, str) else list(texts) for name, texts in named.items()}
        summary = (
            message
            if isinstance(message, str)
            else " ".join(text for texts in self.problems.values() for text in texts)
        )
        super().__init__(summary)


class InvalidInput(Refusal):
    """The input is not valid. `field` names the invalid field if it is always the same one."""

    field: ClassVar[str] = ""

    def __init__(self, message: str | Problems = "") -> None:
        super().__init__({self.field: message} if self.field and isinstance(message, str) else message)


class Conflict(Refusal):
    """The state of the record does not allow it, or it has changed since the person saw it."""


class Forbidden(Refusal):
    """This person may not do it, but someone else may."""


class ReasonMissing(InvalidInput):
    """A person who stops or resumes something must say why."""

    field = "reason"


def check_input(**problems: Sequence[str]) -> None:
    """:raises InvalidInput: names every field that has a problem"""
    found = {field: texts for field, texts in problems.items() if texts}
    if found:
        raise InvalidInput(found)


def check_reason(reason: str, *, ask: str = "Enter a reason. It is kept with the record.") -> str:
    """
    Return the reason without surrounding whitespace.

    :raises ReasonMissing: nothing was typed; `ask` says what is wanted
    """
    if not reason.strip():
        raise ReasonMissing(ask)
    return reason.strip()
