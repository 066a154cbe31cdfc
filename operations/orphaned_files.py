"""
Files that no row names: left behind when a process died between storing a file and writing its row.

They do no harm but keep what nobody may know of. A file is deleted only when it is older than a day, lies where rows
keep their files, and is named by no row and no entry of the evidence journal.
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
YOUNGEST = timedelta(days=1)
MOST_AT_ONCE = 200
KEYS_PER_QUERY = 500
KEY_FIELD = "storage_key"
SECONDS_BEFORE_SECOND_LOOK = 5.0


@dataclass(frozen=True)
class Orphan:
    key: str
    stored_at: datetime


def find_orphans(*, at: datetime) -> list[Orphan]:
    """Find files that were stored more than a day ago and that nothing names."""
    return [
        Orphan(key, stored_at)
        for keys in _in_parts(_stored_keys())
        for key in sorted(set(keys) - _named(keys))
        if (stored_at := storages["default"].get_modified_time(key)) < at - YOUNGEST and not _is_in_evidence(key)
    ]


def sweep_orphans(*, at: datetime, second_look_after_seconds: float = SECONDS_BEFORE_SECOND_LOOK) -> list[Orphan]:
    """
    Delete files that nothing names, and give what was deleted; a few hundred in a turn.

    Somebody may have stored the very same bytes again in this moment, found them there, and named them a moment later:
    what is named by then is put back. A POA whose file is still being made keeps every file of that folder.
    """
    storage = storages["default"]
    contents: dict[str, bytes] = {}
    deleted: list[Orphan] = []
    for orphan in find_orphans(at=at)[:MOST_AT_ONCE]:
        if _named([orphan.key]) or _may_be_named_yet(orphan.key):
            continue
        with storage.open(orphan.key, "rb") as stored:
            contents[orphan.key] = stored.read()
        storage.delete(orphan.key)
        logger.warning("Deleted %s, stored at %s: no row names it.", orphan.key, orphan.stored_at)
        deleted.append(orphan)
    if deleted:
        time.sleep(second_look_after_seconds)
    missed = _named(contents)
    for key in missed:
        if not storage.exists(key):
            storage.save(key, ContentFile(contents[key]))
        logger.warning("Put %s back: a row names it by now.", key)
    return [orphan for orphan in deleted if orphan.key not in missed]


def _in_parts(keys: Iterator[str]) -> Iterator[list[str]]:
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


def _named(keys: Iterable[str]) -> set[str]:
    """Give those keys that any row of any model names: whatever field keeps a key is called after it."""
    asked = list(keys)
    return {
        key
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.name.endswith(KEY_FIELD)
        for key in model._default_manager.filter(**{f"{field.name}__in": asked}).values_list(field.name, flat=True)
    }


def _is_in_evidence(key: str) -> bool:
    """Whether the journal speaks of the file, by its key or by its hash."""
    return EvidenceEntry.objects.filter(details__icontains=PurePosixPath(key).stem).exists()


def _may_be_named_yet(key: str) -> bool:
    is_being_sealed = PoaDocument.objects.filter(status=PoaStatus.SEALING)
    return key.startswith("poa/") and is_being_sealed.exists()
