"""Records past their retention period are destroyed permanently and with proof; everything else is kept."""

import io
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command

from core import clock, stored_files
from core.actors import OPERATOR
from core.dates import chicago_day, chicago_midnight
from core.errors import ReasonMissing
from enrollments.actions import destruction
from enrollments.actions.case_opening import reconsider_site
from enrollments.actions.destruction import Candidate, NotDueForDestruction, candidates
from enrollments.actions.legal_holds import AlreadyOnLegalHold, NotOnLegalHold, lift_legal_hold, place_legal_hold
from enrollments.actions.retention_rules import RuleNotPossible, decide_retention_rule
from enrollments.models import DestroyedFile, Destruction, Enrollment, LegalHold, PlanDocument, RetentionRule
from enrollments.retention_terms import RecordClass, RetentionClock, add_months
from installations.models import Customer, Installation, ProofFile
from installations.proofs import check_proof
from poa_documents.actions import decline_poa, end_stop_signal, record_stop_signal
from poa_documents.authority_check import CustomerStopped, check_not_stopped
from poa_documents.journal.verification import verify_journal
from poa_documents.models import (
    ConsentRecord,
    DestructionProof,
    Envelope,
    EvidenceEntry,
    PoaDocument,
    StopKind,
    StopSignal,
)
from tests.contract.dialects import DIALECT_PAIRS, DialectPair
from tests.factories.cases import StoppedClock
from tests.factories.installations import go_live_report, installation, site
from tests.factories.poa_documents import sent_poa
from tests.integration.enrollments.flow import OFFICE, Flow
from tests.integration.enrollments.test_evidence_pack import from_pto_to_active, made
from tests.integration.installations.test_proofs_without_storage import SENT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_storage")]


@pytest.fixture
def pair() -> DialectPair:
    return DIALECT_PAIRS[0]


@pytest.fixture(autouse=True)
def rules(db: None) -> None:
    """The rules of a new database, also after a test that emptied all tables."""
    for record_class, counted, months in (
        (RecordClass.UNSIGNED, RetentionClock.REQUEST_END, 12),
        (RecordClass.CASE, RetentionClock.ENROLLMENT, 24),
        (RecordClass.CASE, RetentionClock.CONTRACT_END, 48),
    ):
        RetentionRule.objects.get_or_create(
            record_class=record_class,
            clock=counted,
            effective_from_date=date(2026, 1, 1),
            defaults={"months": months, "decided_at": chicago_midnight(date(2026, 1, 1))},
        )


@pytest.fixture
def flow(flow: Flow) -> Flow:
    """Its last check compares with Light's acceptances, which a purge removes as an old backup does."""
    flow.has_lost_records = True
    return flow


def candidate_of(record: Any, today: date) -> Candidate:
    return next(each for each in candidates(today=today) if each.record == record)


def last_day_of(enrollment: Enrollment) -> date:
    assert enrollment.service_start_date is not None
    assert enrollment.accepted_offer is not None
    return add_months(enrollment.service_start_date, (enrollment.accepted_offer.term_months or 0) + 48)


def noon(day: date) -> datetime:
    return chicago_midnight(day) + timedelta(hours=12)


def purge(monkeypatch: pytest.MonkeyPatch, at: datetime, *arguments: str) -> str:
    monkeypatch.setattr(clock, "configured_clock", lambda: StoppedClock(at))
    said = io.StringIO()
    call_command("purge", *arguments, stdout=said, stderr=said)
    return said.getvalue()


def test_case_is_kept_to_its_last_day_then_destroyed(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    enrollment = from_pto_to_active(flow)
    _, summary = made(enrollment)
    poa = PoaDocument.objects.get(site=enrollment.site)
    keys = [poa.pdf_storage_key, *PlanDocument.objects.values_list("storage_key", flat=True)]
    keys += ProofFile.objects.values_list("storage_key", flat=True)
    last = last_day_of(enrollment)
    name, poa_public_id = f"enrollment {enrollment.public_id}", poa.public_id

    assert "0 destroyed, 1 kept" in purge(monkeypatch, noon(last))
    dry = purge(monkeypatch, noon(last + timedelta(days=1)), "--dry-run")
    assert f"due: {name}" in dry
    assert Enrollment.objects.filter(pk=enrollment.pk).exists()
    said = purge(monkeypatch, noon(last + timedelta(days=1)))

    assert f"destroyed: {name}" in said
    for model in (Enrollment, PoaDocument, ConsentRecord, EvidenceEntry, Envelope, PlanDocument, ProofFile):
        assert not model.objects.exists(), model
    assert len(keys) == 5
    assert not any(storages["default"].exists(key) for key in keys)
    proof = Destruction.objects.get(subject=name)
    assert proof.sha256 == summary.sha256
    assert "48 months from the end of the contract" in proof.rule
    assert proof.kept_until_date == last
    journal = DestructionProof.objects.get(poa_public_id=poa_public_id)
    assert proof.sha256 in journal.reason
    assert summary.sha256 in journal.reason
    assert verify_journal().findings == []
    assert Installation.objects.exists()
    assert Customer.objects.get(pk=enrollment.customer_id).date_of_birth is None


def reported(enrollment: Enrollment, kind: StopKind, at: datetime) -> StopSignal:
    return record_stop_signal(
        customer_id=enrollment.customer_id, kind=kind, source="Her daughter Ana called.", by=OFFICE, at=at
    )


def test_stop_signals_are_destroyed_with_the_persons_last_records(flow: Flow) -> None:
    enrollment = from_pto_to_active(flow)
    ended = reported(enrollment, StopKind.INCAPACITATED, flow.clock.at)
    end_stop_signal(signal_id=ended.pk, decision="Dr. Lee says she can decide.", by=OFFICE, at=flow.clock.at)
    standing = reported(enrollment, StopKind.DECEASED, flow.clock.at)
    after = last_day_of(enrollment) + timedelta(days=1)

    proof = destruction.destroy(candidate_of(enrollment, after), by=OPERATOR, at=noon(after))

    left = StopSignal.objects.get()
    assert (left.pk, left.kind, left.source, left.decision) == (standing.pk, StopKind.DECEASED, "", "")
    assert proof.rows["poa_documents.StopSignal"] == 1
    with pytest.raises(CustomerStopped):
        check_not_stopped(enrollment.customer_id)


def test_stop_signals_stay_while_another_case_is_kept(flow: Flow) -> None:
    enrollment = from_pto_to_active(flow)
    customer = Customer.objects.get(pk=enrollment.customer_id)
    signal = reported(enrollment, StopKind.INCAPACITATED, flow.clock.at)
    end_stop_signal(signal_id=signal.pk, decision="She can decide.", by=OFFICE, at=flow.clock.at)
    other = installation(flow.clock.at, customer=customer, site=site(flow.clock.at))
    reconsider_site(site_id=other.site_id, at=flow.clock.at)
    after = last_day_of(enrollment) + timedelta(days=1)

    destruction.destroy(candidate_of(enrollment, after), by=OPERATOR, at=noon(after))

    signal.refresh_from_db()
    assert (signal.source, signal.decision) == ("Her daughter Ana called.", "She can decide.")
    customer.refresh_from_db()
    assert customer.date_of_birth is not None


def test_stop_signals_are_destroyed_with_the_last_request(flow: Flow) -> None:
    job = installation(flow.clock.at, site=site(flow.clock.at))
    poa = sent_poa(customer=job.customer, site=job.site, at=flow.clock.at)
    signal = record_stop_signal(
        customer_id=job.customer_id, kind=StopKind.DECEASED, source="A neighbor.", by=OFFICE, at=flow.clock.at
    )
    poa.refresh_from_db()
    after = add_months(chicago_day(flow.clock.at), 12) + timedelta(days=1)

    destruction.destroy(candidate_of(poa, after), by=OPERATOR, at=noon(after))

    signal.refresh_from_db()
    assert signal.source == ""
    assert Customer.objects.get(pk=job.customer_id).date_of_birth is None


def test_legal_hold_keeps_everything_until_lifted(flow: Flow) -> None:
    enrollment = from_pto_to_active(flow)
    at = noon(last_day_of(enrollment) + timedelta(days=400))
    place_legal_hold(enrollment_id=enrollment.pk, kind="DISPUTE", reason="PUCT complaint 7.", by=OFFICE, at=at)

    held = candidate_of(enrollment, chicago_day(at))
    with pytest.raises(NotDueForDestruction, match="PUCT complaint 7"):
        destruction.destroy(held, by=OPERATOR, at=at)

    assert not held.is_due(chicago_day(at))
    assert Enrollment.objects.filter(pk=enrollment.pk).exists()
    assert not Destruction.objects.exists()
    assert PoaDocument.objects.get(site=enrollment.site).evidence.filter(kind="enrollment.place_legal_hold").exists()
    lift_legal_hold(enrollment_id=enrollment.pk, reason="Settled.", by=OFFICE, at=at)
    destruction.destroy(candidate_of(enrollment, chicago_day(at)), by=OPERATOR, at=at)
    assert not Enrollment.objects.filter(pk=enrollment.pk).exists()


def test_hold_placed_during_the_purge_keeps_the_case(flow: Flow) -> None:
    enrollment = from_pto_to_active(flow)
    at = noon(last_day_of(enrollment) + timedelta(days=1))
    seen = candidate_of(enrollment, chicago_day(at))
    assert seen.is_due(chicago_day(at))
    place_legal_hold(enrollment_id=enrollment.pk, kind="LEGAL_HOLD", reason="A letter came.", by=OFFICE, at=at)

    with pytest.raises(NotDueForDestruction):
        destruction.destroy(seen, by=OPERATOR, at=at)

    assert PoaDocument.objects.filter(site=enrollment.site).exists()
    assert DestroyedFile.objects.count() == 0


def test_declined_request_is_kept_for_a_year(flow: Flow) -> None:
    enrollment = flow.case(signed=False)
    job = enrollment.installations.get()
    poa = sent_poa(customer=job.customer, site=job.site, at=flow.clock.at)
    decline_poa(poa_id=poa.pk, by=OFFICE, at=flow.clock.at)
    poa.refresh_from_db()
    last = add_months(chicago_day(flow.clock.at), 12)

    assert not candidate_of(poa, last).is_due(last)
    proof = destruction.destroy(
        candidate_of(poa, last + timedelta(days=1)), by=OPERATOR, at=noon(last + timedelta(days=1))
    )

    assert proof.record_class == RecordClass.UNSIGNED
    assert not PoaDocument.objects.filter(pk=poa.pk).exists()
    assert Enrollment.objects.filter(pk=enrollment.pk).exists()
    assert verify_journal().findings == []


def test_open_case_is_never_a_candidate(flow: Flow) -> None:
    flow.case()

    assert list(candidates(today=date(2060, 1, 1))) == []


def test_photos_are_destroyed_with_their_originals(flow: Flow) -> None:
    enrollment = from_pto_to_active(flow)
    proof = check_proof(io.BytesIO(SENT), name="letter.jpg", size_bytes=len(SENT))
    report = go_live_report(enrollment.installations.get(), at=flow.clock.at, proofs=[proof])
    kept = report.proofs.get()
    after = noon(last_day_of(enrollment) + timedelta(days=1))

    destruction.destroy(candidate_of(enrollment, chicago_day(after)), by=OPERATOR, at=after)

    assert kept.received_storage_key
    assert not storages["default"].exists(kept.received_storage_key)
    assert not storages["default"].exists(kept.storage_key)


def test_shared_files_stay_and_locked_files_are_retried(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    enrollment = from_pto_to_active(flow)
    other = from_pto_to_active(flow)
    shared = ProofFile.objects.filter(report__installation__enrollments=enrollment).get().storage_key
    at = noon(last_day_of(enrollment) + timedelta(days=1))

    def locked(_key: str) -> None:
        raise PermissionError("the lock runs until 2031")

    with monkeypatch.context() as while_locked:
        while_locked.setattr(stored_files, "destroy", locked)
        destruction.destroy(candidate_of(enrollment, chicago_day(at)), by=OPERATOR, at=at)
        reasons = set(DestroyedFile.objects.values_list("kept_because", flat=True))
        place_legal_hold(enrollment_id=other.pk, kind="DISPUTE", reason="Another matter.", by=OFFICE, at=at)
        with pytest.raises(CommandError, match="could not be destroyed"):
            purge(monkeypatch, at)
    destruction.destroy_files(at=at)

    assert reasons == {"another record uses the same file", "PermissionError: the lock runs until 2031"}
    left = DestroyedFile.objects.filter(destroyed_at__isnull=True)
    assert [file.storage_key for file in left] == [shared]
    assert storages["default"].exists(shared)


def test_invalid_holds_and_rules_are_refused(flow: Flow) -> None:
    enrollment = flow.case()
    at = flow.clock.at
    today = chicago_day(at)

    with pytest.raises(ReasonMissing):
        place_legal_hold(enrollment_id=enrollment.pk, kind="DISPUTE", reason=" ", by=OFFICE, at=at)
    with pytest.raises(NotOnLegalHold):
        lift_legal_hold(enrollment_id=enrollment.pk, reason="Over.", by=OFFICE, at=at)
    place_legal_hold(enrollment_id=enrollment.pk, kind="DISPUTE", reason="A call.", by=OFFICE, at=at)
    with pytest.raises(AlreadyOnLegalHold, match="A call"):
        place_legal_hold(enrollment_id=enrollment.pk, kind="DISPUTE", reason="Again.", by=OFFICE, at=at)
    with pytest.raises(ReasonMissing):
        lift_legal_hold(enrollment_id=enrollment.pk, reason="", by=OFFICE, at=at)
    rule: dict[str, Any] = {"record_class": "CASE", "clock": "ENROLLMENT", "months": 36, "source": "Counsel."}
    with pytest.raises(RuleNotPossible, match="today"):
        decide_retention_rule(**rule, effective_from_date=today - timedelta(days=1), by=OFFICE, at=at)
    decide_retention_rule(**rule, effective_from_date=today, by=OFFICE, at=at)
    with pytest.raises(RuleNotPossible, match="already"):
        decide_retention_rule(**rule, effective_from_date=today, by=OFFICE, at=at)
    assert LegalHold.objects.count() == 1


def test_dry_run_names_open_cases_too(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    signed, invited = flow.case(), flow.case(signed=False)
    request = sent_poa(customer=invited.customer, site=invited.site)

    said = purge(monkeypatch, flow.clock.at, "--dry-run")

    for subject in (
        f"enrollment {signed.public_id}",
        f"enrollment {invited.public_id}",
        f"POA {request.public_id}",
    ):
        assert f"kept: {subject}, while it is open" in said
    assert "0 would be destroyed, 3 are kept." in said
