"""Signing on paper: printed, signed by hand, scanned in by one person, confirmed by another."""

import io
import itertools
from datetime import date, timedelta
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.test import Client
from PIL import Image
from pypdf import PdfReader

from accounts.models import User
from core.actors import Actor
from core.admin.links import button_url
from core.moves import MoveNotAllowed
from core.stored_files import FileAltered
from installations.models import Language
from installations.proofs import CheckedProof, check_proof
from poa_documents import actions
from poa_documents.authority_check import AuthorityNotSigned, check_authority, read_signed_pdf
from poa_documents.journal import chain
from poa_documents.models import PaperSignature, PoaDocument, SignatureKind, Statement
from poa_documents.states import PoaStatus
from tests.factories.company import set_company_rules
from tests.factories.installations import customer, installation
from tests.factories.poa_documents import SIGNED_AT, drafted_poa, sent_poa, signed_poa
from tests.integration.poa_documents.portal_visits import fresh
from tests.integration.poa_documents.spanish import english_in
from tests.pdf_files import packed_letter

pytestmark = pytest.mark.django_db

OLIVIA, OSCAR = Actor.staff(UUID(int=11)), Actor.staff(UUID(int=12))
SIGNED_DATE = date(2026, 3, 2)
NOISE = itertools.count(20)
"""No two scans have the same bytes: a test that damages one affects no other."""
LATER = SIGNED_AT + timedelta(hours=3)


def picture() -> bytes:
    written = io.BytesIO()
    Image.effect_noise((60, 80), next(NOISE)).save(written, "JPEG")
    return written.getvalue()


def scan() -> CheckedProof:
    content = picture()
    return check_proof(io.BytesIO(content), name="scan.jpg", size_bytes=len(content))


def recorded(poa: PoaDocument) -> PaperSignature:
    actions.print_for_paper(poa_id=poa.pk, by=OLIVIA, at=SIGNED_AT)
    return actions.record_paper(poa_id=poa.pk, scan=scan(), signed_date=SIGNED_DATE, by=OLIVIA, at=SIGNED_AT)


def text_of_pdf(content: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).split())


@pytest.mark.parametrize("language", Language.values)
def test_printed_document_is_complete_in_the_customers_language(language: str) -> None:
    job = installation(SIGNED_AT, customer=customer(SIGNED_AT, language=language))
    poa = drafted_poa(customer=job.customer, site=job.site)

    content = actions.print_for_paper(poa_id=poa.pk, by=OLIVIA, at=SIGNED_AT)

    text = text_of_pdf(content)
    assert b"<pdfuaid:part>1" in content
    assert poa.site.esi_id in text
    assert ("Signature by hand" if language == "en" else "Firma a mano") in text
    assert "electronically" not in text
    assert language == "en" or english_in(text) == set()


@pytest.mark.parametrize("made", [drafted_poa, sent_poa])
def test_paper_signature_counts_only_after_the_second_person(made: object) -> None:
    poa: PoaDocument = made()  # type: ignore[operator]
    recorded(poa)
    with pytest.raises(AuthorityNotSigned):
        check_authority(fresh(poa), esi_id=poa.envelope.esi_id, at=LATER)

    actions.confirm_paper(poa_id=poa.pk, by=OSCAR, at=LATER)
    actions.seal_poa(poa_id=poa.pk, at=LATER)

    assert (fresh(poa).status, fresh(poa).signature_kind) == (PoaStatus.SIGNED, SignatureKind.PAPER)
    assert set(poa.consents.values_list("statement", flat=True)) == set(Statement) - {Statement.ERECORD}
    assert [entry.kind for entry in poa.evidence.order_by("number")][-4:-1] == [
        "printed",
        "paper_recorded",
        "sign_on_paper",
    ]
    assert chain.verify(poa).is_intact


def test_sealed_document_names_both_people_and_the_scan() -> None:
    poa = drafted_poa()
    paper = recorded(poa)
    actions.confirm_paper(poa_id=poa.pk, by=OSCAR, at=LATER)
    actions.seal_poa(poa_id=poa.pk, at=LATER)

    text = text_of_pdf(read_signed_pdf(fresh(poa)))

    assert "Signed by hand on paper" in text
    for said in (f"staff:{UUID(int=11)}", f"staff:{UUID(int=12)}", paper.scan_sha256, "March 2, 2026"):
        assert said in text


def test_same_person_twice_is_refused_by_code_and_database() -> None:
    poa = drafted_poa()
    paper = recorded(poa)

    with pytest.raises(actions.SamePersonTwice):
        actions.confirm_paper(poa_id=poa.pk, by=OLIVIA, at=LATER)
    with pytest.raises(IntegrityError), transaction.atomic():
        PaperSignature.objects.filter(pk=paper.pk).update(confirmed_by=paper.recorded_by, confirmed_at=LATER)

    assert fresh(poa).status == PoaStatus.DRAFT


def test_wording_that_was_never_printed_cannot_be_signed() -> None:
    poa = drafted_poa()
    with pytest.raises(actions.NotPrinted):
        actions.record_paper(poa_id=poa.pk, scan=scan(), signed_date=SIGNED_DATE, by=OLIVIA, at=SIGNED_AT)
    recorded(poa)
    set_company_rules(broker_number="BR999999", name="Another Company")

    with pytest.raises(actions.WordingChanged):
        actions.confirm_paper(poa_id=poa.pk, by=OSCAR, at=LATER)


@pytest.mark.parametrize("day", [SIGNED_DATE - timedelta(days=1), SIGNED_DATE + timedelta(days=1)])
def test_impossible_date_is_refused(day: date) -> None:
    poa = drafted_poa()
    actions.print_for_paper(poa_id=poa.pk, by=OLIVIA, at=SIGNED_AT)

    with pytest.raises(actions.ImpossibleSignedDate):
        actions.record_paper(poa_id=poa.pk, scan=scan(), signed_date=day, by=OLIVIA, at=SIGNED_AT)


def test_refused_scan_stays_and_another_may_follow() -> None:
    poa = drafted_poa()
    recorded(poa)
    with pytest.raises(actions.PaperAlreadyRecorded):
        recorded(poa)

    actions.refuse_paper(poa_id=poa.pk, reason="Page 2 is missing.", by=OSCAR, at=LATER)
    with pytest.raises(actions.NoPaperWaiting):
        actions.confirm_paper(poa_id=poa.pk, by=OSCAR, at=LATER)
    recorded(poa)
    actions.confirm_paper(poa_id=poa.pk, by=OSCAR, at=LATER)

    assert poa.paper_signatures.count() == 2
    assert fresh(poa).status == PoaStatus.SEALING


def test_damaged_scan_is_not_confirmed(settings: LazySettings) -> None:
    poa = drafted_poa()
    paper = recorded(poa)
    (settings.DATA_DIR / "files" / paper.scan_storage_key).write_bytes(b"something else")

    with pytest.raises(FileAltered):
        actions.confirm_paper(poa_id=poa.pk, by=OSCAR, at=LATER)


def test_document_signed_online_is_not_signed_on_paper_again() -> None:
    poa = signed_poa()

    with pytest.raises(MoveNotAllowed):
        actions.print_for_paper(poa_id=poa.pk, by=OLIVIA, at=LATER)


def test_two_office_people_confirm_with_buttons() -> None:
    poa = sent_poa()
    first, second = (client_of(name) for name in ("olivia", "oscar"))
    printed = first.post(button_url(poa, "print-for-paper"))
    upload = SimpleUploadedFile("scan.jpg", picture(), "image/jpeg")

    first.post(button_url(poa, "record-paper"), {"signed_date": poa.created_at.date().isoformat(), "scan": upload})
    by_herself = first.post(button_url(poa, "confirm-paper"), follow=True)
    seen = second.post(button_url(poa, "look-at-scan"))
    second.post(button_url(poa, "confirm-paper"))

    assert printed["Content-Type"] == "application/pdf"
    assert "Someone else must compare" in by_herself.content.decode()
    assert seen["Content-Type"] == "image/jpeg"
    assert poa.evidence.filter(kind="viewed").count() == 1
    assert fresh(poa).status in {PoaStatus.SEALING, PoaStatus.SIGNED}


def test_scan_with_a_hidden_program_is_refused_with_reason() -> None:
    poa = sent_poa()
    first = client_of("olivia")
    first.post(button_url(poa, "print-for-paper"))
    hostile = packed_letter(catalog=b"/OpenAction <</S /J#61vaScript /JS (x)>>")
    upload = SimpleUploadedFile("scan.pdf", hostile, "application/pdf")

    answer = first.post(
        button_url(poa, "record-paper"), {"signed_date": poa.created_at.date().isoformat(), "scan": upload}, follow=True
    )

    assert "contains a form, a script" in answer.content.decode()
    assert not PaperSignature.objects.filter(poa=poa).exists()


def client_of(name: str) -> Client:
    person = User.objects.create_user(name, password="a long enough password", is_staff=True)
    person.groups.add(Group.objects.get(name="office"))
    client = Client()
    client.force_login(person)
    return client
