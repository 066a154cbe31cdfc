"""The storage is down while a technician sends a photo: it is kept, it counts, and it is stored later."""

import io
import uuid
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from core.actors import Actor
from core.stored_files import FileAltered
from installations import actions, proofs
from installations.models import GoLiveReport
from installations.tasks import sweep_proofs_task
from tests.factories.installations import AT, SUBMITTED, installation_at

pytestmark = pytest.mark.django_db


@pytest.fixture
def stored_in(settings: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": folder}},
    }
    return folder


def photo() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(written, "JPEG")
    return written.getvalue()


SENT = photo()


def report_with_photo() -> GoLiveReport:
    proof = proofs.check_proof(io.BytesIO(SENT), name="letter.jpg", size_bytes=1)
    return actions.report_go_live(
        installation_id=installation_at(SUBMITTED).pk,
        submission_id=uuid.uuid4(),
        granted_date=date(2026, 3, 4),
        source="LETTER",
        utility_reference="DG-1",
        proofs=[proof],
        by=Actor.technician(UUID(int=7)),
        at=AT,
    ).report


def test_photo_waits_in_the_database_and_still_counts(stored_in: Path) -> None:
    stored_in.write_text("a file where the folder should be")

    report = report_with_photo()

    kept = report.proofs.get()
    assert report.status == "COUNTED"
    assert kept.storage_key == ""
    assert proofs.read_content(kept).startswith(b"\xff\xd8\xff")


def test_photo_is_kept_as_sent_beside_the_copy(stored_in: Path) -> None:
    kept = report_with_photo().proofs.get()

    assert proofs.read_received(kept) == SENT
    assert proofs.read_content(kept) != SENT
    assert (stored_in / kept.received_storage_key).read_bytes() == SENT


def test_original_photo_waits_with_the_copy(stored_in: Path) -> None:
    stored_in.write_text("a file where the folder should be")
    report = report_with_photo()
    waiting = proofs.read_received(report.proofs.get())
    stored_in.unlink()

    sweep_proofs_task()

    stored = report.proofs.get()
    assert waiting == SENT
    assert stored.unstored_received is None
    assert (stored_in / stored.received_storage_key).read_bytes() == SENT


def test_photo_without_an_original_says_what_is_missing(stored_in: Path) -> None:
    kept = report_with_photo().proofs.get()
    kept.received_storage_key = ""

    with pytest.raises(proofs.OriginalNotKept, match="Only the cleaned copy exists"):
        proofs.read_received(kept)


def test_sweep_stores_the_photo_once_when_storage_returns(stored_in: Path) -> None:
    stored_in.write_text("a file where the folder should be")
    report = report_with_photo()
    content = proofs.read_content(report.proofs.get())
    assert sweep_proofs_task() == "0 stored"

    stored_in.unlink()
    assert sweep_proofs_task() == "1 stored"
    assert sweep_proofs_task() == "0 stored"

    stored = report.proofs.get()
    assert stored.unstored_content is None
    assert (stored_in / stored.storage_key).read_bytes() == content
    assert proofs.read_content(stored) == content


def test_altered_stored_photo_is_detected(stored_in: Path) -> None:
    stored = report_with_photo().proofs.get()
    (stored_in / stored.storage_key).write_bytes(b"something else")

    with pytest.raises(FileAltered):
        proofs.read_content(stored)
