"""
Verifies all journals, and creates the anchors that show tampering from outside the database.

A hash chain shows an altered entry. It does not show that the end was cut off, or that the whole chain was rewritten.
So once a day the heads of all chains are stored in a file named by its own hash, with the hash of the file before.
Entries that an anchor recorded must stay permanently.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.core.files.storage import storages
from django.db import connection
from django.db.models import Exists, OuterRef

from core.stored_files import FileAltered, StoredFile, read
from poa_documents.journal.chain import SeenHead, canonical_json, proof_sha256, walk
from poa_documents.models import DestructionProof, EvidenceEntry, JournalAnchor

logger = logging.getLogger(__name__)

ANCHOR_FOLDER = "journal"
ANCHOR_SUFFIX = ".json"
MAX_ANCHOR_AGE = timedelta(hours=25)
FORMAT = 1
GUARDED_TABLES = tuple(model._meta.db_table for model in (EvidenceEntry, DestructionProof, JournalAnchor))


@dataclass(frozen=True)
class Finding:
    """One problem. `poa` and `entry` are set if it is about one chain."""

    text: str
    poa: str | None = None
    entry: int | None = None

    def __str__(self) -> str:
        return f"POA {self.poa}: {self.text}" if self.poa is not None else self.text


@dataclass
class JournalReport:
    chains: int = 0
    entries: int = 0
    anchors: int = 0
    destroyed: int = 0
    newest_anchor_sha256: str = ""
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_intact(self) -> bool:
        return not self.findings


@dataclass(frozen=True)
class _Anchor:
    """The content of an anchor's file."""

    number: int
    made_at: str
    previous_sha256: str
    sha256: str
    proofs: int
    proofs_head_sha256: str
    chains: list[tuple[str, int, str]]

    @property
    def name(self) -> str:
        return f"anchor {self.number} of {self.made_at[:10]}"


def heads() -> Iterator[tuple[str, int, str]]:
    """Yield the POA's public ID, number and hash of the last entry of each chain, ordered by POA."""
    later = EvidenceEntry.objects.filter(poa=OuterRef("poa"), number__gt=OuterRef("number"))
    last = EvidenceEntry.objects.filter(~Exists(later)).order_by("poa_id")
    for poa, number, sha256 in last.values_list("poa__public_id", "number", "sha256").iterator():
        yield str(poa), number, sha256


def anchor_content(*, number: int, previous_sha256: str, at: datetime) -> tuple[bytes, int, int]:
    """Return the file of a new anchor, its number of chains, and their number of entries."""
    chains = list(heads())
    proof = DestructionProof.objects.order_by("-number").first()
    content = {
        "format": FORMAT,
        "anchor": number,
        "made_at": at.isoformat(timespec="seconds"),
        "previous_sha256": previous_sha256,
        "destructions": {"proofs": proof.number if proof else 0, "head_sha256": proof.sha256 if proof else ""},
        "chains": chains,
    }
    return canonical_json(content).encode(), len(chains), sum(entries for _poa, entries, _sha256 in chains)


def anchor_is_due(at: datetime) -> bool:
    """Whether the daily anchor was missed, so that a sweep must create it."""
    newest = JournalAnchor.objects.order_by("-number").values_list("made_at", flat=True).first()
    since = newest or EvidenceEntry.objects.order_by("pk").values_list("at", flat=True).first()
    return since is not None and at - since > MAX_ANCHOR_AGE


def verify_journal(*, left_out: Collection[str] = ()) -> JournalReport:
    """
    Read every anchor and entry, and report the first broken entry of each broken chain.

    `left_out` has the SHA-256 of anchors from after a restored backup. They recorded entries that were lost with it.
    """
    report = JournalReport()
    report.findings += _findings_about_guards()
    seen: dict[str, dict[int, SeenHead]] = defaultdict(dict)
    seen_proofs: dict[int, SeenHead] = {}
    for anchor in _anchors(report, left_out):
        report.anchors += 1
        if anchor.proofs:
            seen_proofs.setdefault(anchor.proofs, SeenHead(anchor.proofs_head_sha256, anchor.name))
        for poa, entries, sha256 in anchor.chains:
            known = seen[poa].setdefault(entries, SeenHead(sha256, anchor.name))
            if known.sha256 != sha256:
                text = f"{anchor.name.capitalize()} and {known.seen_by} saw two different entries {entries}."
                report.findings.append(Finding(text, poa, entries))
    proofs = _proofs(report, seen_proofs)
    _walk_chains(report, seen, proofs)
    return report


def _walk_chains(
    report: JournalReport, seen: dict[str, dict[int, SeenHead]], proofs: dict[str, DestructionProof]
) -> None:
    columns = ("number", "kind", "actor", "at", "details", "previous_sha256", "sha256", "poa__public_id")
    rows = EvidenceEntry.objects.select_related("poa").only(*columns).order_by("poa_id", "number")
    for poa, chain in groupby(rows.iterator(chunk_size=2000), key=lambda entry: str(entry.poa.public_id)):
        report.chains += 1
        heads_seen, destroyed = seen.pop(poa, {}), proofs.pop(poa, None)
        verdict = walk(chain, destroyed=destroyed, seen=_after(destroyed, heads_seen))
        report.entries += verdict.entries - (destroyed.entries if destroyed else 0)
        if not verdict.is_intact:
            report.findings.append(Finding(verdict.problem, poa, verdict.broken_number))
    for poa, heads_seen in sorted(seen.items()):
        destroyed = proofs.pop(poa, None)
        verdict = walk((), destroyed=destroyed, seen=_after(destroyed, heads_seen))
        if not verdict.is_intact:
            report.findings.append(Finding(verdict.problem, poa, verdict.broken_number))


def _after(destroyed: DestructionProof | None, heads_seen: dict[int, SeenHead]) -> dict[int, SeenHead]:
    """Drop the heads of entries destroyed since then. The last of them is compared with the proof."""
    if destroyed is None:
        return heads_seen
    return {number: head for number, head in heads_seen.items() if number >= destroyed.entries}


def _proofs(report: JournalReport, seen: dict[int, SeenHead]) -> dict[str, DestructionProof]:
    """Verify the chain of proofs and return the newest proof of each POA."""
    newest: dict[str, DestructionProof] = {}
    previous, number = "", 0
    for proof in DestructionProof.objects.order_by("number"):
        number += 1
        report.destroyed += proof.entries
        if proof.number != number or proof.previous_sha256 != previous or proof.sha256 != proof_sha256(proof):
            report.findings.append(Finding(f"Proof of destruction {number} is missing or was altered."))
            number = proof.number
        elif number in seen and seen[number].sha256 != proof.sha256:
            report.findings.append(
                Finding(f"Proof of destruction {number} was rewritten since {seen[number].seen_by}.")
            )
        previous = proof.sha256
        poa = str(proof.poa_public_id)
        if poa not in newest or newest[poa].entries < proof.entries:
            newest[poa] = proof
    report.findings += [
        Finding(f"Proof of destruction {each} is missing: {head.seen_by} saw it.")
        for each, head in sorted(seen.items())
        if each > number
    ]
    return newest


def _anchors(report: JournalReport, left_out: Collection[str]) -> Iterator[_Anchor]:
    """
    Yield every readable anchor: those with rows, in order, then those found only in the storage.
    """
    previous, number = "", 0
    known_keys = set()
    for row in JournalAnchor.objects.order_by("number"):
        number += 1
        known_keys.add(row.storage_key)
        try:
            anchor = _parse(read(StoredFile(row.storage_key, row.sha256, row.size_bytes)), row.sha256)
        except (FileAltered, ValueError, KeyError, TypeError) as problem:
            report.findings.append(Finding(f"The file of {row} cannot be used: {problem}"))
        else:
            if (anchor.number, anchor.previous_sha256) != (number, previous) or row.number != number:
                report.findings.append(Finding(f"{row} does not follow from the anchor before it."))
            yield anchor
        previous, number = row.sha256, row.number
        report.newest_anchor_sha256 = row.sha256
    for key in _stored_anchor_keys():
        sha256 = key.rpartition("/")[2].removesuffix(ANCHOR_SUFFIX)
        if key in known_keys or sha256 in left_out:
            continue
        try:
            anchor = _parse(read(StoredFile(key, sha256, 0)), sha256)
        except (FileAltered, ValueError, KeyError, TypeError) as problem:
            report.findings.append(Finding(f"The anchor {key}, of which no row knows, cannot be used: {problem}"))
            continue
        if anchor.number > number:
            text = (
                f"The storage has {anchor.name} ({sha256}), but the database does not know it: rows of anchors were "
                "removed, or a backup from before it was restored."
            )
            report.findings.append(Finding(text))
        yield anchor


def _parse(content: bytes, sha256: str) -> _Anchor:
    """:raises ValueError, KeyError, TypeError: not an anchor in a known format"""
    said: dict[str, Any] = json.loads(content)
    if said["format"] != FORMAT:
        raise ValueError(f"its format is {said['format']}, and this Switchyard reads {FORMAT}.")
    return _Anchor(
        number=int(said["anchor"]),
        made_at=str(said["made_at"]),
        previous_sha256=str(said["previous_sha256"]),
        sha256=sha256,
        proofs=int(said["destructions"]["proofs"]),
        proofs_head_sha256=str(said["destructions"]["head_sha256"]),
        chains=[(str(poa), int(entries), str(head)) for poa, entries, head in said["chains"]],
    )


def _stored_anchor_keys() -> list[str]:
    storage = storages["default"]
    try:
        folders, _files = storage.listdir(ANCHOR_FOLDER)
    except FileNotFoundError:
        return []
    return sorted(
        f"{ANCHOR_FOLDER}/{folder}/{name}"
        for folder in folders
        for name in storage.listdir(f"{ANCHOR_FOLDER}/{folder}")[1]
        if name.endswith(ANCHOR_SUFFIX)
    )


def _findings_about_guards() -> list[Finding]:
    """Check that the protecting triggers exist. A migration that rebuilds a table may lose them."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT tbl_name, count(*) FROM sqlite_master WHERE type = 'trigger' GROUP BY tbl_name")
            needed = 3
        else:
            cursor.execute(
                "SELECT relname, count(*) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
                "WHERE NOT tgisinternal AND tgenabled <> 'D' GROUP BY relname"
            )
            needed = 2
        found = dict(cursor.fetchall())
    return [
        Finding(f"The database no longer protects {table}: its triggers are missing or disabled.")
        for table in GUARDED_TABLES
        if found.get(table, 0) < needed
    ]
