"""Backup and restore, with real files and a real database; and what a restored system must not do."""

import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import connection, connections
from pytest_django.fixtures import Settings

from config.settings.base import document_storage_options
from core.dates import chicago_day
from core.errors import ReasonMissing
from core.stored_files import StoredFile, read
from enrollments.actions.adoption import CannotAdopt, adopt_acceptance
from enrollments.decision.steps import Waiting
from enrollments.engine import write_guard
from enrollments.models import AcceptAttempt, Enrollment, PlanOffer, ReconciliationRun, SystemHold
from enrollments.states import DifferenceKind, EnrollmentStatus, HoldCode
from installations.models import Customer
from operations import backups
from operations.backup_schedule import back_up_into, is_due
from operations.backups import IncompleteBackup
from operations.management.commands.backup import Command as BackupCommand
from poa_documents.models import PoaDocument
from simulator.server import RunningSimulator, start_simulator
from tests.contract.dialects import DIALECT_PAIRS
from tests.database_setup import close_leftover_connections
from tests.factories.installations import AT, customer
from tests.factories.poa_documents import SIGNED_AT, drafted_poa
from tests.integration.enrollments.flow import MORNING, OFFICE, Flow
from tests.integration.installations.test_proofs_without_storage import report_with_photo
from tests.integration.poa_documents.test_paper import recorded
from tests.small_s3 import small_s3

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


@pytest.fixture(autouse=True)
def _only_connection() -> None:
    close_leftover_connections()


@pytest.fixture
def simulator() -> Iterator[RunningSimulator]:
    running = start_simulator(dialect=DIALECT_PAIRS[0].simulator)
    running.control.set_now(MORNING)
    running.control.freeze_clock()
    yield running
    running.stop()


@pytest.fixture
def flow(simulator: RunningSimulator) -> Iterator[Flow]:
    walked = Flow(simulator, DIALECT_PAIRS[0])
    yield walked
    walked.light.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backup"


def sealed_file() -> StoredFile:
    poa = PoaDocument.objects.get()
    assert poa.pdf_size_bytes is not None
    return StoredFile(poa.pdf_storage_key, poa.pdf_sha256, poa.pdf_size_bytes)


def back_up(folder: Path) -> None:
    call_command("backup", to=folder)


def restore(folder: Path, **options: bool) -> None:
    connections.close_all()
    call_command("restore", source=folder, **options)


def ready_case(flow: Flow) -> Enrollment:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    return case


def reconcile(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> ReconciliationRun:
    monkeypatch.setattr("enrollments.engine.wiring.tools", lambda: flow.engine.tools)
    call_command("reconcile", all=True)
    return ReconciliationRun.objects.latest("pk")


def test_restore_recovers_everything_including_lost_or_altered_files(flow: Flow, folder: Path) -> None:
    case = flow.case()
    sealed = sealed_file()
    back_up(folder)
    Enrollment.objects.filter(pk=case.pk).update(because="Written after the backup.")
    storages["default"].delete(sealed.key)
    storages["default"].save(sealed.key, ContentFile(b"other bytes"))

    restore(folder, replace=True)

    assert Enrollment.objects.get().because != "Written after the backup."
    assert read(sealed)


def test_lost_number_returns_but_its_public_id_does_not(flow: Flow, folder: Path) -> None:
    kept = flow.case()
    back_up(folder)
    lost = customer()

    restore(folder, replace=True)
    new = customer()

    assert new.pk == lost.pk
    assert new.public_id != lost.public_id
    assert Enrollment.objects.get().public_id == kept.public_id
    assert not Customer.objects.filter(public_id=lost.public_id).exists()


def test_manifest_names_every_file_with_its_hash(flow: Flow, folder: Path) -> None:
    flow.case()

    back_up(folder)

    manifest = json.loads((folder / "manifest.json").read_text())
    assert {sealed_file().sha256} < {each["sha256"] for each in manifest["files"]}
    assert len(manifest["files"]) == 2
    call_command("restore", source=folder, verify_only=True)


def test_photos_and_scans_are_kept_as_sent(flow: Flow, folder: Path) -> None:
    proof = report_with_photo().proofs.get()
    paper = recorded(drafted_poa(at=SIGNED_AT))

    back_up(folder)

    kept = {each["sha256"] for each in json.loads((folder / "manifest.json").read_text())["files"]}
    assert {proof.sha256, proof.received_sha256, paper.scan_sha256, paper.received_sha256} < kept


def test_restored_system_is_on_hold_immediately(flow: Flow, folder: Path) -> None:
    flow.case()
    back_up(folder)

    restore(folder, replace=True)

    hold = SystemHold.objects.get(ended_at=None)
    assert hold.needs_reconciliation
    assert hold.started_by == "system:restore"
    assert "restored from a backup" in write_guard.why_writes_are_stopped()
    with pytest.raises(CommandError, match="reconcile --all"):
        call_command("release_writes")


def test_B1_acceptance_missing_from_the_backup_is_never_repeated(
    flow: Flow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = ready_case(flow)
    back_up(folder)
    flow.live(case, timedelta(hours=2))
    assert case.status == EnrollmentStatus.FINALIZED
    [accepted] = flow.acceptances_of(case)

    restore(folder, replace=True)

    case.refresh_from_db()
    assert (case.status, AcceptAttempt.objects.count()) == (EnrollmentStatus.OPEN, 0)
    flow.live(case, timedelta(hours=5))
    assert case.next_step in {Waiting.WRITES_STOPPED, "HOLD"}

    hold = SystemHold.objects.get(ended_at=None)
    SystemHold.objects.filter(pk=hold.pk).update(started_at=flow.clock.at)
    run = reconcile(flow, monkeypatch)
    assert [each.kind for each in run.differences.all()] == [DifferenceKind.ACCEPTED_UNKNOWN_TO_US]
    call_command("release_writes")
    flow.live(case, timedelta(days=3))

    assert flow.acceptances_of(case) == [accepted]
    assert case.holds.get(released_at=None).code == HoldCode.SELF_ENROLLED


def test_B1_account_missing_from_the_backup_is_never_repeated(
    flow: Flow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = flow.case()
    back_up(folder)
    flow.run(case)

    restore(folder, replace=True)
    SystemHold.objects.update(started_at=flow.clock.at)
    run = reconcile(flow, monkeypatch)
    call_command("release_writes")
    flow.live(case, timedelta(days=1))

    assert [each.kind for each in run.differences.all()] == [DifferenceKind.ACCOUNT_WITHOUT_CASE]
    assert len(flow.simulator.control.state()["accounts"]) == 1
    assert case.holds.get(released_at=None).code == HoldCode.ACCOUNT_UNCLEAR


def forgotten_acceptance(
    flow: Flow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Enrollment, dict[str, Any]]:
    """A case whose plan was offered before the backup and accepted after it; restored and compared with Light."""
    case = ready_case(flow)
    pause = flow.pause()
    flow.live(case, timedelta(hours=1))
    assert case.offers.filter(fits=True).exists()
    back_up(folder)
    flow.resume(pause)
    flow.live(case, timedelta(hours=2))
    assert case.status == EnrollmentStatus.FINALIZED
    [accepted] = flow.acceptances_of(case)
    restore(folder, replace=True)
    SystemHold.objects.update(started_at=flow.clock.at)
    reconcile(flow, monkeypatch)
    call_command("release_writes")
    flow.live(case, timedelta(hours=2))
    assert case.holds.get(released_at=None).code == HoldCode.SELF_ENROLLED
    return case, accepted


def test_B1_forgotten_acceptance_of_ours_can_be_adopted(
    flow: Flow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, accepted = forgotten_acceptance(flow, folder, monkeypatch)
    day = chicago_day(datetime.fromisoformat(accepted["accepted_at"]))

    attempt = adopt_acceptance(
        enrollment_id=case.pk, accepted_date=day, reason="The mail of that day.", by=OFFICE, at=flow.clock.at
    )
    flow.live(case, timedelta(hours=2))

    assert case.status == EnrollmentStatus.FINALIZED
    assert str(attempt.offer.light_plan_uuid) == accepted["plan_uuid"]
    assert PoaDocument.objects.get(pk=attempt.poa_id).uses_made == 1
    assert not case.holds.filter(released_at=None).exists()
    assert flow.acceptances_of(case) == [accepted]


@pytest.mark.parametrize(
    ("days", "reason", "problem"),
    [
        (1, "The mail of that day.", "between the signature"),
        (-60, "The mail of that day.", "between the signature"),
        (0, " ", "how you know"),
    ],
)
def test_acceptance_not_proven_ours_is_not_adopted(
    flow: Flow, folder: Path, monkeypatch: pytest.MonkeyPatch, days: int, reason: str, problem: str
) -> None:
    case, accepted = forgotten_acceptance(flow, folder, monkeypatch)
    day = chicago_day(datetime.fromisoformat(accepted["accepted_at"])) + timedelta(days=days)

    with pytest.raises((CannotAdopt, ReasonMissing), match=problem):
        adopt_acceptance(enrollment_id=case.pk, accepted_date=day, reason=reason, by=OFFICE, at=flow.clock.at)

    assert not AcceptAttempt.objects.exists()


def test_unjudged_plan_is_not_adopted(flow: Flow, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, accepted = forgotten_acceptance(flow, folder, monkeypatch)
    day = chicago_day(datetime.fromisoformat(accepted["accepted_at"]))
    PlanOffer.objects.all().delete()

    with pytest.raises(CannotAdopt, match="before this plan was offered"):
        adopt_acceptance(enrollment_id=case.pk, accepted_date=day, reason="A mail", by=OFFICE, at=flow.clock.at)


def test_database_with_content_is_replaced_only_on_request(flow: Flow, folder: Path) -> None:
    flow.case()
    back_up(folder)

    with pytest.raises(CommandError, match="--replace"):
        restore(folder)

    assert Enrollment.objects.count() == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only PostgreSQL lists connections.")
def test_restore_names_the_process_that_uses_the_database(
    flow: Flow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow.case()
    back_up(folder)
    monkeypatch.setattr(backups, "CLOSING_SECONDS", 0.0)
    other = connections["default"].copy()
    other.ensure_connection()
    process = other.connection.info.backend_pid
    try:
        with pytest.raises(CommandError, match=rf"process {process} on the server, connected since .* Stop web"):
            restore(folder, replace=True)
    finally:
        other.close()


def test_damaged_backup_is_refused_before_any_change(flow: Flow, folder: Path) -> None:
    case = flow.case()
    back_up(folder)
    [copy] = list((folder / "files").rglob("*.pdf"))
    copy.write_bytes(b"%PDF other bytes")
    Enrollment.objects.filter(pk=case.pk).update(because="Still there.")

    with pytest.raises(CommandError, match="was altered"):
        restore(folder, replace=True)

    assert Enrollment.objects.get().because == "Still there."


@pytest.mark.parametrize("lost", ["manifest.json", "files"])
def test_backup_with_missing_parts_is_refused(flow: Flow, folder: Path, lost: str) -> None:
    flow.case()
    back_up(folder)
    path = folder / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    with pytest.raises(CommandError, match=r"missing|not a backup"):
        restore(folder, replace=True)


def test_path_outside_the_backup_is_refused(flow: Flow, folder: Path) -> None:
    flow.case()
    back_up(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][-1]["path"] = "files/../../outside.pdf"
    (folder / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(CommandError, match="outside the backup folder"):
        restore(folder, replace=True)


def test_backup_names_documents_it_could_not_include(flow: Flow, folder: Path) -> None:
    flow.case()
    sealed = sealed_file()
    storages["default"].delete(sealed.key)

    with pytest.raises(CommandError, match=sealed.key):
        back_up(folder)


def test_backup_lists_files_destroyed_while_it_ran(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = report_with_photo().proofs.get()

    def dump_and_lose(dump: Path, do: Callable[[Path], None] = backups._dump_database) -> None:
        do(dump)
        storages["default"].delete(proof.storage_key)
        proof.delete()

    monkeypatch.setattr(backups, "_dump_database", dump_and_lose)

    with pytest.raises(CommandError, match=proof.storage_key):
        back_up(folder)


@pytest.mark.parametrize("options", [{"verify_only": True}, {"replace": True}], ids=["verify", "restore"])
def test_files_missing_from_a_backup_are_named(
    flow: Flow, folder: Path, options: dict[str, bool], capsys: pytest.CaptureFixture[str]
) -> None:
    flow.case()
    sealed = sealed_file()
    storages["default"].delete(sealed.key)
    with pytest.raises(CommandError):
        back_up(folder)
    capsys.readouterr()

    restore(folder, **options)

    assert sealed.key in capsys.readouterr().err


def test_folder_in_use_is_not_overwritten(folder: Path) -> None:
    folder.mkdir()
    (folder / "something").write_text("else")

    with pytest.raises(CommandError, match="not empty"):
        back_up(folder)


def test_backup_in_an_existing_folder_is_private(flow: Flow, folder: Path) -> None:
    flow.case()
    folder.mkdir()
    folder.chmod(0o755)

    back_up(folder)

    paths = [folder, *folder.rglob("*")]
    assert len(paths) > 4
    assert [path for path in paths if path.stat().st_mode & 0o077] == []


# The keys of encrypted fields


@pytest.mark.parametrize("keys", [{"other": b"o" * 32}, {"test": b"o" * 32}], ids=["lacking", "another of its name"])
def test_backup_without_its_keys_is_refused(
    flow: Flow, folder: Path, settings: Settings, keys: dict[str, bytes]
) -> None:
    case = flow.case()
    back_up(folder)
    Enrollment.objects.filter(pk=case.pk).update(because="Still there.")
    settings.FIELD_ENCRYPTION_KEYS = keys

    with pytest.raises(CommandError, match=r"FIELD_ENCRYPTION_KEYS.*[Nn]othing was changed"):
        restore(folder, replace=True)
    with pytest.raises(CommandError, match=r"key 'test'"):
        restore(folder, verify_only=True)

    assert Enrollment.objects.get().because == "Still there."


def test_backup_check_names_the_required_keys(flow: Flow, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flow.case()
    back_up(folder)

    restore(folder, verify_only=True)

    assert "all available: test." in capsys.readouterr().out
    assert "text that only this key opens" not in (folder / "manifest.json").read_text()


# A storage that is not made yet


@pytest.fixture
def s3_without_bucket(settings: Settings) -> Iterator[None]:
    with small_s3() as server:
        options = document_storage_options(
            bucket="fresh",
            endpoint_url=server.url,
            access_key="key",
            secret_key="secret",
        )
        storage = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
        settings.STORAGES = settings.STORAGES | {"default": storage}
        yield


def test_restore_without_a_bucket_says_how_to_create_it(
    flow: Flow, folder: Path, request: pytest.FixtureRequest
) -> None:
    case = flow.case()
    back_up(folder)
    Enrollment.objects.filter(pk=case.pk).update(because="Still there.")
    request.getfixturevalue("s3_without_bucket")

    with pytest.raises(CommandError, match=r"prepare_storage.*Nothing was changed"):
        restore(folder, replace=True)

    assert Enrollment.objects.get().because == "Still there."


# On a schedule


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    shelf = tmp_path / "backups"
    shelf.mkdir()
    return shelf


def test_newest_backups_are_kept(flow: Flow, shelf: Path) -> None:
    flow.case()
    (shelf / "notes").mkdir()

    for day in range(4):
        back_up_into(shelf, keep=2, at=AT + timedelta(days=day))

    kept = [f"{AT + timedelta(days=day):%Y-%m-%dT%H%MZ}" for day in (2, 3)]
    assert sorted(each.name for each in shelf.iterdir()) == [*kept, "notes"]
    call_command("restore", source=shelf / kept[0], verify_only=True)


def test_incomplete_backup_replaces_no_good_one(flow: Flow, shelf: Path) -> None:
    flow.case()
    good, _ = back_up_into(shelf, keep=1, at=AT)
    storages["default"].delete(sealed_file().key)

    with pytest.raises(IncompleteBackup):
        back_up_into(shelf, keep=1, at=AT + timedelta(days=1))

    assert good.exists()


def test_leftovers_of_an_interrupted_run_are_removed(shelf: Path) -> None:
    (shelf / "2026-01-01T0310Z").mkdir()
    (shelf / "2026-01-01T0310Z" / "database.dump").write_bytes(b"half")

    taken, _ = back_up_into(shelf, keep=1, at=AT)

    assert list(shelf.iterdir()) == [taken]


def test_next_backup_is_due_by_the_last_complete_one(flow: Flow, shelf: Path) -> None:
    flow.case()
    a_day = timedelta(days=1)
    assert is_due(every=a_day, at=AT)

    back_up_into(shelf, keep=1, at=AT)

    assert [is_due(every=a_day, at=AT + span) for span in (timedelta(hours=23), a_day)] == [False, True]
    sealed = sealed_file()
    storages["default"].delete(sealed.key)
    with pytest.raises(IncompleteBackup):
        back_up_into(shelf, keep=1, at=AT + a_day)
    assert is_due(every=a_day, at=AT + a_day)


class _StopAfter(threading.Event):
    """Counts the waits instead of waiting."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._waits = waits

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0)
        return len(self.pauses) > self._waits


def test_schedule_continues_after_a_failure(flow: Flow, shelf: Path, caplog: pytest.LogCaptureFixture) -> None:
    flow.case()
    stop = _StopAfter(1)
    shelf.rmdir()

    with caplog.at_level(logging.ERROR):
        BackupCommand()._run_schedule(shelf, keep=1, every=timedelta(days=1), stop=stop)
    shelf.mkdir()
    BackupCommand()._run_schedule(shelf, keep=1, every=timedelta(days=1), stop=_StopAfter(2))

    assert stop.pauses == [0, 3600]
    assert "The backup failed" in caplog.text
    assert len(list(shelf.iterdir())) == 1


def test_umask_is_restored_after_a_backup(flow: Flow, folder: Path) -> None:
    before = os.umask(0o022)
    try:
        back_up(folder)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
