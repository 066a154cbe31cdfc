"""
Backup and restore of everything that cannot be made again: the database and the files that its rows name.

A backup is a folder: the database's dump, each file under its key, and a manifest with the SHA-256 of each of them.
Files are never changed once stored, so those copied after the dump are at least those that the dump names. Only a purge
takes some away: what was named before the dump is looked for as well, and a backup that lacks it says so.

A restored database comes up with a system hold inside, set in the same transaction: nothing can begin to write to Light
before every account was compared.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
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
from core.sweeps import note_backup
from enrollments.models import PlanDocument
from installations.models import KeptProof, ProofFile
from operations import field_keys
from poa_documents.models import JournalAnchor, PaperSignature, PoaDocument

MANIFEST = "manifest.json"
FILES = "files"
PROBE_KEY = "restore-probe"
PROOF_OF_KEY = "Opened by the key of this name."
DUMPS = {"postgresql": "database.dump", "sqlite": "database.sqlite3"}
VERSION = 1
PROGRAM_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
HOLD_REASON = "This database was restored from a backup of {taken_at}. Compare all accounts with Light first."
HOLD_COLUMNS = "reason, needs_reconciliation, started_at, started_by, ended_by"


class BackupFailed(Exception):
    """The backup is not complete. What could be kept is there; the text names what is missing."""


class ProgramFailed(Exception):
    """One of PostgreSQL's programs is missing or failed. A restore that fails leaves the database as it was."""


class RestoreRefused(Exception):
    """Nothing was restored, because the backup or the place to restore to is not in order."""


@dataclass(frozen=True)
class Kept:
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
    """What could not be kept when the backup was taken, and why."""


# Backup


def back_up(folder: Path, *, at: datetime) -> Summary:
    """
    Put database and documents into an empty or new folder.

    :raises BackupFailed: the folder is in use, the dump failed, or a document is missing or altered
    """
    if folder.exists() and any(folder.iterdir()):
        raise BackupFailed(f"{folder} is not empty. Name a new folder for each backup.")
    with _for_its_owner_only():
        return _back_up(folder, at=at)


@contextmanager
def _for_its_owner_only() -> Iterator[None]:
    """Let no other user read what is written, in a folder that exists already and by programs that we start."""
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
    kept = [_kept(dump, folder)]
    problems = []
    for key, sha256 in sorted(named.items()):
        try:
            kept.append(_copy_out(key, sha256, folder))
        except (OSError, BackupFailed) as problem:
            problems.append(f"{key}: {problem}")
    manifest = {
        "version": VERSION,
        "taken_at": at.isoformat(),
        "database": connection.vendor,
        "files": [vars(each) for each in kept],
        "missing": problems,
        "field_keys": _proofs_of_keys(),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))
    if problems:
        raise BackupFailed("These files are missing from the storage, or altered:\n" + "\n".join(problems))
    note_backup(at=at)
    return Summary(len(kept), sum(each.size_bytes for each in kept), at.isoformat())


def _named_files() -> dict[str, str]:
    """The key and SHA-256 of every stored file that a row names."""
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


def _proofs_of_keys() -> dict[str, str]:
    """
    Name the keys that the database needs, each with a text that only this key opens.

    A key that is not configured here has no such text: its name must do.
    """
    known = settings.FIELD_ENCRYPTION_KEYS
    return {
        key_id: encryption.encrypt_with(key_id, PROOF_OF_KEY, context=MANIFEST) if key_id in known else ""
        for key_id in sorted(field_keys.samples())
    }


def missing_keys(manifest: dict[str, Any]) -> list[str]:
    """Return one sentence for each key that a backup needs and that is not configured here, or is another one."""
    proofs = manifest.get("field_keys", {})
    samples = {key_id: (MANIFEST, proof) for key_id, proof in proofs.items() if proof}
    unproven = {key_id: (MANIFEST, "") for key_id in proofs if key_id not in settings.FIELD_ENCRYPTION_KEYS}
    return list(encryption.unreadable_keys(samples | unproven).values())


def _copy_out(key: str, sha256: str, folder: Path) -> Kept:
    target = _inside(folder / FILES, key)
    target.parent.mkdir(parents=True, exist_ok=True)
    with storages["default"].open(key, "rb") as stored, target.open("wb") as copy:
        shutil.copyfileobj(stored, copy)
    kept = _kept(target, folder)
    if kept.sha256 != sha256:
        raise BackupFailed(f"it has SHA-256 {kept.sha256} instead of {sha256}")
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
    Give a backup's manifest, once every file of it has proved to be there with its SHA-256.

    What was missing from the storage already when the backup was taken stands under `missing`.

    :raises RestoreRefused: names what is missing or altered
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        listed = [Kept(**each) for each in manifest["files"]]
    except FileNotFoundError as missing:
        raise RestoreRefused(f"{folder} has no {MANIFEST}: it is no backup, or one that was not finished.") from missing
    except (ValueError, KeyError, TypeError) as unreadable:
        raise RestoreRefused(f"{MANIFEST} of {folder} cannot be read: {unreadable}") from unreadable
    if manifest.get("version") != VERSION:
        raise RestoreRefused(f"This backup has version {manifest.get('version')}; this Switchyard reads {VERSION}.")
    problems = [problem for each in listed if (problem := _problem_of(each, folder))]
    if problems:
        raise RestoreRefused("The backup is damaged:\n" + "\n".join(problems))
    return manifest


def _problem_of(listed: Kept, folder: Path) -> str:
    path = _inside(folder, listed.path)
    if not path.is_file():
        return f"{listed.path} is missing"
    return "" if _kept(path, folder).sha256 == listed.sha256 else f"{listed.path} has other bytes than were backed up"


def restore(folder: Path, *, at: datetime, replace: bool) -> Summary:
    """
    Verify a backup, then put its files into the storage and its database, with a system hold inside, into place.

    Files come first, so no restored row names a file that is not there, except those that the backup lacks: the summary
    names them.

    :raises RestoreRefused: the backup is damaged or of another kind, the database is in use, or it has content and
        `replace` was not said
    """
    manifest = verify(folder)
    if manifest["database"] != connection.vendor:
        raise RestoreRefused(
            f"This is a backup of {manifest['database']}, and DATABASE_URL names {connection.vendor}. Restore it there."
        )
    if connection.introspection.table_names() and not replace:
        raise RestoreRefused("The database has content. Say --replace to put the backup in its place for good.")
    if problems := missing_keys(manifest):
        raise RestoreRefused(
            f"{'; '.join(problems)}. Set FIELD_ENCRYPTION_KEYS as it was when the backup was taken, and restore again. "
            "Nothing was touched."
        )
    _check_nobody_works()
    _check_storage()
    listed = [Kept(**each) for each in manifest["files"]]
    for each in listed:
        if each.path.startswith(f"{FILES}/"):
            try:
                _copy_in(each, folder)
            except (ClientError, BotoCoreError) as problem:
                raise RestoreRefused(
                    f"The storage would not take {each.path}: {problem}. The database is as it was; repeat the restore."
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


def _copy_in(listed: Kept, folder: Path) -> None:
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
        raise RestoreRefused(f"The storage would not take {key} under its own name.")


def _check_storage() -> None:
    """:raises RestoreRefused: the storage takes no files, so that rows would name what is not there"""
    try:
        storages["default"].exists(PROBE_KEY)
        bucket = getattr(storages["default"], "bucket", None)
        if bucket is not None:
            bucket.meta.client.head_bucket(Bucket=bucket.name)
    except (ClientError, BotoCoreError, OSError) as problem:
        raise RestoreRefused(
            f"The storage does not answer as it must: {problem}. If its bucket is not made yet, run “manage.py "
            "prepare_storage” first. Nothing was touched."
        ) from problem


def _check_nobody_works() -> None:
    """:raises RestoreRefused: another process has the database open"""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        others = cursor.fetchone()[0]
    if others:
        raise RestoreRefused(f"{others} other connections use this database. Stop web, worker and scheduler first.")


def _work_folder(dump: Path) -> "tempfile.TemporaryDirectory[str]":
    """Work beside the backup, where there is room for its like; where nothing may be written there, in /tmp."""
    beside = dump.parent.parent
    return tempfile.TemporaryDirectory(dir=beside if os.access(beside, os.W_OK) else None, prefix="restore-")


def _restore_sqlite(dump: Path, *, reason: str, at: datetime) -> None:
    """Complete a copy first, then put it in place in one step that other connections see as one."""
    with _work_folder(dump) as work:
        ready = Path(work) / dump.name
        shutil.copyfile(dump, ready)
        with closing(sqlite3.connect(ready)) as copy:
            copy.execute(
                f"INSERT INTO enrollments_systemhold ({HOLD_COLUMNS}) VALUES (?, 1, ?, 'system:restore', '')",  # noqa: S608 - our own words
                (reason, at.replace(tzinfo=None).isoformat(" ")),
            )
            copy.commit()
            connection.ensure_connection()
            copy.backup(connection.connection)
    connection.close()


def _restore_postgres(dump: Path, *, reason: str, at: datetime) -> None:
    """Let one transaction drop what is there, bring the backup and set the hold."""
    with _work_folder(dump) as work:
        script = Path(work) / "restore.sql"
        _run_program("pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(dump))
        before = Path(work) / "before.sql"
        before.write_text("DROP SCHEMA public CASCADE;\nCREATE SCHEMA public;\n")
        after = Path(work) / "after.sql"
        after.write_text(
            f"INSERT INTO public.enrollments_systemhold ({HOLD_COLUMNS}) "  # noqa: S608 - psql quotes the values
            "VALUES (:'reason', true, :'at', 'system:restore', '');\n"
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
    """Run a program against our database; the password goes by environment, which other users cannot see."""
    settings = connection.settings_dict
    named = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    environment = {name: str(settings[ours]) for name, ours in named.items() if settings.get(ours)}
    _run_program(program, *arguments, environment=environment)


def _run_program(program: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
    path = shutil.which(program)
    if path is None:
        raise ProgramFailed(f"The program {program} is missing. Debian: apt install postgresql-client")
    done = subprocess.run(  # noqa: S603 - a program found on our own path, no shell
        [path, *arguments],
        env={**PROGRAM_ENVIRONMENT, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ProgramFailed(f"{program} failed: {done.stderr.strip()[:2000]}")


# Files


def _kept(path: Path, folder: Path) -> Kept:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Kept(path=path.relative_to(folder).as_posix(), sha256=sha256, size_bytes=path.stat().st_size)


def _inside(folder: Path, name: str) -> Path:
    """:raises RestoreRefused: the name leads out of the folder"""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise RestoreRefused(f"{name} leads out of the backup.")
    return folder / name
