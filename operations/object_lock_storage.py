"""S3 storage with object lock: documents that nobody can change or delete for a number of days."""

from datetime import timedelta
from typing import Any

from storages.backends.s3 import S3Storage

from core import clock

LOCKED_FOLDERS = ("poa/", "journal/")
"""Sealed documents and journal anchors, which are evidence and never change."""


class ObjectLockStorage(S3Storage):  # type: ignore[misc]  # the library ships no types
    """
    Locks each new sealed document and anchor for a number of days, in the call that stores it.

    The bucket must have been created with object lock. In mode GOVERNANCE, users with a special permission can bypass
    the lock; in mode COMPLIANCE, nobody can.
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
