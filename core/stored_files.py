"""
Private files under content-addressed keys: the same bytes have the same key, and no key is written twice.

The row that names a file is written only after `store` returned, so there is no row without its object.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import storages


@dataclass(frozen=True)
class StoredFile:
    key: str
    sha256: str
    size_bytes: int


class FileNotStored(Exception):
    """The storage refused, timed out, or returned different bytes. Do not rely on the file."""


class FileAltered(Exception):
    """The storage no longer holds the bytes that were stored."""


def store(content: bytes, *, folder: str, suffix: str) -> StoredFile:
    """
    Store `content` permanently and verify it by reading it back.

    Storing the same bytes again finds the first copy and writes nothing.

    :raises FileNotStored: with the storage's error message
    """
    sha256 = hashlib.sha256(content).hexdigest()
    file = StoredFile(key=f"{folder}/{sha256[:2]}/{sha256}{suffix}", sha256=sha256, size_bytes=len(content))
    storage = storages["default"]
    try:
        if not storage.exists(file.key):
            written_key = storage.save(file.key, ContentFile(content))
            if written_key != file.key:  # someone else stored the same bytes at the same moment
                storage.delete(written_key)
        read(file)
    except FileAltered as problem:
        raise FileNotStored(str(problem)) from problem
    except Exception as problem:
        raise FileNotStored(f"{type(problem).__name__}: {problem}") from problem
    return file


def read(file: StoredFile) -> bytes:
    """
    Return the bytes of a stored file.

    :raises FileAltered: it is missing, or its bytes no longer have the recorded hash
    """
    storage = storages["default"]
    try:
        with storage.open(file.key, "rb") as stored:
            content: bytes = stored.read()
    except FileNotFoundError as problem:
        raise FileAltered(f"{file.key} is missing from the storage.") from problem
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise FileAltered(f"{file.key} no longer has the bytes that were stored.")
    return content


def destroy(key: str) -> None:
    """
    Delete a file permanently, including every version in a versioned bucket. A missing file is not an error.

    Raises the storage's own error if it refuses, for example because of an object lock.
    """
    storage: Any = storages["default"]
    bucket = getattr(storage, "bucket", None)
    if bucket is None:
        storage.delete(key)
        return
    for version in bucket.object_versions.filter(Prefix=key):
        if version.object_key == key:
            version.delete()
