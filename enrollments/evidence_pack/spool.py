"""A folder that collects the files of a pack, so that long journals and large proofs are not held in memory."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from core.public_records import PublicRecord
from core.stored_files import StoredFile
from poa_documents.journal.chain import canonical_json


@dataclass(frozen=True)
class Missing:
    """A file that the records refer to but that is missing from the storage or was altered."""

    path: str
    sha256: str
    why: str


@dataclass
class Spool:
    """The content of a pack: files in `folder`, references to stored files, and the instant of the newest fact."""

    folder: Path
    stored: dict[str, StoredFile] = field(default_factory=dict)
    newest_fact_at: datetime | None = None

    def fact_at(self, at: datetime | None) -> str | None:
        """Return an instant as text, and keep track of the newest."""
        if at is not None and (self.newest_fact_at is None or at > self.newest_fact_at):
            self.newest_fact_at = at
        return instant(at)

    def write_bytes(self, path: str, content: bytes) -> None:
        self._open(path).write_bytes(content)

    def write_json(self, path: str, value: Any) -> None:
        """Write a record as readable JSON with a stable order."""
        text = json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
        self._open(path).write_text(f"{text}\n", encoding="utf-8", newline="\n")

    def write_lines(self, path: str, records: Iterable[Mapping[str, Any]]) -> None:
        """Write one record per line."""
        with self._open(path).open("w", encoding="utf-8", newline="\n") as file:
            for record in records:
                file.write(f"{canonical_json(record)}\n")

    def name_stored(self, path: str, file: StoredFile) -> None:
        """Add a stored file to the pack under `path`."""
        self.stored[path] = file

    def made(self) -> list[str]:
        """Return the paths of the files written to the folder."""
        return sorted(each.relative_to(self.folder).as_posix() for each in self.folder.rglob("*") if each.is_file())

    def paths(self) -> list[str]:
        """Return the paths of all files, written or stored."""
        return sorted({*self.made(), *self.stored})

    def _open(self, path: str) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return target


def instant(at: datetime | None) -> str | None:
    """Write an instant in UTC, always to the microsecond, as the journals do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at else None


def fields(record: object, *names: str) -> dict[str, Any]:
    """Return the named fields of a record as plain values. Instants in them do not count as facts."""
    return {name: _plain(getattr(record, name)) for name in names}


def identified(record: PublicRecord, *names: str) -> dict[str, Any]:
    """Return the named fields and the public ID of a record."""
    return {"id": id_of(record), **fields(record, *names)}


def id_of(record: PublicRecord | None) -> str | None:
    return str(record.public_id) if record is not None else None


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return instant(value)
        case date():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
        case None | bool() | int() | str() | list() | dict():
            return value
        case _:
            return str(value)
