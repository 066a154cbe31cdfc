"""
Check an evidence pack of Switchyard without Switchyard: python3 verify_pack.py PACK.zip

Needs Python 3.9 or newer and nothing else, no network and no database. Reads the pack and changes nothing.

What is checked, in this order:

1. The archive: every byte of it is accounted for, and nothing is before, between or after the files.
2. The manifest: each file has the size and SHA-256 listed there; no file is missing and none is extra.
3. The journal of each power of attorney: every entry's hash follows from its words and from the entry before.
4. What the journal says of the other files: the sealed document, the words that were agreed to, the offer that was
   accepted, the plan's documents and the events of the case are those recorded in it.
5. Anchors: files kept outside the database that saw the journal when it was this long.

Exit status: 0 intact; 1 altered, with each altered part named; 2 not a pack that can be read; 3 intact, but files were
missing already when the pack was made.

The journal reveals a change of a file together with the manifest. A rewritten journal is revealed
by an anchor, or by the fingerprint of the pack: compare it with what the office has on record (--expect).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

FORMAT = "switchyard-evidence-pack/1"
MANIFEST = "manifest.json"
INTACT, ALTERED, UNREADABLE, INCOMPLETE = 0, 1, 2, 3

_CHUNK = 65536
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_JOURNAL = re.compile(r"authority/poa-([0-9a-f-]{36})/journal\.jsonl")
_ANCHOR = re.compile(r"authority/anchors/([0-9a-f]{64})\.json")
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_DIRECTORY = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_VERSION, _UNIX, _DATE, _MODE = 20, 3, (1 << 5) | 1, 0o100600 << 16
_MAX_JSON_BYTES = 256 * 1024 * 1024


class NotAPack(Exception):
    """The file cannot be read as an evidence pack."""


class Entry:
    """One file of the archive: where its content lies, and what was found while reading it."""

    def __init__(self, name: str, crc: int, size: int, start: int) -> None:
        self.name, self.crc, self.size, self.start = name, crc, size, start
        self.sha256 = ""


class Pack:
    """An archive that was walked from its first byte to its last."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.problems: list[str] = []
        self.entries: dict[str, Entry] = {}
        self.sha256 = ""

    def complain(self, part: str, words: str) -> None:
        """Name an altered part."""
        self.problems.append(f"{part}: {words}")

    def walk(self) -> None:
        """Account for every byte. Whatever is not exactly as our own writer puts it is a problem, or no pack."""
        directory, start_of_directory = self._directory()
        position = 0
        for name, crc, size, offset in directory:
            if offset != position:
                raise NotAPack(f"There are bytes between the files of the archive, before {name}.")
            encoded = name.encode()
            header = _LOCAL.pack(b"PK\3\4", _VERSION, 0, 0, 0, _DATE, crc, size, size, len(encoded), 0) + encoded
            if self.read(position, len(header)) != header:
                self.complain(name, "its header in the archive was altered.")
            entry = Entry(name, crc, size, position + len(header))
            position = entry.start + size
            if position > start_of_directory:
                raise NotAPack(f"The archive is cut off, or its directory was altered, at {name}.")
            self._hash(entry)
            self.entries[name] = entry
        if position != start_of_directory:
            raise NotAPack("There are bytes between the last file of the archive and its directory.")
        self.sha256 = self._sha256_of_all()

    def _directory(self) -> tuple[list[tuple[str, int, int, int]], int]:
        whole = self.file.seek(0, os.SEEK_END)
        if whole < _END.size:
            raise NotAPack("The file is too short to be an evidence pack.")
        end = _END.unpack(self.read(whole - _END.size, _END.size))
        signature, disk, first_disk, here, count, length, offset, comment = end
        if signature != b"PK\5\6" or (disk, first_disk, comment) != (0, 0, 0) or here != count:
            raise NotAPack("The end of the archive was altered, or something was put behind it.")
        if offset + length + _END.size != whole:
            raise NotAPack("The end of the archive does not fit its length: something was added or cut out.")
        listed: list[tuple[str, int, int, int]] = []
        names: set[str] = set()
        position = offset
        for _ in range(count):
            line, position = self._listed(position, offset + length)
            if line[0] in names:
                raise NotAPack(f"The archive has two files named {line[0]}.")
            names.add(line[0])
            listed.append(line)
        if position != offset + length:
            raise NotAPack("The directory of the archive was altered.")
        return listed, offset

    def _listed(self, position: int, end: int) -> tuple[tuple[str, int, int, int], int]:
        """Return name, checksum, size and offset of one file as listed, and the position of the next line."""
        if position + _DIRECTORY.size > end:
            raise NotAPack("The directory of the archive was altered.")
        fields = _DIRECTORY.unpack(self.read(position, _DIRECTORY.size))
        crc, size, name_length, start = fields[7], fields[8], fields[10], fields[16]
        position += _DIRECTORY.size
        if position + name_length > end:
            raise NotAPack("The directory of the archive was altered.")
        name = self.read(position, name_length).decode("ascii", "replace")
        if not _NAME.fullmatch(name):
            raise NotAPack(f"The directory of the archive has an impossible file name: {name!r}.")
        made_by = (_UNIX << 8) | _VERSION
        fixed = (b"PK\1\2", made_by, _VERSION, 0, 0, 0, _DATE)
        if fields != (*fixed, crc, size, size, name_length, 0, 0, 0, 0, _MODE, start):
            self.complain(name, "its entry in the archive's directory was altered.")
        return (name, crc, size, start), position + name_length

    def _hash(self, entry: Entry) -> None:
        digest, crc, left = hashlib.sha256(), 0, entry.size
        self.file.seek(entry.start)
        while left:
            chunk = self.file.read(min(_CHUNK, left))
            if not chunk:
                raise NotAPack(f"The archive is cut off inside {entry.name}.")
            digest.update(chunk)
            crc = zlib.crc32(chunk, crc)
            left -= len(chunk)
        entry.sha256 = digest.hexdigest()
        if crc != entry.crc:
            self.complain(entry.name, "its content was altered; it does not fit the checksum of the archive.")

    def _sha256_of_all(self) -> str:
        digest = hashlib.sha256()
        self.file.seek(0)
        while True:
            chunk = self.file.read(_CHUNK)
            if not chunk:
                return digest.hexdigest()
            digest.update(chunk)

    def read(self, position: int, length: int) -> bytes:
        """Return a part of the archive."""
        self.file.seek(position)
        return self.file.read(length)

    def json(self, name: str) -> Any:
        """Return the parsed content of a file. None if it is missing, or unreadable with a problem noted."""
        entry = self.entries.get(name)
        if entry is None:
            return None
        if entry.size > _MAX_JSON_BYTES:
            self.complain(name, "it is too large to be read.")
            return None
        return self._parsed(name, self.read(entry.start, entry.size))

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the parsed lines of a file. Stop and note a problem at one that cannot be read."""
        entry = self.entries.get(name)
        if entry is None:
            return
        position, left = entry.start, entry.size
        while left:
            self.file.seek(position)
            line = self.file.readline(min(left, _MAX_JSON_BYTES))
            position, left = position + len(line), left - len(line)
            parsed = self._parsed(name, line)
            if not isinstance(parsed, dict):
                self.complain(name, "it was altered; one of its lines is not a record.")
                return
            yield parsed

    def _parsed(self, name: str, content: bytes) -> Any:
        try:
            return json.loads(content.decode("utf-8"), parse_constant=_refuse)
        except (ValueError, RecursionError):
            self.complain(name, "it was altered; it is not JSON.")
            return None


def _refuse(word: str) -> None:
    raise ValueError(word)


def canonical(value: object) -> bytes:
    """Return the canonical JSON text that hashes are computed from."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def sha256_of(value: object) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def check_manifest(pack: Pack) -> dict[str, Any]:
    """Compare every file with the manifest, and return the manifest."""
    manifest, listed = read_manifest(pack)
    for name, entry in pack.entries.items():
        if name == MANIFEST:
            continue
        line = listed.pop(name, None)
        if line is None:
            pack.complain(name, "it is not in the manifest; it was added.")
        elif (line["size_bytes"], line["sha256"]) != (entry.size, entry.sha256):
            pack.complain(name, "it was altered; its size or SHA-256 is not that of the manifest.")
    for name in listed:
        pack.complain(name, "it is missing; the manifest names it.")
    if list(pack.entries) != [*sorted(name for name in pack.entries if name != MANIFEST), MANIFEST]:
        pack.complain(MANIFEST, "the files of the archive are not in their order.")
    return manifest


def read_manifest(pack: Pack) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the manifest, and its lines by path."""
    if MANIFEST not in pack.entries:
        raise NotAPack(f"There is no {MANIFEST} in the archive: this is not an evidence pack.")
    manifest = pack.json(MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise NotAPack(f"{MANIFEST} was altered, or is of a format that this program does not know ({FORMAT}).")
    entry = pack.entries[MANIFEST]
    if pack.read(entry.start, entry.size) != canonical(manifest):
        pack.complain(MANIFEST, "it was altered; it is not written in the canonical way.")
    if not _is_list_of_records(manifest.get("files")) or not _is_list_of_records(manifest.get("missing")):
        raise NotAPack(f"{MANIFEST} was altered: it lists no files.")
    listed: dict[str, dict[str, Any]] = {}
    for line in manifest["files"]:
        if set(line) != {"path", "sha256", "size_bytes"} or line["path"] in listed:
            raise NotAPack(f"{MANIFEST} was altered: one of its lines is invalid.")
        listed[line["path"]] = line
    return manifest, listed


class Journal:
    """The journal of one power of attorney, walked from its first entry."""

    def __init__(self, pack: Pack, name: str, poa: str) -> None:
        self.name, self.poa, self.folder = name, poa, name.rpartition("/")[0]
        self.heads: dict[int, str] = {}
        self.entries: list[dict[str, Any]] = []
        previous = ""
        for number, entry in enumerate(pack.lines(name), start=1):
            said = dict(entry)
            if entry.get("number") != number or entry.get("poa") != poa:
                pack.complain(name, f"entry {number} is missing or in the wrong place.")
                break
            if entry.get("previous_sha256") != previous:
                pack.complain(name, f"entry {number} does not follow from the entry before it.")
                break
            if said.pop("sha256", None) != sha256_of(said) or not isinstance(entry.get("details"), dict):
                pack.complain(name, f"entry {number} ({entry.get('kind')}) was altered.")
                break
            previous = entry["sha256"]
            self.heads[number] = previous
            self.entries.append(entry)

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Return the entries of one kind, in order."""
        return [entry for entry in self.entries if entry["kind"] == kind]


def check_document(pack: Pack, journal: Journal, missing: set[Any]) -> None:
    """The sealed file must be the one that the journal named when it was sealed."""
    name = journal.folder + "/document.pdf"
    named = [entry for entry in journal.entries if entry["details"].get("pdf_sha256")]
    entry = pack.entries.get(name)
    if entry is None:
        if named and name not in missing:
            pack.complain(name, f"it is missing; entry {named[-1]['number']} of the journal names it.")
    elif not named:
        pack.complain(name, "no entry of the journal says that it was sealed.")
    elif named[-1]["details"]["pdf_sha256"] != entry.sha256:
        last = f"entry {named[-1]['number']} of the journal ({named[-1]['kind']})"
        pack.complain(name, f"it was altered; {last} names a file with another SHA-256.")


def check_consents(pack: Pack, journal: Journal) -> None:
    """Each consent must carry the words whose hash the journal kept, and none may be left out or put in."""
    name = journal.folder + "/consents.json"
    consents = pack.json(name)
    if not _is_list_of_records(consents):
        pack.complain(name, "it is missing or was altered.")
        return
    shown = set()
    for consent in consents:
        words, claimed = consent.get("words"), consent.get("wording_sha256")
        if not isinstance(words, str) or _sha256_of_text(words) != claimed:
            pack.complain(name, f"the words of {consent.get('statement')} were altered.")
        shown.add((consent.get("statement"), claimed, consent.get("wording_version"), consent.get("language")))
    said = [entry["details"] for entry in journal.of_kind("consent")]
    for entry in journal.of_kind("sign_on_paper"):
        said.extend(each for each in entry["details"].get("consents", []) if isinstance(each, dict))
    names = ("statement", "wording_sha256", "wording_version", "language")
    kept = {tuple(each.get(name) for name in names) for each in said}
    for statement, _sha256, _version, _language in sorted(shown ^ kept, key=str):
        pack.complain(name, f"what it says of {statement} is not what the journal says.")


def check_scans(pack: Pack, journal: Journal, missing: set[Any]) -> None:
    """Each scan of a signature on paper must be the file that the journal named when it was scanned in."""
    name = f"{journal.folder}/paper.json"
    papers = pack.json(name)
    if not _is_list_of_records(papers):
        pack.complain(name, "it is missing or was altered.")
        return
    kept = {entry["details"].get("paper"): entry["details"] for entry in journal.of_kind("paper_recorded")}
    for paper in papers:
        said = kept.pop(paper.get("id"), {})
        path = paper.get("path")
        entry = pack.entries.get(str(path))
        if said.get("scan_sha256") != paper.get("sha256"):
            pack.complain(name, f"what it says of {path} is not what the journal says.")
        if entry is None and path not in missing:
            pack.complain(str(path), f"it is missing; {name} names it.")
        elif entry is not None and entry.sha256 != paper.get("sha256"):
            pack.complain(entry.name, "it was altered; the journal names another.")
        if (said.get("received_sha256") or "") != (paper.get("received_sha256") or ""):
            pack.complain(name, f"what it says of {paper.get('received_path')} is not what the journal says.")
        check_received(pack, paper, missing, name)
    for paper in kept:
        pack.complain(name, f"paper {paper}, which the journal names, is missing.")


def check_acceptances(pack: Pack, journals: list[Journal], enrollment: object) -> None:
    """The accepted offer and the document that it was accepted under must be those that the journal names."""
    name = "light/acceptances.json"
    acceptances = pack.json(name)
    if not _is_list_of_records(acceptances):
        pack.complain(name, "it is missing or was altered.")
        return
    offers = check_offers(pack, journals, enrollment)
    listed = {acceptance.get("id"): acceptance for acceptance in acceptances}
    for journal in journals:
        for entry in journal.of_kind("enrollment.start_accepting"):
            said = entry["details"]
            if said.get("enrollment") != enrollment or "acceptance" not in said:
                continue
            number = said["acceptance"]
            acceptance = listed.pop(number, None)
            if acceptance is None:
                pack.complain(name, f"acceptance {number} of the journal is missing.")
                continue
            for ours in ("offer", "offer_sha256", "poa", "poa_sha256", "plan_uuid", "service_start_date"):
                if acceptance.get(ours) != said.get(ours):
                    words = f"what it says of acceptance {number} ({ours}) is not what the journal says."
                    pack.complain(name, words)
            _check_accepted(pack, journal, said, offers)
    for number, acceptance in listed.items():
        if acceptance.get("offer_sha256"):
            pack.complain(name, f"the journal knows no acceptance {number}.")


def _check_accepted(pack: Pack, journal: Journal, said: dict[str, Any], offers: dict[Any, str]) -> None:
    document = pack.entries.get(f"{journal.folder}/document.pdf")
    if offers.get(said.get("offer")) != said.get("offer_sha256"):
        words = f"offer {said.get('offer')} was altered; the acceptance names another."
        pack.complain("light/offers.jsonl", words)
    if document is not None and document.sha256 != said.get("poa_sha256"):
        pack.complain(document.name, "the acceptance names another file.")


def check_offers(pack: Pack, journals: list[Journal], enrollment: object) -> dict[Any, str]:
    """Every offer must be as it came when Light was asked, as far as the journal says. Return the hash of each."""
    name = "light/offers.jsonl"
    offers = {offer.get("id"): sha256_of(offer.get("raw")) for offer in pack.lines(name)}
    for journal in journals:
        for entry in journal.of_kind("enrollment.done_request_plans"):
            named = entry["details"].get("offers")
            if entry["details"].get("enrollment") != enrollment or not isinstance(named, dict):
                continue
            for offer, sha256 in named.items():
                if offers.get(offer) != sha256:
                    teller = f"entry {entry['number']} of {journal.name}"
                    pack.complain(name, f"offer {offer}, which {teller} names, is missing or was altered.")
    return offers


def check_plan_documents(pack: Pack, journals: list[Journal], missing: set[Any], enrollment: object) -> None:
    """Each document that the journal says was stored must be there with that hash, and no other."""
    name = "plan/documents.json"
    documents = pack.json(name)
    if not _is_list_of_records(documents):
        pack.complain(name, "it is missing or was altered.")
        return
    kept = {
        (entry["details"].get("offer"), entry["details"].get("kind")): entry["details"].get("sha256")
        for journal in journals
        for entry in journal.of_kind("enrollment.store_plan_document")
        if entry["details"].get("enrollment") == enrollment
    }
    for document in documents:
        path, sha256 = document.get("path"), document.get("sha256")
        if not sha256:
            continue
        if kept.pop((document.get("offer"), document.get("kind")), None) != sha256:
            pack.complain(name, f"what it says of {path} is not what the journal says.")
        entry = pack.entries.get(path)
        if entry is None and path not in missing:
            pack.complain(path, f"it is missing; {name} names it.")
        elif entry is not None and entry.sha256 != sha256:
            pack.complain(path, "it was altered; the journal names another.")
    for offer, kind in kept:
        pack.complain(name, f"the {kind} of offer {offer}, which the journal names, is missing.")


def check_events(pack: Pack, journals: list[Journal], enrollment: object) -> None:
    """Every event of the case that the journal repeats must be among the case's own events, word for word."""
    name = "case/events.jsonl"
    events = {
        tuple(event.get(each) for each in ("name", "from", "to", "by", "at", "reason")) for event in pack.lines(name)
    }
    for journal in journals:
        for entry in journal.entries:
            said = entry["details"]
            if not entry["kind"].startswith("enrollment.") or said.get("enrollment") != enrollment:
                continue
            event = entry["kind"].partition(".")[2]
            told = (event, said.get("from"), said.get("to"), entry["actor"], entry["at"], said.get("reason"))
            if told not in events:
                teller = f"entry {entry['number']} of {journal.name}"
                pack.complain(name, f"{event}, recorded in {teller}, is missing or was altered.")


def check_proofs(pack: Pack, missing: set[Any]) -> None:
    """Each proof of permission to operate must have the hash that its report names."""
    name = "go-live/proofs.json"
    proofs = pack.json(name)
    if not _is_list_of_records(proofs):
        pack.complain(name, "it is missing or was altered.")
        return
    for proof in proofs:
        path = proof.get("path")
        entry = pack.entries.get(path)
        if entry is None and path not in missing:
            pack.complain(path, f"it is missing; {name} names it.")
        elif entry is not None and entry.sha256 != proof.get("sha256"):
            pack.complain(path, f"it was altered; {name} names another.")
        check_received(pack, proof, missing, name)


def check_received(pack: Pack, record: dict[str, Any], missing: set[Any], name: str) -> None:
    """The bytes as they were sent must have the hash that the record names; packs of old have no such files."""
    path = record.get("received_path")
    if path is None:
        return
    entry = pack.entries.get(str(path))
    if entry is None and path not in missing:
        pack.complain(str(path), f"it is missing; {name} names it.")
    elif entry is not None and entry.sha256 != record.get("received_sha256"):
        pack.complain(str(path), f"it was altered; {name} names another.")


def check_anchors(pack: Pack, journals: list[Journal]) -> dict[str, tuple[int, str]]:
    """Each anchor must be the file that its name says, and must match these journals. Return the journals covered."""
    covered: dict[str, tuple[int, str]] = {}
    for name in pack.entries:
        match = _ANCHOR.fullmatch(name)
        if match is None:
            continue
        if pack.entries[name].sha256 != match.group(1):
            pack.complain(name, "it was altered; its name is its SHA-256.")
            continue
        anchor = pack.json(name)
        chains = anchor.get("chains") if isinstance(anchor, dict) else None
        if not isinstance(chains, list) or not all(isinstance(each, list) and len(each) == 3 for each in chains):
            pack.complain(name, "it is not an anchor.")
            continue
        heads = {poa: (number, sha256) for poa, number, sha256 in chains}
        for journal in journals:
            number, sha256 = heads.get(journal.poa, (0, ""))
            if number and journal.heads.get(number) != sha256:
                saw = f"the anchor of {anchor.get('made_at')} saw when it had {number} entries."
                pack.complain(journal.name, f"it is not the journal that {saw}")
            elif number:
                covered[journal.poa] = max((number, match.group(1)), covered.get(journal.poa, (0, "")))
    return covered


def _is_list_of_records(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _sha256_of_text(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def verify(file: BinaryIO, expected: str = "") -> tuple[list[str], list[str], int]:
    """
    Check a pack that is open for reading; give the problems, the notes and the exit status.

    :raises NotAPack: it cannot be read as one
    """
    pack = Pack(file)
    pack.walk()
    manifest = check_manifest(pack)
    missing = {each.get("path") for each in manifest["missing"] if isinstance(each, dict)}
    enrollment = manifest.get("enrollment")
    journals = [
        Journal(pack, name, match.group(1))
        for name in pack.entries
        for match in [_JOURNAL.fullmatch(name)]
        if match is not None
    ]
    if not all(isinstance(entry["kind"], str) for journal in journals for entry in journal.entries):
        raise NotAPack("A journal has an entry without a kind.")
    for journal in journals:
        check_document(pack, journal, missing)
        check_consents(pack, journal)
        check_scans(pack, journal, missing)
    check_acceptances(pack, journals, enrollment)
    check_plan_documents(pack, journals, missing, enrollment)
    check_events(pack, journals, enrollment)
    check_proofs(pack, missing)
    covered = check_anchors(pack, journals)
    if expected and expected.lower() != pack.sha256:
        pack.problems.append("The fingerprint is not the expected one: this is another pack, or a pack of another day.")
    notes = [f"Fingerprint of the pack (SHA-256): {pack.sha256}"]
    for journal in journals:
        number, sha256 = covered.get(journal.poa, (0, ""))
        text = f"{journal.name}: {len(journal.entries)} entries"
        notes.append(f"{text}, of which anchor {sha256} saw {number}." if number else f"{text}, no anchor yet.")
    notes.extend(
        f"{each.get('path')} was missing when the pack was made: {each.get('why')}"
        for each in manifest["missing"]
        if isinstance(each, dict)
    )
    if pack.problems:
        return pack.problems, notes, ALTERED
    return pack.problems, notes, INCOMPLETE if manifest["missing"] else INTACT


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check an evidence pack offline.")
    parser.add_argument("pack", help="the ZIP file")
    parser.add_argument("--expect", default="", metavar="SHA256", help="the fingerprint that the office has on record")
    options = parser.parse_args(arguments)
    say = sys.stdout.write
    try:
        with Path(options.pack).open("rb") as file:
            problems, notes, status = verify(file, options.expect)
    except (NotAPack, OSError, TypeError, KeyError, AttributeError, ValueError) as why:
        say(f"REFUSED. {why}\n")
        return UNREADABLE
    for problem in problems:
        say(f"ALTERED: {problem}\n")
    for note in notes:
        say(f"{note}\n")
    say(
        {
            INTACT: "INTACT. Every part is as the manifest, the journals and the anchors say.\n",
            ALTERED: "ALTERED. Do not rely on this pack; ask for a new one.\n",
            INCOMPLETE: "INTACT, BUT INCOMPLETE: what is there is unaltered; the files named above were missing.\n",
        }[status]
    )
    return status


if __name__ == "__main__":
    sys.exit(main())
