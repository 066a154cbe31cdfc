"""The seal: what it proves, what breaks it, what a failing key or authority costs, and who is told."""

import hashlib
import io
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, pkcs12
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject, TextStringObject
from pytest_django.fixtures import Settings

from core import company_rules
from core.actors import SYSTEM
from core.dates import chicago_day
from core.models import CaseChange
from core.stored_files import FileNotStored, StoredFile, store
from enrollments.monitoring.alarms import AlarmCode, alarms
from enrollments.monitoring.measures import measure
from installations.models import Language
from poa_documents import actions
from poa_documents.actions import CheckOutcome, SealOutcome, seal_checks, seals
from poa_documents.authority_check import SealedFileAltered, SealedFileUnreadable, read_signed_pdf, verify_sealed_file
from poa_documents.models import EvidenceEntry, PoaDocument, SealTimestamp, Statement
from poa_documents.pdf import render_pdf, signed_document_of
from poa_documents.seal.keys import (
    DEVELOPMENT_NAME,
    SealKey,
    SealKeyUnusable,
    current_key,
    make_key,
    provide_development_key,
    read_key,
    write_key,
)
from poa_documents.seal.pades import check, seal
from poa_documents.seal.values import SealBroken, Words
from poa_documents.states import PoaStatus
from tests.conftest import REQUIRE_SERVICES
from tests.factories.installations import customer, installation
from tests.factories.poa_documents import SIGNED_AT, STAFF, revoked_poa, sealing_poa, signed_poa
from tests.journal_guard import guard_lifted
from tests.timestamp_authority import Authority, time_stamping_authority

pytestmark = pytest.mark.django_db

LATER = SIGNED_AT + timedelta(hours=3)
WORDS = Words("Seal", "Sealed", "Lone Star")


@pytest.fixture(autouse=True)
def own_storage(settings: Any, tmp_path: Path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "files")},
        },
    }


@pytest.fixture
def authority(settings: Any) -> Iterator[Authority]:
    with time_stamping_authority() as running:
        settings.POA_SEAL_TIMESTAMP_URL = running.url
        yield running


def replace_stored_file(poa: PoaDocument, content: bytes) -> None:
    storage = storages["default"]
    storage.delete(poa.pdf_storage_key)
    storage.save(poa.pdf_storage_key, ContentFile(content))


def stored_files() -> list[Path]:
    return list(Path(storages["default"].location).rglob("*.pdf"))  # type: ignore[attr-defined]


def extended(content: bytes) -> bytes:
    """Add a page after sealing, the way PDF programs save changes: appended to the file."""
    writer = PdfWriter(io.BytesIO(content), incremental=True)
    writer.add_blank_page(200, 200)
    changed = io.BytesIO()
    writer.write(changed)
    assert changed.getvalue().startswith(content)
    return changed.getvalue()


def codes(at: datetime) -> set[AlarmCode]:
    return {alarm.code for alarm in alarms(measure(now=at), now=at)}


# What a seal is


def test_signed_document_has_one_seal_over_every_byte() -> None:
    poa = signed_poa()

    content = read_signed_pdf(poa)

    check(content, certificate_sha256=poa.seal_certificate_sha256)
    assert content.count(b"/DocMDP") >= 1
    assert b"/ETSI.CAdES.detached" in content


def test_sealed_file_stays_archival_and_accessible() -> None:
    reader = PdfReader(io.BytesIO(read_signed_pdf(signed_poa())))

    assert reader.xmp_metadata is not None
    xml = reader.xmp_metadata.stream.get_data().decode()
    for claim in ("<pdfaid:part>2<", "<pdfaid:conformance>A<", "<pdfuaid:part>1<"):
        assert claim in xml
    assert "/StructTreeRoot" in reader.root_object
    [field] = (each.get_object() for each in reader.root_object["/AcroForm"]["/Fields"])  # type: ignore[index]
    assert field["/TU"] == "Seal of the document"
    flags = int(field["/F"])
    assert flags & 4, "PDF/A wants what stands on a page to be printed"
    assert not flags & 2, "PDF/A forbids what is hidden"
    left, bottom, right, top = (float(number) for number in field["/Rect"])
    assert right <= 0, "PDF/UA wants what has no tag to be off the page"
    assert top <= 0
    assert (left, bottom) == (right, top)
    assert reader.pdf_header == "%PDF-1.7"
    assert reader.root_object.get("/Version", "/1.7") == "/1.7"
    assert "/NeedAppearances" not in reader.root_object["/AcroForm"]  # type: ignore[operator]
    info = reader.metadata
    assert info is not None
    assert "/ModDate" not in info or info["/ModDate"] == info["/CreationDate"]


def test_row_and_journal_name_the_certificate() -> None:
    poa = signed_poa()
    key = current_key(settings.POA_SEAL_KEY_FILE, "")

    details = EvidenceEntry.objects.get(poa=poa, kind="seal").details

    assert details["seal_certificate_sha256"] == poa.seal_certificate_sha256 == key.fingerprint
    assert DEVELOPMENT_NAME in details["seal_certificate_of"]


def test_same_signature_and_key_give_the_same_bytes() -> None:
    poa = sealing_poa()
    document = signed_document_of(poa)
    pdf = render_pdf(document)
    key = current_key(settings.POA_SEAL_KEY_FILE, "")

    once, _ = seal(pdf, key, words=WORDS, signed_at=SIGNED_AT)
    again, _ = seal(pdf, key, words=WORDS, signed_at=SIGNED_AT)

    assert once == again


def test_company_renamed_after_signing_seals_under_its_old_name() -> None:
    poa = sealing_poa()
    company_rules.decide_company_rules(
        values={"name": "Renamed Energy"},
        effective_from_date=chicago_day(SIGNED_AT) + timedelta(days=1),
        reason="We were bought.",
        by=SYSTEM,
        at=SIGNED_AT + timedelta(hours=1),
    )
    company_rules.forget()
    assert company_rules.current_rules().name == "Renamed Energy"

    actions.seal_poa(poa_id=poa.pk, at=SIGNED_AT + timedelta(days=2))

    poa.refresh_from_db()
    reader = PdfReader(io.BytesIO(read_signed_pdf(poa)))
    printed = " ".join(page.extract_text() for page in reader.pages)
    assert company_rules.SAMPLE["name"] in printed
    assert "Renamed" not in printed + str(reader.get_fields())


def test_seal_of_a_spanish_document_is_spanish() -> None:
    job = installation(SIGNED_AT, customer=customer(language="es"))
    reader = PdfReader(io.BytesIO(read_signed_pdf(signed_poa(customer=job.customer, site=job.site))))

    [field] = (each.get_object() for each in reader.root_object["/AcroForm"]["/Fields"])  # type: ignore[index]
    assert field["/TU"] == "Sello del documento"
    assert field["/V"]["/Reason"].startswith("Sellado tal como lo firmó")


# What breaks it


def test_file_extended_after_sealing_is_refused() -> None:
    poa = signed_poa()
    changed = extended(read_signed_pdf(poa))

    with pytest.raises(SealBroken):
        check(changed, certificate_sha256=poa.seal_certificate_sha256)


def test_even_an_invisible_addition_is_refused() -> None:
    poa = signed_poa()
    content = read_signed_pdf(poa)
    writer = PdfWriter(io.BytesIO(content), incremental=True)
    writer.root_object[NameObject("/Remark")] = TextStringObject("nothing to be seen")
    changed = io.BytesIO()
    writer.write(changed)

    for behind in (changed.getvalue(), content + b"\n", content + b"% a remark\n"):
        with pytest.raises(SealBroken):
            check(behind, certificate_sha256=poa.seal_certificate_sha256)


def test_pdfsig_accepts_an_extended_file_so_we_do_not_ask(tmp_path: Path) -> None:
    pdfsig = shutil.which("pdfsig")
    if pdfsig is None and not REQUIRE_SERVICES:
        pytest.skip("pdfsig is not here. Debian: apt install poppler-utils")
    assert pdfsig, "pdfsig is asked for and not here. Debian: apt install poppler-utils"
    file = tmp_path / "extended.pdf"
    file.write_bytes(extended(read_signed_pdf(signed_poa())))

    said = subprocess.run([pdfsig, "-nocert", str(file)], capture_output=True, text=True, check=False).stdout  # noqa: S603

    assert "Signature is Valid" in said


@pytest.mark.parametrize("at", [0.0, 0.05, 0.3, 0.6, 0.67, 0.7, 0.8, 0.9, 0.98, 0.9999])
def test_changed_byte_breaks_the_seal(at: float) -> None:
    poa = signed_poa()
    content = bytearray(read_signed_pdf(poa))
    content[int(len(content) * at)] ^= 0x01

    with pytest.raises(SealBroken):
        check(bytes(content), certificate_sha256=poa.seal_certificate_sha256)


def test_unsealed_or_foreign_sealed_document_does_not_count() -> None:
    poa = signed_poa()
    unsealed = render_pdf(signed_document_of(poa))
    other = make_key("Somebody else", starts_at=SIGNED_AT - timedelta(days=1), ends_at=LATER)
    forged, _ = seal(unsealed, other, words=WORDS, signed_at=SIGNED_AT)

    for content in (unsealed, forged, b"", b"%PDF-1.7", foreign_file()):
        with pytest.raises(SealBroken):
            check(content, certificate_sha256=poa.seal_certificate_sha256)


def foreign_file() -> bytes:
    return b"PK\x03\x04" + bytes(200)


def test_row_changed_with_its_file_contradicts_the_journal() -> None:
    """A forger who can write to storage and rows replaces the document, sealed with their own key."""
    poa = signed_poa()
    other = make_key("Somebody else", starts_at=SIGNED_AT - timedelta(days=1), ends_at=LATER)
    forged, _ = seal(render_pdf(signed_document_of(poa)), other, words=WORDS, signed_at=SIGNED_AT)
    replace_stored_file(poa, forged)
    sha256 = hashlib.sha256(forged).hexdigest()
    PoaDocument.objects.filter(pk=poa.pk).update(pdf_sha256=sha256, seal_certificate_sha256=other.fingerprint)
    poa.refresh_from_db()

    assert read_signed_pdf(poa) == forged
    with pytest.raises(SealedFileAltered, match="not the one in the journal"):
        verify_sealed_file(poa)


def test_row_without_a_certificate_is_not_an_old_one() -> None:
    poa = signed_poa()
    PoaDocument.objects.filter(pk=poa.pk).update(seal_certificate_sha256="")
    poa.refresh_from_db()

    with pytest.raises(SealedFileAltered):
        verify_sealed_file(poa)


# Before each use, and every night


def test_bad_seal_suspends_once_and_announces_the_case() -> None:
    poa = signed_poa()
    replace_stored_file(poa, extended(read_signed_pdf(poa)))
    CaseChange.objects.all().delete()

    for _ in range(3):
        with pytest.raises(SealedFileAltered):
            actions.verify_or_suspend(poa_id=poa.pk, at=LATER)

    poa.refresh_from_db()
    assert (poa.status, poa.file_damaged_at) == (PoaStatus.SUSPENDED, LATER)
    assert EvidenceEntry.objects.filter(poa=poa, kind="file_damaged").count() == 1
    assert CaseChange.objects.filter(site_id=poa.site_id).exists()
    assert AlarmCode.DOCUMENTS_DAMAGED in codes(LATER)


def test_nightly_check_covers_every_document_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal_checks, "BATCH", 2)
    poas = [signed_poa() for _ in range(3)]
    replace_stored_file(poas[2], b"other bytes")

    assert actions.check_sealed_files(at=LATER) == CheckOutcome.MORE_TO_CHECK
    assert actions.check_sealed_files(at=LATER) == CheckOutcome.ALL_CHECKED
    assert actions.check_sealed_files(at=LATER) == CheckOutcome.ALL_CHECKED

    statuses = [PoaDocument.objects.get(pk=poa.pk).status for poa in poas]
    assert statuses == [PoaStatus.SIGNED, PoaStatus.SIGNED, PoaStatus.SUSPENDED]
    assert PoaDocument.objects.filter(file_checked_at=LATER).count() == 3


def test_nightly_check_covers_ended_documents_too() -> None:
    poa = revoked_poa()
    storages["default"].delete(poa.pdf_storage_key)

    actions.check_sealed_files(at=LATER)

    poa.refresh_from_db()
    assert (poa.status, poa.file_damaged_at) == (PoaStatus.REVOKED, LATER)


def test_nightly_check_reports_nothing_while_storage_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    poa = signed_poa()

    def away(*_args: object, **_options: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr("poa_documents.authority_check.read", away)

    assert actions.check_sealed_files(at=LATER) == CheckOutcome.STORAGE_UNAVAILABLE
    poa.refresh_from_db()
    assert (poa.status, poa.file_checked_at, poa.file_damaged_at) == (PoaStatus.SIGNED, None, None)


def test_restored_file_ends_the_alarm_and_allows_resuming() -> None:
    poa = signed_poa()
    content = read_signed_pdf(poa)
    replace_stored_file(poa, b"other bytes")
    actions.check_sealed_files(at=LATER)
    with pytest.raises(SealedFileAltered):
        actions.resume_poa(poa_id=poa.pk, reason="looked fine", by=STAFF, at=LATER)

    replace_stored_file(poa, content)
    actions.resume_poa(poa_id=poa.pk, reason="restored", by=STAFF, at=LATER)

    poa.refresh_from_db()
    assert (poa.status, poa.file_damaged_at) == (PoaStatus.SIGNED, None)
    assert EvidenceEntry.objects.filter(poa=poa, kind="file_restored").exists()
    assert AlarmCode.DOCUMENTS_DAMAGED not in codes(LATER)


def test_document_from_before_seals_counts_by_its_hash() -> None:
    poa = signed_poa()
    with guard_lifted():
        entry = EvidenceEntry.objects.get(poa=poa, kind="seal")
        kept = {name: value for name, value in entry.details.items() if name.startswith("pdf_")}
        EvidenceEntry.objects.filter(pk=entry.pk).update(details=kept)
    PoaDocument.objects.filter(pk=poa.pk).update(seal_certificate_sha256="")
    poa.refresh_from_db()

    verify_sealed_file(poa)

    replace_stored_file(poa, b"other bytes")
    with pytest.raises(SealedFileAltered):
        verify_sealed_file(poa)


# Repeated and simultaneous


def test_sealing_twice_makes_one_file_and_one_row() -> None:
    poa = sealing_poa()

    outcomes = [actions.seal_poa(poa_id=poa.pk, at=SIGNED_AT + timedelta(seconds=second)) for second in (1, 2)]

    assert outcomes == [SealOutcome.SEALED, SealOutcome.ALREADY_SEALED]
    assert len(stored_files()) == 1


def test_simultaneous_sealing_makes_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    poa = sealing_poa()
    conclude = seals._conclude

    def another_first(*args: Any, **named: Any) -> SealOutcome:
        monkeypatch.setattr(seals, "_conclude", conclude)
        assert actions.seal_poa(poa_id=poa.pk, at=LATER) == SealOutcome.SEALED
        return conclude(*args, **named)

    monkeypatch.setattr(seals, "_conclude", another_first)

    assert actions.seal_poa(poa_id=poa.pk, at=SIGNED_AT) == SealOutcome.ALREADY_SEALED
    assert len(stored_files()) == 1
    poa.refresh_from_db()
    verify_sealed_file(poa)


def test_simultaneous_sealing_with_time_stamps_makes_one_file(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    poa = sealing_poa()
    store_within = seals._store_within

    def another_first(*args: Any) -> Any:
        monkeypatch.setattr(seals, "_store_within", store_within)
        assert actions.seal_poa(poa_id=poa.pk, at=LATER) == SealOutcome.SEALED
        return store_within(*args)

    monkeypatch.setattr(seals, "_store_within", another_first)

    assert actions.seal_poa(poa_id=poa.pk, at=SIGNED_AT) == SealOutcome.ALREADY_SEALED
    assert len(stored_files()) == 1
    assert authority.asked == 1


def test_documents_are_stored_by_few_persistent_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new thread would open its own connection to an S3 server, which takes over a quarter of a second."""
    at_work: list[threading.Thread] = []

    def store_noting_the_thread(*args: Any, **named: Any) -> StoredFile:
        at_work.append(threading.current_thread())
        return store(*args, **named)

    monkeypatch.setattr(seals, "store", store_noting_the_thread)

    for number in range(2 * seals.MAX_STORAGE_THREADS):
        seals._store_within(10, f"%PDF-1.7 document {number}".encode())

    assert len(at_work) == 2 * seals.MAX_STORAGE_THREADS
    assert len(set(at_work)) <= seals.MAX_STORAGE_THREADS


def test_hanging_storage_delays_nobody_however_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    storage_answers = threading.Event()

    def hang(content: bytes, **named: Any) -> StoredFile:
        assert storage_answers.wait(timeout=30)
        return store(content, **named)

    monkeypatch.setattr(seals, "store", hang)
    poas = [sealing_poa() for _ in range(seals.MAX_STORAGE_THREADS + 1)]
    try:
        outcomes = [actions.seal_poa(poa_id=poa.pk, at=SIGNED_AT, within_seconds=0.01) for poa in poas]
    finally:
        storage_answers.set()

    assert set(outcomes) == {SealOutcome.WAITING_FOR_STORAGE}
    monkeypatch.setattr(seals, "store", store)
    assert actions.seal_poa(poa_id=poas[-1].pk, at=LATER) == SealOutcome.SEALED


# The time stamp


def test_seal_contains_a_real_authoritys_time_stamp(authority: Authority) -> None:
    poa = signed_poa()

    row = SealTimestamp.objects.get(poa=poa)
    details = EvidenceEntry.objects.get(poa=poa, kind="seal").details
    verify_sealed_file(poa)
    assert row.is_inside
    assert details["timestamp_authority_sha256"] == row.authority_sha256
    assert abs(row.stamped_at - datetime.now(tz=UTC)) < timedelta(minutes=5)
    assert poa.timestamp_due_at is None
    with pytest.raises(SealBroken, match="another authority"):
        check(
            read_signed_pdf(poa), certificate_sha256=poa.seal_certificate_sha256, authority_sha256=unknown_fingerprint()
        )


def unknown_fingerprint() -> str:
    return "0" * 64


@pytest.mark.parametrize("fault", ["down", "garbage", "refusal", "about something else"])
def test_failing_authority_never_costs_the_signature(authority: Authority, fault: str) -> None:
    authority.fault = fault

    poa = signed_poa()

    assert poa.status == PoaStatus.SIGNED
    verify_sealed_file(poa)
    assert not SealTimestamp.objects.exists()
    assert poa.timestamp_due_at is not None


def test_missing_time_stamp_is_added_later_beside_the_file(authority: Authority) -> None:
    authority.fault = "down"
    poa = signed_poa()
    sealed = read_signed_pdf(poa)
    actions.sweep_poas(at=LATER)
    assert not SealTimestamp.objects.exists()
    authority.fault = ""

    actions.sweep_poas(at=LATER + timedelta(minutes=11))
    actions.sweep_poas(at=LATER + timedelta(minutes=22))

    poa.refresh_from_db()
    row = SealTimestamp.objects.get(poa=poa)
    assert not row.is_inside
    assert poa.timestamp_due_at is None
    assert read_signed_pdf(poa) == sealed
    verify_sealed_file(poa)
    assert EvidenceEntry.objects.filter(poa=poa, kind="file_timestamped").count() == 1

    row.token = bytes(row.token)[:-1] + b"\x00"
    row.save()
    with pytest.raises(SealedFileAltered, match="time stamp"):
        verify_sealed_file(poa)


def test_unreachable_authority_costs_no_signature(settings: Any) -> None:
    settings.POA_SEAL_TIMESTAMP_URL = "http://127.0.0.1:9/"

    assert signed_poa().status == PoaStatus.SIGNED


def test_unauthorized_time_stamp_authority_is_not_trusted(settings: Any) -> None:
    with time_stamping_authority(is_for_stamping=False) as wrong:
        settings.POA_SEAL_TIMESTAMP_URL = wrong.url

        poa = signed_poa()

    assert wrong.asked == 1
    assert not SealTimestamp.objects.exists()
    assert poa.status == PoaStatus.SIGNED


def test_with_named_certificates_only_their_authorities_count(
    authority: Authority, settings: Any, tmp_path: Path
) -> None:
    stranger = make_key("Stranger", starts_at=SIGNED_AT, ends_at=LATER).certificate
    for certificate, is_believed in ((stranger, False), (authority.certificate, True)):
        file = tmp_path / "roots.pem"
        file.write_bytes(certificate.public_bytes(Encoding.PEM))
        settings.POA_SEAL_TIMESTAMP_CA_FILE = str(file)
        assert SealTimestamp.objects.filter(poa=signed_poa()).exists() is is_believed


def test_time_stamp_survives_a_crash_before_storing(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    poa = sealing_poa()

    def refuse(*_args: object) -> None:
        raise FileNotStored("away")

    with monkeypatch.context() as patched:
        patched.setattr(seals, "_store_within", refuse)
        assert actions.seal_poa(poa_id=poa.pk, at=SIGNED_AT) == SealOutcome.WAITING_FOR_STORAGE
    assert actions.seal_poa(poa_id=poa.pk, at=LATER) == SealOutcome.SEALED

    assert authority.asked == 1
    poa.refresh_from_db()
    verify_sealed_file(poa)


# The key


def test_without_a_usable_key_signatures_wait_with_an_alarm(settings: Any, tmp_path: Path) -> None:
    usual = settings.POA_SEAL_KEY_FILE
    settings.POA_SEAL_KEY_FILE = str(tmp_path / "nowhere.p12")
    poa = sealing_poa()

    assert actions.seal_poa(poa_id=poa.pk, at=SIGNED_AT) == SealOutcome.WAITING_FOR_KEY

    poa.refresh_from_db()
    assert (poa.status, poa.seal_failures) == (PoaStatus.SEALING, 1)
    assert "cannot be read" in poa.last_error
    assert {AlarmCode.SEAL_KEY_UNUSABLE, AlarmCode.SEALS_FAILING} <= codes(SIGNED_AT)
    settings.POA_SEAL_KEY_FILE = usual
    assert poa.due_at is not None
    actions.sweep_poas(at=poa.due_at)
    poa.refresh_from_db()
    assert poa.status == PoaStatus.SIGNED


def test_expired_certificate_seals_nothing_new_but_old_seals_count(settings: Any, tmp_path: Path) -> None:
    use_key(settings, tmp_path, make_key("Old", starts_at=SIGNED_AT - timedelta(days=9), ends_at=LATER))
    poa, late = signed_poa(), sealing_poa()

    assert actions.seal_poa(poa_id=late.pk, at=LATER + timedelta(days=1)) == SealOutcome.WAITING_FOR_KEY
    verify_sealed_file(poa)
    assert AlarmCode.SEAL_KEY_EXPIRING in codes(SIGNED_AT)
    assert AlarmCode.SEAL_KEY_UNUSABLE in codes(LATER + timedelta(days=1))


def test_new_key_seals_new_documents_and_old_ones_count(settings: Any, tmp_path: Path) -> None:
    old = signed_poa()
    new_key = make_key("New", starts_at=SIGNED_AT - timedelta(days=1), ends_at=SIGNED_AT + timedelta(days=900))
    use_key(settings, tmp_path, new_key)

    new = signed_poa()

    assert new.seal_certificate_sha256 == new_key.fingerprint != old.seal_certificate_sha256
    verify_sealed_file(old)
    verify_sealed_file(new)


def test_key_changed_between_attempts_needs_a_new_time_stamp(
    authority: Authority, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poa = sealing_poa()

    def refuse(*_args: object) -> None:
        raise FileNotStored("away")

    with monkeypatch.context() as patched:
        patched.setattr(seals, "_store_within", refuse)
        actions.seal_poa(poa_id=poa.pk, at=SIGNED_AT)
    use_key(settings, tmp_path, make_key("New", starts_at=SIGNED_AT - timedelta(days=1), ends_at=LATER))
    assert actions.seal_poa(poa_id=poa.pk, at=SIGNED_AT) == SealOutcome.SEALED

    assert authority.asked == 2
    poa.refresh_from_db()
    verify_sealed_file(poa)
    assert SealTimestamp.objects.filter(poa=poa).count() == 1


def use_key(settings: Any, folder: Path, key: SealKey, passphrase: str = "") -> None:
    file = folder / f"{key.fingerprint[:8]}.p12"
    assert write_key(key, file, passphrase)
    settings.POA_SEAL_KEY_FILE, settings.POA_SEAL_PASSPHRASE = str(file), passphrase


def test_development_key_is_made_once_and_private(tmp_path: Path) -> None:
    file = tmp_path / "seal.p12"
    provide_development_key(file)
    first = read_key(file)

    provide_development_key(file)

    assert read_key(file).fingerprint == first.fingerprint
    assert first.is_for_development
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["seal.p12"]


def test_unusable_key_is_refused_with_the_reason(tmp_path: Path) -> None:
    good = make_key("Good", starts_at=SIGNED_AT, ends_at=LATER)
    locked, for_something_else, garbage = (tmp_path / name for name in ("locked.p12", "other.p12", "garbage.p12"))
    write_key(good, locked, "open sesame")
    write_key(SealKey(good.private_key, for_servers(good)), for_something_else)
    garbage.write_bytes(b"garbage")

    assert read_key(locked, "open sesame").fingerprint == good.fingerprint
    for file, passphrase, reason in (
        (locked, "wrong", "POA_SEAL_PASSPHRASE does not open it"),
        (tmp_path / "nowhere.p12", "", "cannot be read"),
        (garbage, "", "no PKCS#12 file"),
        (for_something_else, "", "not for sealing"),
    ):
        with pytest.raises(SealKeyUnusable, match=reason):
            read_key(file, passphrase)
    with pytest.raises(SealKeyUnusable, match="from"):
        good.check_in_force(SIGNED_AT - timedelta(days=2))
    with pytest.raises(SealKeyUnusable, match="ended"):
        good.check_in_force(LATER + timedelta(days=2))


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP256K1()])
def test_only_keys_of_curve_p256_seal(curve: ec.EllipticCurve, tmp_path: Path) -> None:
    made = SealKey(key := ec.generate_private_key(curve), for_servers_of(key))
    write_key(made, tmp_path / "key.p12")

    with pytest.raises(SealKeyUnusable, match="P-256"):
        read_key(tmp_path / "key.p12")


def test_rsa_keys_do_not_seal(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    content = pkcs12.serialize_key_and_certificates(b"seal", key, for_servers_of(key), None, NoEncryption())
    (tmp_path / "key.p12").write_bytes(content)

    with pytest.raises(SealKeyUnusable, match="P-256"):
        read_key(tmp_path / "key.p12")


def for_servers(key: SealKey) -> x509.Certificate:
    return for_servers_of(key.private_key)


def for_servers_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A web server")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(SIGNED_AT)
        .not_valid_after(LATER)
        .sign(key, hashes.SHA256())
    )


def test_command_makes_and_checks_a_key_and_lists_used(settings: Any, tmp_path: Path) -> None:
    said = StringIO()
    file = tmp_path / "new.p12"
    settings.POA_SEAL_PASSPHRASE = "open sesame"
    call_command("seal", "new", to=file, name="Lone Star Home Energy", days=900, stdout=said)
    settings.POA_SEAL_KEY_FILE = str(file)
    call_command("seal", "check", stdout=said)

    with pytest.raises(CommandError, match="already exists"):
        call_command("seal", "new", to=file, name="x", days=900, stdout=said)
    assert "CN=Lone Star Home Energy" in said.getvalue()

    settings.POA_SEAL_PASSPHRASE = "wrong"
    with pytest.raises(CommandError, match="does not open"):
        call_command("seal", "check", stdout=said)


def test_command_warns_before_the_certificate_ends(settings: Any, tmp_path: Path) -> None:
    now = datetime.now(tz=UTC)
    use_key(settings, tmp_path, make_key("Short", starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=59)))

    with pytest.raises(CommandError, match=r"expires in 5[89] days"):
        call_command("seal", "check", stdout=StringIO())


def test_command_lists_the_certificates_in_use() -> None:
    poa, said = signed_poa(), StringIO()

    call_command("seal", "keys", stdout=said)

    assert f"{poa.seal_certificate_sha256}  1 documents" in said.getvalue()


def test_unreachable_storage_is_not_a_broken_seal(monkeypatch: pytest.MonkeyPatch) -> None:
    poa = signed_poa()

    def away(*_args: object, **_options: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr("poa_documents.authority_check.read", away)

    with pytest.raises(SealedFileUnreadable):
        actions.verify_or_suspend(poa_id=poa.pk, at=LATER)
    assert PoaDocument.objects.get(pk=poa.pk).status == PoaStatus.SIGNED


def test_new_key_without_a_terminal_explains_the_passphrase(tmp_path: Path, settings: Settings) -> None:
    settings.POA_SEAL_PASSPHRASE = ""

    with pytest.raises(CommandError, match=r"POA_SEAL_PASSPHRASE in \.env first"):
        call_command("seal", "new", to=tmp_path / "seal.p12", name="x", days=900)

    assert not (tmp_path / "seal.p12").exists()


@pytest.mark.parametrize("language", sorted(Language.values))
def test_each_agreement_is_complete_on_one_of_four_pages(language: str) -> None:
    job = installation(SIGNED_AT, customer=customer(SIGNED_AT, language=language))
    poa = signed_poa(customer=job.customer, site=job.site)

    pages = [page.extract_text() for page in PdfReader(io.BytesIO(read_signed_pdf(poa))).pages]

    assert len(pages) == 4
    for consent in poa.consents.exclude(statement=Statement.DOCUMENT):
        [page] = [text for text in pages if consent.wording_sha256 in text]
        words = consent.words.splitlines()
        first = next(line for line in words if line and not line.startswith(("#", "-")))
        assert " ".join(first.split()[:4]) in " ".join(page.split())
