"""No other user of the machine can read the SQLite database, even in a folder that everyone may list."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from operations.database_file_permissions import make_private


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path


def use(file: Path) -> list[Path]:
    """Write to the database and return its files while it is open."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE IF NOT EXISTS customers (name TEXT)")
        database.execute("INSERT INTO customers VALUES ('Carmen')")
        database.commit()
        files = sorted(file.parent.glob(file.name + "*"))
        assert [path for path in files if path.stat().st_mode & 0o077] == []
        return files


def test_new_database_is_private(open_folder: Path) -> None:
    file = open_folder / "switchyard.sqlite3"

    make_private(file)

    assert len(use(file)) == 3


def test_database_readable_by_others_is_made_private(open_folder: Path) -> None:
    file = open_folder / "switchyard.sqlite3"
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE customers (name TEXT)")
        for path in open_folder.glob("switchyard.sqlite3*"):
            path.chmod(0o644)

        make_private(file)

        assert len(use(file)) == 3


def test_database_itself_reports_a_missing_folder(tmp_path: Path) -> None:
    make_private(tmp_path / "missing" / "switchyard.sqlite3")

    assert not (tmp_path / "missing").exists()
