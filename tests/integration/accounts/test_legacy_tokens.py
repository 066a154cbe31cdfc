"""Tokens of the version before work for a month, as hashes, and their table is gone at once."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import environ
import psycopg
import pytest
from django.apps import apps
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import load_backend
from django.utils import timezone

from accounts.key_secrets import sha256_of
from accounts.models import ApiKey
from tests.conftest import POSTGRES_URL
from tests.factories.accounts import personal_key
from tests.factories.installations import staff
from tests.integration.accounts.calls import read

pytestmark = pytest.mark.django_db
TOKEN = "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b"
TABLE = (
    "CREATE TABLE authtoken_token (key varchar(40) NOT NULL PRIMARY KEY, "
    "created {moment} NOT NULL, user_id {number} NOT NULL UNIQUE REFERENCES auth_user (id))"
)
ALIAS = "from_before"


def put_token(on: BaseDatabaseWrapper, user_id: int, created: datetime) -> None:
    """As rest_framework.authtoken kept one."""
    is_postgres = on.vendor == "postgresql"
    with on.cursor() as cursor:
        table = TABLE.format(moment="timestamptz" if is_postgres else "datetime", number="integer")
        cursor.execute(table)
        written = created if is_postgres else created.replace(tzinfo=None).isoformat(" ")
        cursor.execute(
            "INSERT INTO authtoken_token (key, created, user_id) VALUES (%s, %s, %s)", [TOKEN, written, user_id]
        )


def take_over() -> None:
    step = import_module("accounts.migrations.0002_keys_for_tokens")
    with connection.cursor() as cursor:
        step.keep_as_hashes(apps, SimpleNamespace(connection=connection, execute=cursor.execute))


def test_token_works_for_a_month_and_is_replaced_by_a_key() -> None:
    person = staff()
    put_token(connection, person.pk, timezone.now() - timedelta(days=300))

    take_over()

    assert read(TOKEN).status_code == 200
    assert read(TOKEN, scheme="Bearer").status_code == 200
    for _ in range(6):
        personal_key(person)
    assert read(TOKEN).status_code == 200  # of too many, those that end first are revoked
    assert timedelta(days=29) < ApiKey.objects.get(prefix=TOKEN[:6]).expires_at - timezone.now() < timedelta(days=31)
    ApiKey.objects.update(expires_at=timezone.now())
    assert read(TOKEN).status_code == 401


def test_token_of_before_ends_with_its_password() -> None:
    person = staff()
    put_token(connection, person.pk, timezone.now())
    take_over()

    person.set_password("another long enough password")
    person.save()

    assert read(TOKEN).status_code == 401


def test_new_installation_has_nothing_to_take_over() -> None:
    take_over()

    assert not ApiKey.objects.exists()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[BaseDatabaseWrapper]:
    yield from opened(f"sqlite:///{tmp_path / 'before.sqlite3'}")


@pytest.fixture
def postgres() -> Iterator[BaseDatabaseWrapper]:
    name = f"keys_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(POSTGRES_URL.replace("postgres://", "postgresql://"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield from opened(f"{POSTGRES_URL.rpartition('/')[0]}/{name}")
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def opened(url: str) -> Iterator[BaseDatabaseWrapper]:
    given = {**connections["default"].settings_dict, "OPTIONS": {}, **environ.Env.db_url_config(url)}
    opened = load_backend(given["ENGINE"]).DatabaseWrapper(given, ALIAS)
    connections[ALIAS] = opened
    yield opened
    opened.close()
    del connections[ALIAS]


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def test_migration_leaves_no_token_in_clear(request: pytest.FixtureRequest, database: str) -> None:
    before: BaseDatabaseWrapper = request.getfixturevalue(database)
    created = datetime(2026, 1, 5, 15, 30, tzinfo=UTC)
    MigrationExecutor(before).migrate([("accounts", "0001_initial")])
    state = MigrationExecutor(before).loader.project_state([("accounts", "0001_initial")]).apps
    person = state.get_model("auth", "User").objects.using(ALIAS).create(username="crm")
    state.get_model("contenttypes", "ContentType").objects.using(ALIAS).create(app_label="authtoken", model="token")
    MigrationRecorder(before).record_applied("authtoken", "0001_initial")
    put_token(before, person.pk, created)

    MigrationExecutor(before).migrate([("accounts", "0002_keys_for_tokens")])

    key = ApiKey.objects.using(ALIAS).get()
    assert (key.person_id, key.secret_sha256, key.created_at) == (person.pk, sha256_of(TOKEN), created)
    assert TOKEN not in str(list(ApiKey.objects.using(ALIAS).values()))
    with before.cursor() as cursor:
        assert "authtoken_token" not in before.introspection.table_names(cursor)
    assert (
        not state.get_model("contenttypes", "ContentType").objects.using(ALIAS).filter(app_label="authtoken").exists()
    )
    assert not [each for each in MigrationRecorder(before).applied_migrations() if each[0] == "authtoken"]
