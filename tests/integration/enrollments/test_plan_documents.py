"""A plan's documents are owed with the attempt, fetched separately, kept under their hash, and never delay anything."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from core import stored_files
from core.actors import Actor
from core.stored_files import StoredFile
from enrollments.actions import plan_documents
from enrollments.actions.plan_documents import FetchOutcome
from enrollments.light.documents import DocumentFetcher
from enrollments.models import Enrollment, PlanDocument
from enrollments.monitoring.measures import measure
from enrollments.states import EnrollmentStatus
from poa_documents.actions import revoke_poa
from poa_documents.journal import chain
from poa_documents.models import PoaDocument
from tests.factories.poa_documents import signed_poa
from tests.integration.enrollments.flow import Flow

pytestmark = pytest.mark.django_db


@pytest.fixture
def accepted(flow: Flow) -> Enrollment:
    enrollment = flow.case()
    flow.run(enrollment)
    flow.finish_at_light(enrollment)
    flow.pass_time(timedelta(days=20))
    flow.report_pto(enrollment)
    flow.run(enrollment)
    assert enrollment.status == EnrollmentStatus.FINALIZED
    return enrollment


def fetch_due(flow: Flow, *origins: str) -> list[FetchOutcome]:
    fetcher = DocumentFetcher(allowed_origins=origins or [flow.simulator.url])
    return [
        plan_documents.fetch_document(document_id=pk, fetcher=fetcher, at=flow.clock.at)
        for pk in plan_documents.due_documents(at=flow.clock.at, limit=10)
    ]


def test_all_three_are_stored_under_their_hash_with_evidence(flow: Flow, accepted: Enrollment) -> None:
    outcomes = fetch_due(flow)

    documents = PlanDocument.objects.filter(offer=accepted.accepted_offer)
    assert outcomes == [FetchOutcome.STORED] * 3
    assert {document.kind for document in documents} == {"EFL", "TOS", "YRAC"}
    for document in documents:
        content = stored_files.read(StoredFile(document.storage_key, document.sha256, document.size_bytes or 0))
        assert len(content) == document.size_bytes
        assert document.url.encode().rsplit(b"/", 2)[1] in content
    kept = PoaDocument.objects.get(site=accepted.site).evidence.filter(kind="enrollment.store_plan_document")
    assert {entry.details["sha256"] for entry in kept} == {document.sha256 for document in documents}


@pytest.mark.one_dialect
def test_acceptance_evidence_names_the_offer_and_date_plan(accepted: Enrollment) -> None:
    write = accepted.writes.get(kind="ACCEPT_PLAN")
    poa = PoaDocument.objects.get(site=accepted.site)

    entry = poa.evidence.get(kind="enrollment.start_accepting")

    assert accepted.accepted_offer is not None
    assert entry.details["offer_sha256"] == accepted.accepted_offer.raw_sha256
    assert entry.details["poa_sha256"] == poa.pdf_sha256
    assert write.request["date_plan"]["best"] == str(accepted.service_start_date)
    assert write.request["date_plan"]["earliest"]["rule"]
    assert chain.verify(poa).is_intact


@pytest.mark.one_dialect
def test_acceptance_does_not_wait_for_documents(flow: Flow, accepted: Enrollment) -> None:
    assert accepted.accepted_at is not None

    assert PlanDocument.objects.filter(stored_at__isnull=True).count() == 3


@pytest.mark.one_dialect
def test_second_fetch_keeps_the_first_document(flow: Flow, accepted: Enrollment) -> None:
    fetch_due(flow)
    first = PlanDocument.objects.values_list("pk", flat=True)[0]

    with CaptureQueriesContext(connection) as queries:
        again = plan_documents.fetch_document(
            document_id=first, fetcher=DocumentFetcher(allowed_origins=[flow.simulator.url]), at=flow.clock.at
        )

    assert again == FetchOutcome.NOTHING_TO_FETCH
    assert len(queries) == 1


@pytest.mark.one_dialect
def test_foreign_origin_is_fetched_once_a_person_allows_it(flow: Flow, accepted: Enrollment) -> None:
    for _ in range(plan_documents.BACKOFF.max_failures or 0):
        outcomes = fetch_due(flow, "https://elsewhere.example.com")
        flow.pass_time(timedelta(hours=8))

    assert outcomes == [FetchOutcome.GIVEN_UP] * 3
    given_up = PlanDocument.objects.filter(due_at__isnull=True, last_error__contains="LIGHT_DOCUMENT_ORIGINS")
    assert given_up.count() == 3
    assert measure(now=flow.clock.at).plan_documents_given_up == 3
    assert plan_documents.fetch_again(enrollment_id=accepted.pk, at=flow.clock.at) == 3
    assert measure(now=flow.clock.at).plan_documents_given_up == 0
    assert fetch_due(flow) == [FetchOutcome.STORED] * 3


@pytest.mark.one_dialect
def test_work_queue_links_to_documents_given_up(flow: Flow, accepted: Enrollment, admin_client: Client) -> None:
    PlanDocument.objects.update(attempts=(plan_documents.BACKOFF.max_failures or 0) - 1)
    assert fetch_due(flow, "https://elsewhere.example.com") == [FetchOutcome.GIVEN_UP] * 3

    queue = admin_client.get("/admin/").content.decode()
    listed = admin_client.get("/admin/enrollments/plandocument/?state=given-up").content.decode()
    stored = admin_client.get("/admin/enrollments/plandocument/?state=stored").content.decode()

    assert "Documents of accepted plans that we stopped trying to fetch: 3." in queue
    assert f"Electricity Facts Label for {accepted.customer}" in queue
    pages = [f"/admin/enrollments/plandocument/{each.public_id}/" for each in PlanDocument.objects.all()]
    assert all(page in listed for page in pages)
    assert not any(page in stored for page in pages)


@pytest.mark.one_dialect
def test_late_document_is_recorded_in_its_own_journal(flow: Flow, accepted: Enrollment) -> None:
    poa = PoaDocument.objects.get(site=accepted.site)
    revoke_poa(poa_id=poa.pk, by=Actor.customer(poa.customer.public_id), at=flow.clock.at)
    newer = signed_poa(customer=accepted.customer, site=accepted.site, at=flow.clock.at)

    outcomes = fetch_due(flow)

    assert outcomes == [FetchOutcome.STORED] * 3
    named = {entry.details["storage_key"] for entry in poa.evidence.filter(kind="enrollment.store_plan_document")}
    assert named == set(PlanDocument.objects.values_list("storage_key", flat=True))
    assert not newer.evidence.filter(kind="enrollment.store_plan_document").exists()
    assert chain.verify(poa).is_intact


@pytest.mark.one_dialect
def test_storage_outage_loses_no_document(flow: Flow, accepted: Enrollment, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> StoredFile:
        raise stored_files.FileNotStored("down")

    with monkeypatch.context() as while_down:
        while_down.setattr(plan_documents, "store", refuse)
        assert set(fetch_due(flow)) == {FetchOutcome.TRIED_AGAIN_LATER}
    assert fetch_due(flow) == []
    flow.pass_time(timedelta(minutes=2))

    assert fetch_due(flow) == [FetchOutcome.STORED] * 3
