"""Revocation answers for our certificates: fetched ahead, included in sealed documents, and never waited for."""

import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management import CommandError, call_command
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import NoDSSFoundError
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext
from pypdf import PdfReader

from core.stored_files import FileNotStored
from enrollments.monitoring.alarms import AlarmCode, alarms
from enrollments.monitoring.measures import measure
from poa_documents import actions
from poa_documents.actions import AskOutcome, SealOutcome, seals
from poa_documents.authority_check import read_signed_pdf, verify_sealed_file
from poa_documents.models import EvidenceEntry, IssuersAnswer, PoaDocument
from poa_documents.seal.certificates import result_of
from poa_documents.seal.keys import SealKey, current_key, write_key
from poa_documents.seal.pades import check
from poa_documents.seal.values import SealBroken
from poa_documents.states import PoaStatus
from tests.certificate_issuer import Issuer, certificate_issuer
from tests.factories.poa_documents import sealing_poa, signed_poa
from tests.timestamp_authority import time_stamping_authority

pytestmark = pytest.mark.django_db

NOW = datetime.now(tz=UTC)


@pytest.fixture(params=["crl", "ocsp"])
def issuer(request: pytest.FixtureRequest, settings: Any, tmp_path: Path, own_storage: None) -> Iterator[Issuer]:
    with certificate_issuer(by=request.param) as running:
        settings.POA_SEAL_LONG_TERM = True
        use_key(settings, tmp_path, running.seal_key())
        yield running


def use_key(settings: Any, folder: Path, key: SealKey) -> None:
    file = folder / f"{key.fingerprint[:8]}.p12"
    assert write_key(key, file)
    settings.POA_SEAL_KEY_FILE, settings.POA_SEAL_PASSPHRASE = str(file), ""


def seal_key(settings: Any) -> SealKey:
    return current_key(settings.POA_SEAL_KEY_FILE, settings.POA_SEAL_PASSPHRASE)


def answers_inside(poa: PoaDocument) -> DocumentSecurityStore | None:
    try:
        return DocumentSecurityStore.read_dss(PdfFileReader(io.BytesIO(read_signed_pdf(poa))))
    except NoDSSFoundError:
        return None


def codes(at: datetime) -> set[AlarmCode]:
    return {alarm.code for alarm in alarms(measure(now=at), now=at)}


# What a document contains


def test_document_itself_proves_its_certificate_was_not_revoked(issuer: Issuer) -> None:
    assert actions.ask_issuers(at=NOW) == AskOutcome.KEPT
    issuer.fault = "down"

    poa = signed_poa(at=NOW + timedelta(minutes=1))

    [signature] = PdfFileReader(io.BytesIO(read_signed_pdf(poa))).embedded_signatures
    store = answers_inside(poa)
    assert store is not None
    root = asn1_x509.Certificate.load(issuer.certificate.public_bytes(Encoding.DER))
    context = store.as_validation_context(
        {"trust_roots": [root], "allow_fetching": False, "revocation_mode": "require", "moment": poa.signed_at}
    )
    status = result_of(async_validate_pdf_signature(signature, context))
    assert status.bottom_line
    assert status.coverage == SignatureCoverageLevel.ENTIRE_FILE


def test_revocation_status_is_unknown_without_the_answers(issuer: Issuer, settings: Any) -> None:
    """The check of the test above detects a missing answer."""
    settings.POA_SEAL_LONG_TERM = False

    poa = signed_poa(at=NOW)

    [signature] = PdfFileReader(io.BytesIO(read_signed_pdf(poa))).embedded_signatures
    root = asn1_x509.Certificate.load(issuer.certificate.public_bytes(Encoding.DER))
    context = ValidationContext(
        trust_roots=[root], allow_fetching=False, revocation_mode="require", moment=poa.signed_at, crls=[]
    )
    assert answers_inside(poa) is None
    assert not result_of(async_validate_pdf_signature(signature, context)).bottom_line
    assert issuer.asked == 0


def test_seal_covers_the_answers_and_allows_no_change(issuer: Issuer) -> None:
    actions.ask_issuers(at=NOW)

    poa = signed_poa(at=NOW)

    content = read_signed_pdf(poa)
    verify_sealed_file(poa)
    details = EvidenceEntry.objects.get(poa=poa, kind="seal").details
    archive = IssuersAnswer.objects.get().archive
    assert details["issuers_answers_sha256"] == [hashlib.sha256(bytes(archive)).hexdigest()]
    assert content.count(b"%%EOF") == 2, "the document and one revision: seal and answers together"
    for at in (content.index(b"/DSS"), content.index(b"/Certs")):
        changed = bytearray(content)
        changed[at] ^= 0x01
        with pytest.raises(SealBroken):
            check(bytes(changed), certificate_sha256=poa.seal_certificate_sha256)


def test_file_stays_archival_and_accessible(issuer: Issuer) -> None:
    actions.ask_issuers(at=NOW)

    reader = PdfReader(io.BytesIO(read_signed_pdf(signed_poa(at=NOW))))

    assert reader.pdf_header == "%PDF-1.7"
    assert reader.root_object.get("/Version", "/1.7") == "/1.7"
    assert reader.xmp_metadata is not None
    assert "<pdfaid:part>2<" in reader.xmp_metadata.stream.get_data().decode()


# Issuers that fail cost no signature


@pytest.mark.parametrize("fault", ["down", "garbage", "signed by a stranger"])
def test_failing_issuer_never_costs_the_signature(issuer: Issuer, fault: str) -> None:
    issuer.fault = fault

    outcome = actions.ask_issuers(at=NOW)
    poa = signed_poa(at=NOW)

    assert outcome == AskOutcome.NO_ANSWER
    assert poa.status == PoaStatus.SIGNED
    verify_sealed_file(poa)
    assert answers_inside(poa) is None
    assert AlarmCode.SEAL_ISSUER_UNANSWERED in codes(NOW)


def test_issuers_last_answer_counts_until_it_expires(issuer: Issuer) -> None:
    actions.ask_issuers(at=NOW)
    issuer.fault = "down"

    early = signed_poa(at=NOW + timedelta(days=1))
    assert actions.ask_issuers(at=NOW + timedelta(days=1)) == AskOutcome.NO_ANSWER
    late = signed_poa(at=NOW + timedelta(days=3))

    assert answers_inside(early) is not None
    assert answers_inside(late) is None
    assert AlarmCode.SEAL_ISSUER_UNANSWERED not in codes(NOW + timedelta(days=1))
    assert AlarmCode.SEAL_ISSUER_UNANSWERED in codes(NOW + timedelta(days=3))


def test_no_issuer_is_asked_while_a_customer_signs(issuer: Issuer) -> None:
    actions.ask_issuers(at=NOW)
    asked = issuer.asked

    signed_poa(at=NOW)

    assert issuer.asked == asked


def test_issuers_are_asked_again_and_old_answers_deleted(issuer: Issuer) -> None:
    outcomes = [actions.ask_issuers(at=NOW + timedelta(hours=hours)) for hours in (0, 1, 5, 7, 24 * 31)]

    assert outcomes == [AskOutcome.KEPT, AskOutcome.NOT_DUE, AskOutcome.NOT_DUE, AskOutcome.KEPT, AskOutcome.KEPT]
    assert IssuersAnswer.objects.count() == 1


# Two attempts


def test_retry_makes_identical_bytes_despite_a_newer_answer(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    actions.ask_issuers(at=NOW)
    poa = sealing_poa(at=NOW + timedelta(minutes=1))
    made = []

    def refuse(_seconds: float, content: bytes) -> None:
        made.append(content)
        raise FileNotStored("away")

    with monkeypatch.context() as patched:
        patched.setattr(seals, "_store_within", refuse)
        actions.seal_poa(poa_id=poa.pk, at=NOW + timedelta(minutes=1))
    issuer.counts_for = timedelta(days=5)
    assert actions.ask_issuers(at=NOW + timedelta(hours=8)) == AskOutcome.KEPT
    assert actions.seal_poa(poa_id=poa.pk, at=NOW + timedelta(hours=9)) == SealOutcome.SEALED

    poa.refresh_from_db()
    assert [read_signed_pdf(poa)] == made


# Revoked


def test_revoked_certificate_seals_nothing_new_but_old_seals_count(
    issuer: Issuer, settings: Any, tmp_path: Path
) -> None:
    actions.ask_issuers(at=NOW)
    before = signed_poa(at=NOW)
    issuer.revoked.add(seal_key(settings).certificate.serial_number)

    assert actions.ask_issuers(at=NOW + timedelta(hours=7)) == AskOutcome.REVOKED
    waiting = sealing_poa(at=NOW + timedelta(hours=8))
    assert actions.seal_poa(poa_id=waiting.pk, at=NOW + timedelta(hours=8)) == SealOutcome.WAITING_FOR_KEY

    verify_sealed_file(before)
    waiting.refresh_from_db()
    assert "was revoked" in waiting.last_error
    assert AlarmCode.SEAL_KEY_UNUSABLE in codes(NOW + timedelta(hours=8))
    use_key(settings, tmp_path, issuer.seal_key(owner="The next key"))
    assert actions.seal_poa(poa_id=waiting.pk, at=NOW + timedelta(hours=9)) == SealOutcome.SEALED


# The authority of time stamps


def test_time_stamp_authority_answers_are_included(issuer: Issuer, settings: Any, tmp_path: Path) -> None:
    at = datetime.now(tz=UTC)  # the authority uses the time of the test, not of its import
    with time_stamping_authority(certified_by=issuer.certify_authority) as authority:
        settings.POA_SEAL_TIMESTAMP_URL = authority.url
        file = tmp_path / "roots.pem"
        file.write_bytes(issuer.certificate.public_bytes(Encoding.PEM))
        settings.POA_SEAL_TIMESTAMP_CA_FILE = str(file)
        signed_poa(at=at)
        assert actions.ask_issuers(at=at + timedelta(minutes=1)) == AskOutcome.KEPT

        poa = signed_poa(at=at + timedelta(minutes=2))

    assert set(IssuersAnswer.objects.values_list("certificate_sha256", flat=True)) == {
        seal_key(settings).fingerprint,
        authority.certificate.fingerprint(hashes.SHA256()).hex(),
    }
    [signature] = PdfFileReader(io.BytesIO(read_signed_pdf(poa))).embedded_signatures
    store = answers_inside(poa)
    assert store is not None
    root = asn1_x509.Certificate.load(issuer.certificate.public_bytes(Encoding.DER))
    terms = {"trust_roots": [root], "allow_fetching": False, "revocation_mode": "require", "moment": poa.signed_at}
    of_seal, of_stamp = (store.as_validation_context(dict(terms)) for _ in range(2))
    status = result_of(async_validate_pdf_signature(signature, of_seal, of_stamp))
    assert status.bottom_line
    assert status.timestamp_validity is not None
    assert status.timestamp_validity.trusted
    verify_sealed_file(poa)


def test_addresses_of_unlisted_authorities_are_not_called(issuer: Issuer, settings: Any) -> None:
    actions.ask_issuers(at=NOW)
    asked = issuer.asked
    with time_stamping_authority(certified_by=issuer.certify_authority) as authority:
        settings.POA_SEAL_TIMESTAMP_URL = authority.url
        signed_poa(at=NOW)

        actions.ask_issuers(at=NOW + timedelta(minutes=1))

    assert issuer.asked == asked


# Off, and nobody to ask


def test_self_signed_certificate_raises_an_alarm(settings: Any, own_storage: None) -> None:
    settings.POA_SEAL_LONG_TERM = True

    assert actions.ask_issuers(at=NOW) == AskOutcome.NOTHING_TO_ASK
    poa = signed_poa(at=NOW)

    assert answers_inside(poa) is None
    assert "self-signed" in next(
        alarm.text for alarm in alarms(measure(now=NOW), now=NOW) if alarm.code == AlarmCode.SEAL_ISSUER_UNANSWERED
    )


def test_nobody_is_asked_when_switched_off(issuer: Issuer, settings: Any) -> None:
    settings.POA_SEAL_LONG_TERM = False

    assert actions.ask_issuers(at=NOW) == AskOutcome.NOTHING_TO_ASK
    assert issuer.asked == 0
    assert AlarmCode.SEAL_ISSUER_UNANSWERED not in codes(NOW)


def test_command_asks_immediately_and_prints_the_answers(issuer: Issuer, settings: Any) -> None:
    said = StringIO()
    call_command("seal", "ask", stdout=said)
    call_command("seal", "check", stdout=said)
    assert "Not revoked" in said.getvalue()

    issuer.fault = "down"
    with pytest.raises(CommandError, match="still sealed"):
        call_command("seal", "ask", stdout=said)
    issuer.fault = ""
    issuer.revoked.add(seal_key(settings).certificate.serial_number)
    for what in ("ask", "check"):
        with pytest.raises(CommandError, match="revoked"):
            call_command("seal", what, stdout=said)
