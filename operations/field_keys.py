"""
Whether FIELD_ENCRYPTION_KEYS opens what the database holds: asked at start, by readiness and by a restore.

A database that was restored beside other keys looks healthy until somebody signs in or a birth date is read.
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

WHAT_TO_DO = "Put the key back behind the others, and start again; docs/runbooks/secrets.md tells about keys."
GOOD_FOR_SECONDS = 300.0
"""A look costs a pass over the encrypted columns, and readiness is asked every few seconds."""


def problems() -> list[str]:
    """Return one sentence for each key that stored values need and that is missing or another one."""
    return list(encryption.unreadable_keys(samples()).values())


def samples() -> dict[str, tuple[str, str]]:
    return second_factor.samples_by_key() | encryption.samples_by_key()


def stop_without_keys() -> None:
    """
    Refuse to start beside data that cannot be read. A database that does not answer is readiness's to report.

    :raises ImproperlyConfigured: names each key and what to do
    """
    try:
        found = problems()
    except DatabaseError:
        logger.warning("Whether the keys of encrypted fields fit the database could not be checked at start.")
        return
    finally:
        if not connection.in_atomic_block:
            connection.close()  # the processes that this one starts must not share it
    if found:
        raise ImproperlyConfigured(f"{'; '.join(found)}. {WHAT_TO_DO}")


class KeyCheck:
    """The same for readiness, which remembers a good answer for some minutes."""

    def __init__(self) -> None:
        self._good_until = 0.0
        self._keys: Mapping[str, bytes] = {}

    def problems(self) -> list[str]:
        is_fresh = time.monotonic() < self._good_until and self._keys == settings.FIELD_ENCRYPTION_KEYS
        if is_fresh:
            return []
        found = problems()
        self._keys = dict(settings.FIELD_ENCRYPTION_KEYS)
        self._good_until = 0.0 if found else time.monotonic() + GOOD_FOR_SECONDS
        return found
