"""
Why an action refuses: three bases, which every surface answers in one way each.

The text tells the person what to do; `problems` names the fields of the input that are at fault. Every other exception
is a bug or an outage.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

Problems = Mapping[str, str | Sequence[str]]


class Refusal(Exception):
    """Nothing was done, and it is known why."""

    def __init__(self, said: str | Problems = "") -> None:
        named = {} if isinstance(said, str) else said
        self.problems = {name: [texts] if isinstance(texts, str) else list(texts) for name, texts in named.items()}
        told = said if isinstance(said, str) else " ".join(text for texts in self.problems.values() for text in texts)
        super().__init__(told)


class InvalidInput(Refusal):
    """What was given cannot be used. `field` is the one at fault where a refusal is always about the same one."""

    field: ClassVar[str] = ""

    def __init__(self, said: str | Problems = "") -> None:
        super().__init__({self.field: said} if self.field and isinstance(said, str) else said)


class Conflict(Refusal):
    """The state of the record does not allow it, or it changed since the person looked."""


class Forbidden(Refusal):
    """This person may not do it; another one may."""


class ReasonMissing(InvalidInput):
    """A person who stops something, or lets it go on, says why."""

    field = "reason"


def check_input(**problems: Sequence[str]) -> None:
    """:raises InvalidInput: some field has a problem; it names all of them at once"""
    found = {field: texts for field, texts in problems.items() if texts}
    if found:
        raise InvalidInput(found)


def check_reason(reason: str, *, ask: str = "Enter a reason. It is kept with the record.") -> str:
    """
    Return the reason without surrounding blanks.

    :raises ReasonMissing: nothing was typed; `ask` says what is wanted
    """
    if not reason.strip():
        raise ReasonMissing(ask)
    return reason.strip()
