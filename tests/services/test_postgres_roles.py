"""The application's own role in PostgreSQL, created as docker-compose.yml does, on this test's own server."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.errors import InsufficientPrivilege

from tests.unit.config.production_environment import production_environment
from tools.service_harness.servers import ROOT, Servers

pytestmark = [pytest.mark.services]
COMMANDS = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PASSWORDS = {"POSTGRES_OWNER_PASSWORD": "of-the-owner", "POSTGRES_APP_PASSWORD": "of-the-app"}
SECRETS = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "LIGHT_WEBHOOK_SECRET")


@dataclass(frozen=True)
class Database:
    """One database on a server whose superuser is named as in the compose file."""

    name: str
    address: str
    folder: Path

    def url(self, role: str) -> str:
        return self.address.replace("postgres@", f"{role}@") + f"/{self.name}"

    def make_roles(self, **environment: str) -> "subprocess.CompletedProcess[str]":
        host, port = self.address.rpartition("@")[2].split(":")
        given = {"PGHOST": host, "PGPORT": port, "PGUSER": "postgres", "PGDATABASE": self.name}
        return subprocess.run(  # noqa: S603 - the command of our own compose file
            COMMANDS["roles"]["command"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **given, **(environment or PASSWORDS)},
            check=False,
            capture_output=True,
            text=True,
        )

    def manage(self, role: str, *arguments: str) -> None:
        secrets = {name: value for name, value in production_environment().items() if name in SECRETS}
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "DJANGO_SETTINGS_MODULE": "config.settings.local",
                "DATA_DIR": str(self.folder / "data"),
                "DATABASE_URL": self.url(role),
                **secrets,
            },
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    def run(self, role: str, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url(role)) as session:
            cursor = session.execute(sql)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def server() -> Iterator[Servers]:
    folder = Path(tempfile.mkdtemp(prefix="switchyard-roles-", dir="/tmp"))
    folder.chmod(0o755)  # PostgreSQL does not run as root
    started = Servers(folder)
    try:
        started.start("postgres")
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder)


@pytest.fixture
def new_database(server: Servers, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], Database]]:
    made: list[str] = []

    def make() -> Database:
        name = f"roles_{len(made)}"
        with psycopg.connect(f"{server.postgres_url}/postgres", autocommit=True) as session:
            session.execute(f"CREATE DATABASE {name}")
        made.append(name)
        return Database(name, server.postgres_url, tmp_path)

    yield make
    with psycopg.connect(f"{server.postgres_url}/postgres", autocommit=True) as session:
        for name in made:
            session.execute(f"DROP DATABASE {name} WITH (FORCE)")


WAYS_PAST_THE_JOURNAL = (
    "ALTER TABLE poa_documents_evidenceentry DISABLE TRIGGER USER",
    "DROP TRIGGER poa_documents_evidenceentry_is_final ON poa_documents_evidenceentry",
    "SET session_replication_role = replica",
    "TRUNCATE poa_documents_evidenceentry CASCADE",
    "DROP TABLE poa_documents_evidenceentry CASCADE",
    "CREATE TABLE public.mine (id int)",
    "ALTER ROLE switchyard_app SUPERUSER",
    "SET ROLE switchyard_owner",
    "CREATE TEMPORARY TABLE poa_documents_destructionproof (poa_public_id uuid, entries int)",
    "ALTER FUNCTION poa_documents_evidenceentry_is_final() OWNER TO switchyard_app",
    "CREATE OR REPLACE FUNCTION poa_documents_evidenceentry_is_final() RETURNS trigger LANGUAGE sql AS ''",
)


def assert_app_works_and_is_kept_from_the_journal(database: Database) -> None:
    database.run("switchyard_app", "INSERT INTO core_lastsweep (task, at) VALUES ('a sweep', now())")
    database.run("switchyard_app", "UPDATE core_lastsweep SET at = now() WHERE task = 'a sweep'")
    database.run("switchyard_app", "DELETE FROM core_lastsweep WHERE task = 'a sweep'")
    for sql in WAYS_PAST_THE_JOURNAL:
        with pytest.raises(InsufficientPrivilege):
            database.run("switchyard_app", sql)
    triggers = database.run(
        "switchyard_app",
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'poa_documents_evidenceentry'::regclass AND tgenabled = 'O'",
    )
    assert ("poa_documents_evidenceentry_is_final",) in triggers


def test_application_cannot_disable_the_journal_triggers(new_database: Callable[[], Database]) -> None:
    database = new_database()
    assert database.make_roles().returncode == 0

    database.manage("switchyard_owner", "migrate", "--noinput", "--verbosity", "0")

    assert_app_works_and_is_kept_from_the_journal(database)
    assert database.run("switchyard_app", "SELECT system_identifier FROM pg_control_system()")


def test_superuser_installation_is_migrated_to_roles(new_database: Callable[[], Database]) -> None:
    database = new_database()
    database.manage("postgres", "migrate", "--noinput", "--verbosity", "0")

    assert [database.make_roles().returncode for _ in range(2)] == [0, 0]

    assert_app_works_and_is_kept_from_the_journal(database)
    owners = database.run(
        "postgres",
        "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    )
    assert owners == [("switchyard_owner",)]


def test_restore_by_the_owner_keeps_the_application_rights(
    new_database: Callable[[], Database], tmp_path: Path
) -> None:
    first, second = new_database(), new_database()
    for database in (first, second):
        assert database.make_roles().returncode == 0
        database.manage("switchyard_owner", "migrate", "--noinput", "--verbosity", "0")
    shelf = tmp_path / "backups"
    shelf.mkdir()

    first.manage("switchyard_app", "backup", "--into", str(shelf))
    [backup] = shelf.iterdir()
    second.manage("switchyard_owner", "restore", "--from", str(backup), "--replace")

    assert_app_works_and_is_kept_from_the_journal(second)
    assert second.run("switchyard_app", "SELECT started_by FROM enrollments_systemhold") == [("system:restore",)]


@pytest.mark.parametrize(
    "given", [{"POSTGRES_OWNER_PASSWORD": "one"}, dict.fromkeys(PASSWORDS, "the same")], ids=["one", "the same"]
)
def test_roles_without_own_passwords_are_not_created(
    new_database: Callable[[], Database], given: dict[str, str]
) -> None:
    done = new_database().make_roles(**given)

    assert done.returncode != 0
    assert "must be set, and differ" in done.stderr
