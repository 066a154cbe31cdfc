"""An enrollment's page: the gates, the next step and why, offers beside limits, and the whole history."""

import ast
import hashlib
import io
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from core.actors import Actor
from core.admin.links import button_url, record_url
from enrollments.evidence_pack import verify_pack
from enrollments.models import EvidencePackRead, LightWrite, RemoteCall, WebhookDelivery
from enrollments.states import HoldCode, WriteKind
from tests.factories.cases import case, case_waiting_for_signature, decided_once, hold, judged_offer
from tests.factories.installations import AT, go_live_report, installation
from tests.factories.poa_documents import revoked_poa, signed_poa

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[3]


def test_page_says_next_step_reason_and_whose_turn(office_client: Client) -> None:
    enrollment = case_waiting_for_signature()

    page = office_client.get(record_url(enrollment)).content.decode()

    assert "Next: Waiting for the customer to sign" in " ".join(page.split())
    assert "The customer has the power of attorney but has not signed it yet." in page
    assert page.count("</span> closed</span>") == 3


def test_page_says_what_a_go_live_today_would_do(office_client: Client) -> None:
    waiting = case_waiting_for_signature()

    context = office_client.get(record_url(waiting)).context

    assert context["same_if_live_today"] is True


def test_live_case_has_no_what_if(office_client: Client) -> None:
    job = installation(AT - timedelta(days=30))
    go_live_report(job)

    context = office_client.get(record_url(case(job=job))).context

    assert "if_live_today" not in context


def test_revoked_authority_cannot_be_overridden(office_client: Client) -> None:
    job = installation(AT - timedelta(days=30))
    enrollment = case(job=job)
    revoked_poa(customer=job.customer, site=job.site, at=AT - timedelta(days=1))
    decided_once(enrollment, at=AT)

    page = office_client.get(record_url(enrollment)).content.decode()

    assert enrollment.holds.get().code == HoldCode.AUTHORITY_ENDED
    assert "No one can override this" in page


def test_offer_is_shown_beside_limits_with_both_numbers(office_client: Client) -> None:
    job = installation(AT - timedelta(days=30))
    poa = signed_poa(customer=job.customer, site=job.site, at=AT)
    enrollment = case(job=job)
    judged_offer(enrollment, poa, average_cents_per_kwh_1000=Decimal("17.8"))

    offer = office_client.get(record_url(enrollment)).context["offers"][0]

    first = [cell.text for cell in offer["table"].rows[0]]
    assert first == ["Average price at 1,000 kWh", "at most 16.9 ¢/kWh", "17.8 ¢/kWh", "Fails"]
    assert offer["failed_limits"] == "average price at 1,000 kWh"


def test_all_journals_share_one_timeline_newest_first(office_client: Client) -> None:
    job = installation(AT - timedelta(days=30))
    signed_poa(customer=job.customer, site=job.site, at=AT - timedelta(days=3))
    go_live_report(job, at=AT - timedelta(days=2), by=Actor.technician(UUID(int=0)))
    enrollment = case(job=job)
    hold(enrollment, at=AT)
    LightWrite.objects.create(enrollment=enrollment, kind=WriteKind.CREATE_ACCOUNT, opened_at=AT)
    RemoteCall.objects.create(
        enrollment=enrollment, purpose="read", method="GET", path="/v1/account", seconds=0.2, http_status=200, at=AT
    )
    WebhookDelivery.objects.create(
        event_key="k", body="{}", event_name="account.updated", enrollment=enrollment, received_at=AT
    )

    entries = office_client.get(record_url(enrollment)).context["timeline"]

    kinds = {entry["kind"] for entry in entries}
    assert kinds == {"Case", "Job", "Authority", "Webhook", "Write to Light", "Call to Light"}
    assert entries[-1]["what"].startswith("Register")
    assert all(entry["url"] for entry in entries)


def test_query_count_does_not_grow_with_history(office_client: Client) -> None:
    job = installation(AT - timedelta(days=30))
    enrollment = case(job=job)
    office_client.get(record_url(enrollment))

    with CaptureQueriesContext(connection) as with_little:
        office_client.get(record_url(enrollment))
    for number in range(20):
        RemoteCall.objects.create(enrollment=enrollment, purpose="read", method="GET", path="/", seconds=0.2, at=AT)
        WebhookDelivery.objects.create(event_key=f"k{number}", body="{}", enrollment=enrollment, received_at=AT)
    with CaptureQueriesContext(connection) as with_much:
        office_client.get(record_url(enrollment))

    assert len(with_much) <= len(with_little) + 1


@pytest.mark.parametrize(
    "address",
    [
        "enrollments/enrollment",
        "enrollments/hold",
        "enrollments/enrollmentevent",
        "installations/installation",
        "installations/golivereport",
        "installations/installationevent",
        "poa_documents/poadocument",
        "poa_documents/customermail",
        "poa_documents/evidenceentry",
        "poa_documents/consentrecord",
    ],
)
def test_lists_take_equal_queries_for_many_rows(office_client: Client, address: str) -> None:
    def another() -> None:
        job = installation(AT - timedelta(days=30))
        signed_poa(customer=job.customer, site=job.site, at=AT)
        go_live_report(job)
        hold(case(job=job), at=AT)

    another()
    office_client.get(f"/admin/{address}/")
    with CaptureQueriesContext(connection) as with_few:
        office_client.get(f"/admin/{address}/")
    another()
    another()
    with CaptureQueriesContext(connection) as with_many:
        office_client.get(f"/admin/{address}/")

    assert len(with_many) == len(with_few)


def test_evidence_pack_takes_one_click_and_is_recorded(office_client: Client, viewer_client: Client) -> None:
    job = installation(AT - timedelta(days=30))
    signed_poa(customer=job.customer, site=job.site, at=AT - timedelta(days=3))
    enrollment = case(job=job)
    address = f"{record_url(enrollment)[:-7]}button/evidence/"

    refused = viewer_client.post(address)
    answer = office_client.post(address)
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]  # a file, not a page

    assert refused.status_code == 403
    assert "attachment" in answer["Content-Disposition"]
    assert "no-store" in answer["Cache-Control"]
    assert verify_pack.verify(io.BytesIO(content))[2] == verify_pack.INTACT
    read = EvidencePackRead.objects.get(enrollment=enrollment)
    assert read.sha256 == hashlib.sha256(content).hexdigest()
    assert read.actor.startswith("staff:")


@pytest.fixture
def case_clerk_client(db: None) -> Client:
    """A person who may view and handle cases, and nothing else."""
    person = User.objects.create_user("carl", password="a long enough password", is_staff=True)
    wanted = ("view_enrollment", "change_enrollment")
    person.user_permissions.add(*Permission.objects.filter(codename__in=wanted))
    client = Client()
    client.force_login(person)
    return client


def test_case_page_hides_records_the_person_may_not_open(case_clerk_client: Client, office_client: Client) -> None:
    enrollment = case_waiting_for_signature()
    address = enrollment.customer.email

    seen = case_clerk_client.get(record_url(enrollment))
    full = office_client.get(record_url(enrollment))

    assert [table.title for table in full.context["tables"]] != []
    assert seen.context["tables"] == []
    assert seen.context["timeline"] == []
    assert f"to: {address}" in full.text
    assert f"to: {address}" not in seen.text


def test_evidence_pack_requires_the_right_to_all_its_contents(case_clerk_client: Client, office_client: Client) -> None:
    enrollment = case_waiting_for_signature()
    address = button_url(enrollment, "evidence")

    assert address not in case_clerk_client.get(record_url(enrollment)).text
    assert case_clerk_client.post(address).status_code == 403
    assert not EvidencePackRead.objects.exists()
    pack = office_client.post(address)
    assert pack.status_code == 200
    pack.close()


def test_every_table_names_its_records() -> None:
    files = (file for app in ("installations", "poa_documents", "enrollments") for file in (ROOT / app).rglob("*.py"))
    calls = [
        (file, node)
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Table"
    ]
    silent = [f"{file}:{call.lineno}" for file, call in calls if "shows" not in {each.arg for each in call.keywords}]

    assert len(calls) > 10
    assert silent == []
