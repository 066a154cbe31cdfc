"""Format and hashing of API key secrets."""

import hashlib
import re
import secrets
import string
from dataclasses import dataclass

KEY_START = "swy_"
"""How every secret starts, so that logs, scanners and people recognize it. `operations.log_redaction` masks it."""
RANDOM_CHARACTERS = 43
"""Letters and digits, 256 bits."""
PREFIX_LENGTH = len(KEY_START) + 6
MAX_LENGTH = 64

_ALPHABET = string.ascii_letters + string.digits
_SHAPE = re.compile(rf"{KEY_START}[A-Za-z0-9]{{{RANDOM_CHARACTERS}}}|[0-9a-f]{{40}}", re.ASCII)
"""The second alternative matches the tokens that existed before API keys."""


@dataclass(frozen=True)
class NewSecret:
    """A new secret. It is shown once and stored as a hash."""

    text: str

    @property
    def prefix(self) -> str:
        return self.text[:PREFIX_LENGTH]

    @property
    def sha256(self) -> str:
        return sha256_of(self.text)

    def __repr__(self) -> str:
        return f"NewSecret({self.prefix}…)"


def generate() -> NewSecret:
    return NewSecret(KEY_START + "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM_CHARACTERS)))


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def looks_like_secret(text: str) -> bool:
    """Whether a database lookup is worthwhile."""
    return len(text) <= MAX_LENGTH and _SHAPE.fullmatch(text) is not None
