"""Documents in a bucket that nobody, also with our own keys, can change or remove before a day."""

from datetime import timedelta
from typing import Any

from storages.backends.s3 import S3Storage

from core import clock

LOCKED_FOLDERS = ("poa/", "journal/")
"""Sealed documents and the anchors of the journals: what proves, and never changes."""


class LockedS3Storage(S3Storage):  # type: ignore[misc]  # the library ships no types
    """
    Puts a lock on each new sealed file and anchor, in the call that stores it, for a number of days.

    The bucket must have been made with object lock. Mode GOVERNANCE lets those go on who have a right of their own to
    it, COMPLIANCE lets nobody.
    """

    def __init__(self, *, lock_mode: str, lock_days: int, **options: Any) -> None:
        super().__init__(**options)
        self._lock_mode, self._lock_for = lock_mode, timedelta(days=lock_days)

    def get_object_parameters(self, name: str) -> dict[str, Any]:
        parameters: dict[str, Any] = dict(super().get_object_parameters(name))
        if not name.startswith(LOCKED_FOLDERS):
            return parameters
        return {
            **parameters,
            "ObjectLockMode": self._lock_mode,
            "ObjectLockRetainUntilDate": clock.now() + self._lock_for,
            "ChecksumAlgorithm": "SHA256",
        }
