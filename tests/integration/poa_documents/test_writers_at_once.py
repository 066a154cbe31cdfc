"""Several simultaneous writers of one POA, on real databases: one signature, one file, an unbroken journal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
EXPECTED = {
    "problems": [],
    "status": "SIGNED",
    "signed": 1,
    "sealed": 1,
    "notes": 48,
    "is_intact": True,
    "copies_owed": 1,
}


def what_is_left(database_url: str, folder: Path) -> dict[str, object]:
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "DATA_DIR": str(folder),
        "CELERY_BROKER_URL": "memory://",
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
    }
    run = subprocess.run(
        [sys.executable, "-m", "tests.integration.poa_documents.writers_at_once"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    left: dict[str, object] = json.loads(run.stdout.strip().splitlines()[-1])
    return left


def test_U1_simultaneous_signatures_make_one_document_on_sqlite(tmp_path: Path) -> None:
    assert what_is_left(f"sqlite:///{tmp_path / 'poa.sqlite3'}", tmp_path) == EXPECTED


@pytest.mark.services
def test_U1_simultaneous_signatures_make_one_document_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    assert what_is_left(postgres_url, tmp_path) == EXPECTED
