"""
Checks that FIELD_ENCRYPTION_KEYS can decrypt the database: at start, for readiness and before a restore.

A database restored with the wrong keys looks healthy until someone signs in or a date of birth is read.
"""

import logging
import time
from collections.abc import Mapping

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from accounts import second_factor
from core import encryption

logger = logging.getLogger(__name__)

KEY_ADVICE = "Add the key back after the others and start again; see docs/runbooks/secrets.md."
CACHE_SECONDS = 300.0
"""A check scans the encrypted columns, and readiness is polled every few seconds."""


def problems() -> list[str]:
    """Return one sentence for each needed key that is missing or different."""
    return list(encryption.unreadable_keys(samples()).values())


def samples() -> dict[str, tuple[str, str]]:
    return second_factor.samples_by_key() | encryption.samples_by_key()


def check_keys_at_start() -> None:
    """
    Refuse to start if data cannot be decrypted. An unavailable database is left to readiness.

    :raises ImproperlyConfigured: with each key and what to do
    """
    try:
        found = problems()
    except DatabaseError:
        logger.warning(
            "The keys of encrypted fields could not be checked at start, because the database is unavailable."
        )
        return
    finally:
        if not connection.in_atomic_block:
            connection.close()  # child processes must not share it
    if found:
        raise ImproperlyConfigured(f"{'; '.join(found)}. {KEY_ADVICE}")


class KeyCheck:
    """The same check for readiness. Caches a good result for some minutes."""

    def __init__(self) -> None:
        self._good_until = 0.0
        self._keys: Mapping[str, bytes] = {}

    def problems(self) -> list[str]:
        is_fresh = time.monotonic() < self._good_until and self._keys == settings.FIELD_ENCRYPTION_KEYS
        if is_fresh:
            return []
        found = problems()
        self._keys = dict(settings.FIELD_ENCRYPTION_KEYS)
        self._good_until = 0.0 if found else time.monotonic() + CACHE_SECONDS
        return found
