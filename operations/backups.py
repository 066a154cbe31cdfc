"""
Backup and restore of the database and the files that its rows refer to.

A backup is a folder with the database dump, each file under its key, and a manifest with their SHA-256 hashes. Stored
files never change, so the files copied after the dump include those that the dump refers to. Only a purge deletes
files. Files referenced before the dump are copied too, and missing ones are reported.

A restored database contains a system hold, set in the same transaction. Nothing can be written to Light until all
accounts have been reconciled.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import storages
from django.db import connection, connections

from core import encryption
from core.public_records import new_public_id
from core.sweep_times import note_backup
from enrollments.models import PlanDocument
from installations.models import KeptProof, ProofFile
from operations import key_checks
from poa_documents.models import JournalAnchor, PaperSignature, PoaDocument

MANIFEST = "manifest.json"
FILES = "files"
PROBE_KEY = "restore-probe"
KEY_CHECK_TEXT = "Opened by the key of this name."
DUMPS = {"postgresql": "database.dump", "sqlite": "database.sqlite3"}
VERSION = 1
CLOSING_SECONDS = 5.0
PROGRAM_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
HOLD_REASON = "This database was restored from a backup of {taken_at}. Compare all accounts with Light first."
HOLD_COLUMNS = "public_id, reason, needs_reconciliation, started_at, started_by, ended_by"


class IncompleteBackup(Exception):
    """The backup is incomplete. The text lists what is missing."""


class ProgramError(Exception):
    """A PostgreSQL program is missing or failed. A failed restore leaves the database unchanged."""


class RestoreNotPossible(Exception):
    """Nothing was restored, because of a problem with the backup, the database or the storage."""


@dataclass(frozen=True)
class BackedUpFile:
    """One file of a backup."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Summary:
    files: int
    size_bytes: int
    taken_at: str
    missing: tuple[str, ...] = ()
    """Files that could not be backed up, and why."""


# Backup


def back_up(folder: Path, *, at: datetime) -> Summary:
    """
    Back up the database and documents into an empty or new folder.

    :raises IncompleteBackup: the folder is not empty, the dump failed, or a document is missing or altered
    """
    if folder.exists() and any(folder.iterdir()):
        raise IncompleteBackup(f"{folder} is not empty. Name a new folder for each backup.")
    with _owner_only():
        return _back_up(folder, at=at)


@contextmanager
def _owner_only() -> Iterator[None]:
    """Let only the owner read what this process and its child processes write."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _back_up(folder: Path, *, at: datetime) -> Summary:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    dump = folder / DUMPS[connection.vendor]
    named = _named_files()
    _dump_database(dump)
    named |= _named_files()
    kept = [_backed_up_file(dump, folder)]
    problems = []
    for key, sha256 in sorted(named.items()):
        try:
            kept.append(_copy_out(key, sha256, folder))
        except (OSError, IncompleteBackup) as problem:
            problems.append(f"{key}: {problem}")
    manifest = {
        "version": VERSION,
        "taken_at": at.isoformat(),
        "database": connection.vendor,
        "files": [vars(each) for each in kept],
        "missing": problems,
        "field_keys": _key_checks(),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))
    if problems:
        raise IncompleteBackup("These files are missing from the storage or altered:\n" + "\n".join(problems))
    note_backup(at=at)
    return Summary(len(kept), sum(each.size_bytes for each in kept), at.isoformat())


def _named_files() -> dict[str, str]:
    """Return the key and SHA-256 of every stored file that a row refers to."""
    sealed = PoaDocument.objects.exclude(pdf_storage_key="").values_list("pdf_storage_key", "pdf_sha256")
    proofs = [
        model._default_manager.exclude(**{f"{kind}storage_key": ""}).values_list(f"{kind}storage_key", f"{kind}sha256")
        for model in (ProofFile, KeptProof, PaperSignature)
        for kind in (("received_",) if model is PaperSignature else ("", "received_"))
    ]
    plans = PlanDocument.objects.exclude(storage_key="").values_list("storage_key", "sha256")
    anchors = JournalAnchor.objects.values_list("storage_key", "sha256")
    scans = PaperSignature.objects.values_list("scan_storage_key", "scan_sha256")
    return {key: sha256 for files in (sealed, scans, *proofs, plans, anchors) for key, sha256 in files.iterator()}


def _key_checks() -> dict[str, str]:
    """
    Return the keys that the database needs, each with a text that only this key can decrypt.

    The text is empty for a key that is not configured here.
    """
    known = settings.FIELD_ENCRYPTION_KEYS
    return {
        key_id: encryption.encrypt_with(key_id, KEY_CHECK_TEXT, context=MANIFEST) if key_id in known else ""
        for key_id in sorted(key_checks.samples())
    }


def missing_keys(manifest: dict[str, Any]) -> list[str]:
    """Return one sentence for each key that a backup needs and that is missing or different here."""
    proofs = manifest.get("field_keys", {})
    samples = {key_id: (MANIFEST, proof) for key_id, proof in proofs.items() if proof}
    unproven = {key_id: (MANIFEST, "") for key_id in proofs if key_id not in settings.FIELD_ENCRYPTION_KEYS}
    return list(encryption.unreadable_keys(samples | unproven).values())


def _copy_out(key: str, sha256: str, folder: Path) -> BackedUpFile:
    target = _inside(folder / FILES, key)
    target.parent.mkdir(parents=True, exist_ok=True)
    with storages["default"].open(key, "rb") as stored, target.open("wb") as copy:
        shutil.copyfileobj(stored, copy)
    kept = _backed_up_file(target, folder)
    if kept.sha256 != sha256:
        raise IncompleteBackup(f"it has SHA-256 {kept.sha256} instead of {sha256}")
    return kept


def _dump_database(dump: Path) -> None:
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        with closing(sqlite3.connect(dump)) as copy:
            connection.connection.backup(copy)
        return
    _run_postgres("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={dump}", _database_name())


# Restore


def verify(folder: Path) -> dict[str, Any]:
    """
    Check that every file of a backup exists with its SHA-256, and return the manifest.

    Files that were already missing when the backup was taken are listed under `missing`.

    :raises RestoreNotPossible: with the missing or altered files
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        listed = [BackedUpFile(**each) for each in manifest["files"]]
    except FileNotFoundError as missing:
        raise RestoreNotPossible(f"{folder} has no {MANIFEST}. It is not a backup, or not a finished one.") from missing
    except (ValueError, KeyError, TypeError) as unreadable:
        raise RestoreNotPossible(f"{MANIFEST} of {folder} cannot be read: {unreadable}") from unreadable
    if manifest.get("version") != VERSION:
        raise RestoreNotPossible(f"This backup has version {manifest.get('version')}; this Switchyard reads {VERSION}.")
    problems = [problem for each in listed if (problem := _problem_of(each, folder))]
    if problems:
        raise RestoreNotPossible("The backup is damaged:\n" + "\n".join(problems))
    return manifest


def _problem_of(listed: BackedUpFile, folder: Path) -> str:
    path = _inside(folder, listed.path)
    if not path.is_file():
        return f"{listed.path} is missing"
    return "" if _backed_up_file(path, folder).sha256 == listed.sha256 else f"{listed.path} was altered"


def restore(folder: Path, *, at: datetime, replace: bool) -> Summary:
    """
    Verify a backup, then restore its files and its database, with a system hold.

    Files are restored first, so that no restored row refers to a missing file. The summary lists files that the backup
    itself lacks.

    :raises RestoreNotPossible: the backup is damaged or of another kind, or the database is in use or not empty (unless
        `replace`)
    """
    manifest = verify(folder)
    if manifest["database"] != connection.vendor:
        raise RestoreNotPossible(
            f"This is a backup of {manifest['database']}, and DATABASE_URL names {connection.vendor}. Restore it there."
        )
    if connection.introspection.table_names() and not replace:
        raise RestoreNotPossible("The database is not empty. Use --replace to delete its data and restore the backup.")
    if problems := missing_keys(manifest):
        raise RestoreNotPossible(
            f"{'; '.join(problems)}. Set FIELD_ENCRYPTION_KEYS as it was when the backup was taken, and restore again. "
            "Nothing was changed."
        )
    _check_no_other_connections()
    _check_storage()
    listed = [BackedUpFile(**each) for each in manifest["files"]]
    for each in listed:
        if each.path.startswith(f"{FILES}/"):
            try:
                _copy_in(each, folder)
            except (ClientError, BotoCoreError) as problem:
                raise RestoreNotPossible(
                    f"{each.path} could not be stored: {problem}. The database is unchanged; repeat the restore."
                ) from problem
    dump = folder / DUMPS[connection.vendor]
    reason = HOLD_REASON.format(taken_at=manifest["taken_at"])
    if connection.vendor == "sqlite":
        _restore_sqlite(dump, reason=reason, at=at)
    else:
        _restore_postgres(dump, reason=reason, at=at)
    return Summary(
        len(listed), sum(each.size_bytes for each in listed), manifest["taken_at"], tuple(manifest.get("missing", ()))
    )


def _copy_in(listed: BackedUpFile, folder: Path) -> None:
    storage = storages["default"]
    key = listed.path.removeprefix(f"{FILES}/")
    if storage.exists(key):
        with storage.open(key, "rb") as stored:
            if hashlib.file_digest(stored, "sha256").hexdigest() == listed.sha256:
                return
        storage.delete(key)
    with (folder / listed.path).open("rb") as copy:
        written = storage.save(key, File(copy))
    if written != key:
        storage.delete(written)
        raise RestoreNotPossible(f"{key} could not be stored under its own name.")


def _check_storage() -> None:
    """:raises RestoreNotPossible: the storage is unavailable, so that rows would refer to missing files"""
    try:
        storages["default"].exists(PROBE_KEY)
        bucket = getattr(storages["default"], "bucket", None)
        if bucket is not None:
            bucket.meta.client.head_bucket(Bucket=bucket.name)
    except (ClientError, BotoCoreError, OSError) as problem:
        raise RestoreNotPossible(
            f"The storage is not available: {problem}. If its bucket does not exist yet, run “manage.py "
            "prepare_storage” first. Nothing was changed."
        ) from problem


def _check_no_other_connections() -> None:
    """
    Wait for connections that are being closed, as PostgreSQL lists them for a moment longer.

    :raises RestoreNotPossible: another process has the database open
    """
    if connection.vendor != "postgresql":
        return
    deadline = time.monotonic() + CLOSING_SECONDS
    while others := _other_connections():
        if time.monotonic() > deadline:
            raise RestoreNotPossible(
                f"Others use this database: {', '.join(others)}. Stop web, worker and scheduler first."
            )
        time.sleep(0.1)


def _other_connections() -> list[str]:
    """Return one description per client connection. PostgreSQL's own processes, such as autovacuum, do not count."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT format('process %s on the server, connected since %s UTC', pid,
                          to_char(backend_start AT TIME ZONE 'UTC', 'Mon DD HH24:MI:SS'))
            FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
            ORDER BY backend_start
            """
        )
        return [description for (description,) in cursor.fetchall()]


def _work_folder(dump: Path) -> "tempfile.TemporaryDirectory[str]":
    """Return a temporary folder next to the backup, where there is enough space, or in /tmp if that is read-only."""
    beside = dump.parent.parent
    return tempfile.TemporaryDirectory(dir=beside if os.access(beside, os.W_OK) else None, prefix="restore-")


def _restore_sqlite(dump: Path, *, reason: str, at: datetime) -> None:
    """Prepare a copy with the hold, then replace the database in one atomic step."""
    with _work_folder(dump) as work:
        ready = Path(work) / dump.name
        shutil.copyfile(dump, ready)
        with closing(sqlite3.connect(ready)) as copy:
            copy.execute(
                f"INSERT INTO enrollments_systemhold ({HOLD_COLUMNS}) VALUES (?, ?, 1, ?, 'system:restore', '')",  # noqa: S608 - our own words
                (new_public_id().hex, reason, at.replace(tzinfo=None).isoformat(" ")),
            )
            copy.commit()
            connection.ensure_connection()
            copy.backup(connection.connection)
    connection.close()


def _restore_postgres(dump: Path, *, reason: str, at: datetime) -> None:
    """Drop the schema, restore the backup and set the hold in one transaction."""
    with _work_folder(dump) as work:
        script = Path(work) / "restore.sql"
        _run_program("pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(dump))
        before = Path(work) / "before.sql"
        before.write_text("DROP SCHEMA public CASCADE;\nCREATE SCHEMA public;\n")
        after = Path(work) / "after.sql"
        after.write_text(
            f"INSERT INTO public.enrollments_systemhold ({HOLD_COLUMNS}) "  # noqa: S608 - psql quotes the values
            f"VALUES ('{new_public_id()}', :'reason', true, :'at', 'system:restore', '');\n"
        )
        connections.close_all()
        _run_postgres(
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            f"--set=reason={reason}",
            f"--set=at={at.isoformat()}",
            f"--file={before}",
            f"--file={script}",
            f"--file={after}",
            f"--dbname={_database_name()}",
        )


# PostgreSQL's programs


def _database_name() -> str:
    return str(connection.settings_dict["NAME"])


def _run_postgres(program: str, *arguments: str) -> None:
    """Run a program on our database. The password is in the environment, which other users cannot see."""
    settings = connection.settings_dict
    named = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    environment = {name: str(settings[ours]) for name, ours in named.items() if settings.get(ours)}
    _run_program(program, *arguments, environment=environment)


def _run_program(program: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
    path = shutil.which(program)
    if path is None:
        raise ProgramError(f"The program {program} is missing. Debian: apt install postgresql-client")
    done = subprocess.run(  # noqa: S603 - a program found on our own path, no shell
        [path, *arguments],
        env={**PROGRAM_ENVIRONMENT, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ProgramError(f"{program} failed: {done.stderr.strip()[:2000]}")


# Files


def _backed_up_file(path: Path, folder: Path) -> BackedUpFile:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return BackedUpFile(path=path.relative_to(folder).as_posix(), sha256=sha256, size_bytes=path.stat().st_size)


def _inside(folder: Path, name: str) -> Path:
    """:raises RestoreNotPossible: the path is outside the folder"""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise RestoreNotPossible(f"{name} is outside the backup folder.")
    return folder / name
