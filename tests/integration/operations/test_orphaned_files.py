"""Files left behind by a dead process are deleted; files named by a row, now or soon, never are."""

from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.core.files.storage import storages
from django.core.management import call_command
from pytest_django.fixtures import Settings

from core.clock import now
from core.stored_files import StoredFile, read, store
from operations import orphaned_files
from operations.orphaned_files import FOLDERS, find_orphans, sweep_orphans
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus
from tests.factories.poa_documents import sealing_poa, signed_poa

pytestmark = pytest.mark.django_db

TOMORROW = timedelta(days=1, minutes=5)


def keys(found: list[orphaned_files.Orphan]) -> list[str]:
    return [orphan.key for orphan in found]


@pytest.fixture(autouse=True)
def _storage_of_its_own(settings: Settings, tmp_path: Path) -> None:
    local = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "default": local}


@pytest.fixture
def later() -> datetime:
    return now() + TOMORROW


@pytest.fixture(params=FOLDERS)
def left_behind(request: pytest.FixtureRequest) -> StoredFile:
    return store(b"stored, and never named", folder=request.param, suffix=".pdf")


def test_unreferenced_file_is_deleted_after_a_day(left_behind: StoredFile, later: datetime) -> None:
    named = signed_poa(at=now())

    assert find_orphans(at=now()) == []
    assert keys(sweep_orphans(at=later, recheck_after_seconds=0)) == [left_behind.key]

    assert not storages["default"].exists(left_behind.key)
    assert storages["default"].exists(named.pdf_storage_key)


def test_dry_run_lists_and_deletes_nothing(
    left_behind: StoredFile, later: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.clock.now", lambda: later)
    said = StringIO()

    call_command("sweep_files", "--dry-run", stdout=said)

    assert left_behind.key in said.getvalue()
    assert "1 files would be deleted." in said.getvalue()
    assert storages["default"].exists(left_behind.key)


def test_other_folders_are_left_alone(later: datetime) -> None:
    file = store(b"somebody else's", folder="backups", suffix=".bin")

    assert sweep_orphans(at=later, recheck_after_seconds=0) == []
    assert storages["default"].exists(file.key)


def test_poa_being_sealed_keeps_all_files_of_its_folder(later: datetime) -> None:
    sealing_poa(at=now())
    file = store(b"its file, not named yet", folder="poa", suffix=".pdf")

    assert sweep_orphans(at=later, recheck_after_seconds=0) == []
    assert storages["default"].exists(file.key)


def test_file_named_right_after_its_deletion_is_restored(later: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    file = store(b"sent once more in this moment", folder="proofs", suffix=".jpg")
    poa = signed_poa(at=now())

    def refer_to_file(_seconds: float) -> None:
        PoaDocument.objects.filter(pk=poa.pk).update(pdf_storage_key=file.key)

    monkeypatch.setattr("operations.orphaned_files.time.sleep", refer_to_file)

    assert file.key not in keys(sweep_orphans(at=later))
    assert read(file) == b"sent once more in this moment"


def test_file_named_in_the_journal_is_kept(later: datetime) -> None:
    poa = signed_poa(at=now())
    kept = poa.pdf_storage_key
    PoaDocument.objects.filter(pk=poa.pk).update(pdf_storage_key="poa/00/another.pdf", status=PoaStatus.REVOKED)

    assert sweep_orphans(at=later, recheck_after_seconds=0) == []
    assert storages["default"].exists(kept)


def test_fields_with_file_keys_follow_the_naming_rule() -> None:
    """The sweep finds such fields by their name: a field with another name would lose its files."""
    named = {
        f"{model.__name__}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.name.endswith("storage_key")
    }

    assert {"PoaDocument.pdf_storage_key", "ProofFile.storage_key", "KeptProof.storage_key"} <= named
