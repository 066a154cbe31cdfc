"""A stack built from scratch: its own database, bucket and folders, and this process connected to them."""

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import environ
import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from django.test.utils import override_settings

from config.settings import base
from tools.service_harness.servers import ROOT, S3Server, Servers
from tools.service_harness.stack import Stack
from tools.service_harness.wire import Wire

MAX_SETUP_SECONDS = 300
SECRETS = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "LIGHT_WEBHOOK_SECRET")
KEPT = ("PATH", "HOME", "LANG")


@contextmanager
def own_servers() -> Iterator[Servers]:
    """PostgreSQL and Redis that nobody else uses."""
    folder = Path(tempfile.mkdtemp(prefix="switchyard-stack-", dir="/tmp"))
    folder.chmod(0o755)  # PostgreSQL does not run as root
    started = Servers(folder)
    try:
        started.start("postgres", "redis")
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder)


@contextmanager
def built_stack(servers: Servers, s3: S3Server, wire: Wire) -> Iterator[Stack]:
    """A stack that does not run yet; at the end its processes are stopped."""
    name = f"stack_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"{servers.postgres_url}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    data_folder = servers.folder / "data"
    data_folder.mkdir()
    environment = {
        **{name: os.environ[name] for name in (*KEPT, *SECRETS) if name in os.environ},
        "DJANGO_SETTINGS_MODULE": "tools.service_harness.settings",
        "PYTHONUNBUFFERED": "1",
        "DATA_DIR": str(data_folder),
        "DATABASE_URL": f"{servers.postgres_url}/{name}",
        "CELERY_BROKER_URL": servers.redis_url,
        "STORAGE_S3_BUCKET": f"stack-{uuid.uuid4().hex[:8]}",
        "STORAGE_S3_ENDPOINT_URL": wire.url,
        "AWS_ACCESS_KEY_ID": s3.access_key_id,
        "AWS_SECRET_ACCESS_KEY": s3.secret_access_key,
    }
    for command in (["migrate", "--noinput", "--verbosity", "0"], ["load_poa_wording"]):
        subprocess.run(  # noqa: S603 - our own commands
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=environment,
            check=True,
            capture_output=True,
            timeout=MAX_SETUP_SECONDS,
        )
    with _settings_of_the_stack(environment, data_folder):
        call_command("prepare_storage")
        stack = Stack(
            servers=servers,
            wire=wire,
            database_url=environment["DATABASE_URL"],
            folder=servers.folder,
            environment=environment,
        )
        try:
            yield stack
        finally:
            stack.close()
            connections.close_all()


class _settings_of_the_stack:  # noqa: N801 - reads as a statement
    """Let this process use the stack's database, bucket, folder and password hashes while it exists."""

    def __init__(self, environment: dict[str, str], data_folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            storages: dict[str, Any] = {
                "default": base._document_storage(),
                "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
            }
        self._settings = override_settings(
            STORAGES=storages, DATA_DIR=data_folder, PASSWORD_HASHERS=base.PASSWORD_HASHERS
        )
        self._database = environ.Env.db_url_config(environment["DATABASE_URL"]) | {"CONN_HEALTH_CHECKS": True}

    def __enter__(self) -> None:
        self._settings.enable()
        self._databases = connections.settings
        connections.settings = connections.configure_settings({"default": self._database})
        del connections["default"]

    def __exit__(self, *_problem: object) -> None:
        connections["default"].close()
        connections.settings = self._databases
        del connections["default"]
        self._settings.disable()
