"""
Every page, with the cache, the database and the storage of production.

The suite requests every page with SQLite, an in-process cache and files in a folder. Here the same tests run in their
own process with PostgreSQL, Redis and S3.
"""

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest

from tools.service_harness.servers import ROOT, S3Server, Servers

EVERY_PAGE = (
    "tests/integration/access/test_access.py::test_each_address_answers_as_in_the_table",
    "tests/integration/admin/test_records.py::test_built_in_admin_pages_open_in_our_theme",
    "tests/integration/admin/test_searching.py",
    "tests/integration/api/test_reads.py",
)
MAX_SECONDS = 580


@pytest.fixture
def bucket(s3: S3Server) -> str:
    name = f"pages-{uuid.uuid4().hex[:8]}"
    client: Any = boto3.client(
        "s3",
        endpoint_url=s3.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=s3.access_key_id,
        aws_secret_access_key=s3.secret_access_key,
    )
    client.create_bucket(Bucket=name)
    return name


@pytest.mark.parametrize("tests", EVERY_PAGE, ids=lambda tests: tests.rpartition("/")[2])
def test_pages_work_with_production_services(
    servers: Servers, s3: S3Server, bucket: str, tmp_path: Path, tests: str
) -> None:
    database = f"pages_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"{servers.postgres_url}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}")
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"{servers.postgres_url}/{database}",
        "CACHE_URL": servers.redis_url.removesuffix("/0") + "/5",
        "STORAGE_S3_BUCKET": bucket,
        "STORAGE_S3_ENDPOINT_URL": s3.endpoint_url,
        "AWS_ACCESS_KEY_ID": s3.access_key_id,
        "AWS_SECRET_ACCESS_KEY": s3.secret_access_key,
    }

    finished = subprocess.run(  # noqa: S603 - our own tests
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "--timeout", "300", tests],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=MAX_SECONDS,
    )

    assert finished.returncode == 0, finished.stdout[-8000:]
    assert "passed" in finished.stdout
