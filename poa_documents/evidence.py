"""
The journal of one POA: rows that are only ever added, each carrying the hash of the row before.

An entry's hash covers the canonical JSON of all it says, so any later change breaks the chain at that entry.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from core.actors import Actor
from poa_documents.models import EvidenceEntry, PoaDocument


@dataclass(frozen=True)
class EvidenceVerdict:
    is_intact: bool
    entries: int
    broken_number: int | None = None
    problem: str = ""


def record(
    poa: PoaDocument, *, kind: str, by: Actor, at: datetime, details: Mapping[str, Any] | None = None
) -> EvidenceEntry:
    """
    Add an entry to the POA's journal, in the transaction of the change it is about.

    Locks the POA's row, so that two writers at once get two numbers. `details` holds plain values: text, whole numbers,
    yes/no, decimals, dates, lists and mappings of them; never a secret, a token or a signature.

    :raises RuntimeError: no transaction is open
    """
    if not connection.in_atomic_block:
        raise RuntimeError("Evidence is written in the transaction of the change it is about; none is open.")
    PoaDocument.objects.select_for_update().only("pk").get(pk=poa.pk)
    last = EvidenceEntry.objects.filter(poa=poa).order_by("-number").first()
    entry = EvidenceEntry(
        poa=poa,
        number=last.number + 1 if last else 1,
        kind=kind,
        actor=str(by),
        at=at,
        details=_plain(details or {}),
        previous_sha256=last.sha256 if last else "",
    )
    entry.sha256 = _sha256(entry)
    entry.save(force_insert=True)
    return entry


def verify(poa: PoaDocument) -> EvidenceVerdict:
    """Walk the journal from its first entry and name the first one that is missing or was altered."""
    previous, expected = "", 1
    for entry in EvidenceEntry.objects.filter(poa=poa).order_by("number"):
        problem = ""
        if entry.number != expected:
            problem = f"Entry {expected} is missing."
        elif entry.previous_sha256 != previous:
            problem = f"Entry {entry.number} does not follow from the entry before it."
        elif entry.sha256 != _sha256(entry):
            problem = f"Entry {entry.number} ({entry.kind}) was altered."
        if problem:
            return EvidenceVerdict(is_intact=False, entries=expected - 1, broken_number=expected, problem=problem)
        previous, expected = entry.sha256, expected + 1
    return EvidenceVerdict(is_intact=True, entries=expected - 1)


def canonical_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _sha256(entry: EvidenceEntry) -> str:
    content = {
        "poa": entry.poa_id,
        "number": entry.number,
        "kind": entry.kind,
        "actor": entry.actor,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "details": entry.details,
        "previous_sha256": entry.previous_sha256,
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Turn a value into what every database gives back unchanged from a JSON column."""
    match value:
        case None | bool() | int():
            return value
        case str():
            return str(value).replace("\x00", "")
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
        case _:
            raise TypeError(f"Evidence cannot hold {type(value).__name__}; pass text, whole numbers or dates.")
