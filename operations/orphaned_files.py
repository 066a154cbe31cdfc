"""
Files that no row refers to, left behind when a process died between storing a file and writing its row.

They keep data that nobody knows about. A file is deleted only if it is older than a day, is in a folder that rows use,
and no row and no entry of the evidence journal refers to it.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import PurePosixPath

from django.apps import apps
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from poa_documents.models import EvidenceEntry, PoaDocument
from poa_documents.states import PoaStatus

logger = logging.getLogger(__name__)

FOLDERS = ("poa", "paper", "proofs", "plan-documents")
MIN_AGE = timedelta(days=1)
MAX_DELETED_PER_RUN = 200
KEYS_PER_QUERY = 500
KEY_FIELD = "storage_key"
SECONDS_BEFORE_RECHECK = 5.0


@dataclass(frozen=True)
class Orphan:
    key: str
    stored_at: datetime


def find_orphans(*, at: datetime) -> list[Orphan]:
    """Return files that were stored more than a day ago and that nothing refers to."""
    return [
        Orphan(key, stored_at)
        for keys in _in_batches(_stored_keys())
        for key in sorted(set(keys) - _referenced(keys))
        if (stored_at := storages["default"].get_modified_time(key)) < at - MIN_AGE and not _is_in_evidence(key)
    ]


def sweep_orphans(*, at: datetime, recheck_after_seconds: float = SECONDS_BEFORE_RECHECK) -> list[Orphan]:
    """
    Delete files that nothing refers to, a few hundred per run. Return the deleted files.

    Another process may store the same bytes at this moment, find them already stored, and refer to them a moment later.
    Such files are restored. While a POA is being sealed, no file of its folder is deleted.
    """
    storage = storages["default"]
    contents: dict[str, bytes] = {}
    deleted: list[Orphan] = []
    for orphan in find_orphans(at=at)[:MAX_DELETED_PER_RUN]:
        if _referenced([orphan.key]) or _may_be_referenced_soon(orphan.key):
            continue
        with storage.open(orphan.key, "rb") as stored:
            contents[orphan.key] = stored.read()
        storage.delete(orphan.key)
        logger.warning("Deleted %s, stored at %s: no row refers to it.", orphan.key, orphan.stored_at)
        deleted.append(orphan)
    if deleted:
        time.sleep(recheck_after_seconds)
    missed = _referenced(contents)
    for key in missed:
        if not storage.exists(key):
            storage.save(key, ContentFile(contents[key]))
        logger.warning("Restored %s: a row refers to it now.", key)
    return [orphan for orphan in deleted if orphan.key not in missed]


def _in_batches(keys: Iterator[str]) -> Iterator[list[str]]:
    while part := list(islice(keys, KEYS_PER_QUERY)):
        yield part


def _stored_keys() -> Iterator[str]:
    storage = storages["default"]
    for folder in FOLDERS:
        try:
            parts, _files = storage.listdir(folder)
        except FileNotFoundError:
            continue
        for part in sorted(parts):
            for name in storage.listdir(f"{folder}/{part}")[1]:
                yield f"{folder}/{part}/{name}"


def _referenced(keys: Iterable[str]) -> set[str]:
    """Return the keys that any row refers to. Every field with a storage key has a name that ends in `storage_key`."""
    asked = list(keys)
    return {
        key
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.name.endswith(KEY_FIELD)
        for key in model._default_manager.filter(**{f"{field.name}__in": asked}).values_list(field.name, flat=True)
    }


def _is_in_evidence(key: str) -> bool:
    """Whether the journal mentions the file, by its key or its hash."""
    return EvidenceEntry.objects.filter(details__icontains=PurePosixPath(key).stem).exists()


def _may_be_referenced_soon(key: str) -> bool:
    is_being_sealed = PoaDocument.objects.filter(status=PoaStatus.SEALING)
    return key.startswith("poa/") and is_being_sealed.exists()
