"""
The append-only journal of one POA. Each entry has the hash of the one before.

An entry's hash covers the canonical JSON of its content, so any later change breaks the chain at that entry.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.db import connection

from core.actors import Actor
from poa_documents.models import DestructionProof, EvidenceEntry, PoaDocument


@dataclass(frozen=True)
class EvidenceVerdict:
    """How far a chain is intact, and what is wrong with the first broken entry."""

    entries: int
    head_sha256: str
    broken_number: int | None = None
    problem: str = ""

    @property
    def is_intact(self) -> bool:
        return not self.problem


@dataclass(frozen=True)
class SeenHead:
    """A chain's last entry as recorded outside the database."""

    sha256: str
    seen_by: str


class JournalBroken(Exception):
    """The journal is broken. Do not change it; someone must investigate."""


def record(
    poa: PoaDocument,
    *,
    kind: str,
    by: Actor,
    at: datetime,
    details: Mapping[str, Any] | None = None,
    is_locked: bool = False,
) -> EvidenceEntry:
    """
    Add an entry to the POA's journal, in the same transaction as the change.

    Locks the POA's row unless it is already locked, so that concurrent writers get different numbers. `details` may
    contain text, integers, booleans, decimals, dates, and lists and mappings of them. It must never contain secrets,
    tokens or signatures.

    :raises RuntimeError: no transaction is open
    """
    if not connection.in_atomic_block:
        raise RuntimeError("Evidence must be recorded in the transaction of the change. No transaction is open.")
    if not is_locked:
        PoaDocument.objects.select_for_update().only("pk").get(pk=poa.pk)
    last_number, last_sha256 = _last_of(poa)
    entry = EvidenceEntry(
        poa=poa,
        number=last_number + 1,
        kind=kind,
        actor=str(by),
        at=at,
        details=_plain(details or {}),
        previous_sha256=last_sha256,
    )
    entry.sha256 = _sha256(entry)
    entry.save(force_insert=True)
    return entry


def verify(poa: PoaDocument) -> EvidenceVerdict:
    """Verify the journal of one POA from its first entry."""
    return walk(poa.evidence.order_by("number"), destroyed=destruction_of(poa))


def walk(
    entries: Iterable[EvidenceEntry],
    *,
    destroyed: DestructionProof | None = None,
    seen: Mapping[int, SeenHead] = MappingProxyType({}),
) -> EvidenceVerdict:
    """
    Check one chain in order and report the first entry that is missing, altered, or different from an anchor.

    `destroyed` is the proof for entries at the start that were destroyed. `seen` has the heads from anchors, by number.
    """
    previous, number = (destroyed.head_sha256, destroyed.entries) if destroyed else ("", 0)
    first_kept = number + 1
    for entry in entries:
        expected = number + 1
        problem = ""
        if entry.number < first_kept:
            problem = f"Entry {entry.number} is still there, although a proof says that it was destroyed."
        elif entry.number != expected:
            problem = f"Entry {expected} is missing."
        elif entry.previous_sha256 != previous:
            problem = f"Entry {entry.number} does not follow from the entry before it."
        elif entry.sha256 != _sha256(entry):
            problem = f"Entry {entry.number} ({entry.kind}) was altered."
        elif entry.number in seen and seen[entry.number].sha256 != entry.sha256:
            problem = (
                f"Entry {entry.number}, or one before it, was rewritten: {seen[entry.number].seen_by} saw another."
            )
        if problem:
            return EvidenceVerdict(number, previous, min(expected, entry.number), problem)
        previous, number = entry.sha256, expected
    cut_off = [each for each in seen if each > number]
    if cut_off:
        problem = f"Entry {number + 1} is missing: {seen[min(cut_off)].seen_by} saw {min(cut_off)} entries."
        return EvidenceVerdict(number, previous, number + 1, problem)
    if destroyed and destroyed.entries in seen and seen[destroyed.entries].sha256 != destroyed.head_sha256:
        problem = f"The proof of destruction names another last entry than {seen[destroyed.entries].seen_by} saw."
        return EvidenceVerdict(number, previous, destroyed.entries, problem)
    return EvidenceVerdict(number, previous)


def destroy(poa: PoaDocument, *, reason: str, by: Actor, at: datetime) -> DestructionProof:
    """
    Destroy the journal of a POA after its retention period, and keep the proof. Only the purge calls it.

    The proof is written first: without it the database refuses to delete entries.

    :raises JournalBroken: the journal is broken or empty; nothing is deleted, and someone must investigate
    :raises RuntimeError: no transaction is open
    """
    if not connection.in_atomic_block:
        raise RuntimeError("A journal must be destroyed in the transaction of the purge. No transaction is open.")
    PoaDocument.objects.select_for_update().only("pk").get(pk=poa.pk)
    verdict = verify(poa)
    kept = EvidenceEntry.objects.filter(poa=poa)
    if not verdict.is_intact or not kept.exists():
        raise JournalBroken(f"The journal of {poa} is not destroyed: {verdict.problem or 'it is empty.'}")
    last = DestructionProof.objects.order_by("-number").first()
    proof = DestructionProof(
        number=last.number + 1 if last else 1,
        poa_public_id=poa.public_id,
        entries=verdict.entries,
        head_sha256=verdict.head_sha256,
        reason=reason,
        actor=str(by),
        at=at,
        previous_sha256=last.sha256 if last else "",
    )
    proof.sha256 = proof_sha256(proof)
    proof.save(force_insert=True)
    kept.delete()
    return proof


def destruction_of(poa: PoaDocument) -> DestructionProof | None:
    return DestructionProof.objects.filter(poa_public_id=poa.public_id).order_by("-entries").first()


def proof_sha256(proof: DestructionProof) -> str:
    content = {
        "number": proof.number,
        "poa": str(proof.poa_public_id),
        "entries": proof.entries,
        "head_sha256": proof.head_sha256,
        "reason": proof.reason,
        "actor": proof.actor,
        "at": _instant(proof.at),
        "previous_sha256": proof.previous_sha256,
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _last_of(poa: PoaDocument) -> tuple[int, str]:
    last = EvidenceEntry.objects.filter(poa=poa).order_by("-number").first()
    if last is not None:
        return last.number, last.sha256
    proof = destruction_of(poa)
    return (proof.entries, proof.head_sha256) if proof else (0, "")


def canonical_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _sha256(entry: EvidenceEntry) -> str:
    content = {
        "poa": str(entry.poa.public_id),
        "number": entry.number,
        "kind": entry.kind,
        "actor": entry.actor,
        "at": _instant(entry.at),
        "details": entry.details,
        "previous_sha256": entry.previous_sha256,
    }
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _plain(value: Any) -> Any:
    """Convert a value to what every database returns unchanged from a JSON column."""
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
            raise TypeError(f"Evidence cannot contain {type(value).__name__}. Pass text, integers or dates.")
