"""How the secrets of API keys look, and what is kept of them."""

import hashlib
import re
import secrets
import string
from dataclasses import dataclass

MARK = "swy_"
"""Secrets begin with it, so that logs, scanners and people recognize one. `operations.log_lines` masks them by it."""
RANDOM_CHARACTERS = 43
"""Of 62 different ones: 256 bits."""
PREFIX_LENGTH = len(MARK) + 6
LONGEST = 64

_ALPHABET = string.ascii_letters + string.digits
_SHAPE = re.compile(rf"{MARK}[A-Za-z0-9]{{{RANDOM_CHARACTERS}}}|[0-9a-f]{{40}}", re.ASCII)
"""The second shape is that of the tokens from before there were keys."""


@dataclass(frozen=True)
class NewSecret:
    """A secret that nobody has seen yet: it is shown once, and kept as a hash."""

    text: str

    @property
    def prefix(self) -> str:
        return self.text[:PREFIX_LENGTH]

    @property
    def sha256(self) -> str:
        return hash_of(self.text)

    def __repr__(self) -> str:
        return f"NewSecret({self.prefix}…)"


def draw() -> NewSecret:
    return NewSecret(MARK + "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM_CHARACTERS)))


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def may_be_secret(text: str) -> bool:
    """Whether it is worth asking the database about it."""
    return len(text) <= LONGEST and _SHAPE.fullmatch(text) is not None
