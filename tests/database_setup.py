"""
How test databases begin and end. On SQLite they start as copies of one that was migrated before.

Migrating an empty database takes each pytest worker longer than most tests. The copy is kept in `.pytest_cache` under
the hash of our code, so any edit makes a new one. MIGRATED_DATABASE names another file, for programs that run tests on
code edited on purpose.
"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.backends.postgresql.creation import DatabaseCreation as PostgresDatabaseCreation
from django.db.backends.sqlite3.creation import DatabaseCreation

ROOT = Path(__file__).parents[1]
PACKAGES = ("accounts", "config", "core", "enrollments", "installations", "operations", "poa_documents")


def reuse_migrated_database() -> None:
    kept = _kept_file()
    creation: Any = DatabaseCreation
    create_empty, create_migrated = creation._create_test_db, creation.create_test_db

    def _create_test_db(self: Any, *args: Any, **options: Any) -> Any:
        name = create_empty(self, *args, **options)
        if kept.exists():
            shutil.copyfile(kept, name)
        return name

    def create_test_db(self: Any, *args: Any, **options: Any) -> Any:
        name = create_migrated(self, *args, **options)
        if not kept.exists():
            _keep(self.connection, kept)
        return name

    creation._create_test_db, creation.create_test_db = _create_test_db, create_test_db


def drop_databases_in_use() -> None:
    """Drop PostgreSQL's test database even if a thread of a test server still has a connection to it."""

    def _destroy_test_db(self: Any, test_database_name: str, _verbosity: int) -> None:
        with self._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {self.connection.ops.quote_name(test_database_name)} WITH (FORCE)")

    creation: Any = PostgresDatabaseCreation
    creation._destroy_test_db = _destroy_test_db


def close_leftover_connections() -> None:
    """Close PostgreSQL connections left open by threads of earlier tests; a restore needs the database to itself."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


def _kept_file() -> Path:
    if named := os.environ.get("MIGRATED_DATABASE"):
        return Path(named)
    code = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            code.update(path.read_bytes())
    return ROOT / ".pytest_cache" / f"migrated-{code.hexdigest()[:16]}.sqlite3"


def _keep(connection: Any, kept: Path) -> None:
    kept.parent.mkdir(exist_ok=True)
    for old in kept.parent.glob("migrated-*.sqlite3"):
        old.unlink(missing_ok=True)
    written = kept.with_suffix(f".{os.getpid()}")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(written)])
    written.replace(kept)
