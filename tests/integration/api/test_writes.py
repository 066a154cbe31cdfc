"""Writes over the API: each counts once, and each refusal names the field and the problem."""

import threading
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from core import clock
from core.models import IdempotentRequest
from installations import pdf_checks, proofs
from installations.file_check_queue import FileCheckQueue
from installations.models import Customer, GoLiveReport, Installation, Site
from installations.proofs import MAX_PROOF_BYTES
from poa_documents.states import PoaStatus
from tests.factories.accounts import personal_key
from tests.factories.installations import SUBMITTED, customer, installation_at, site, staff, technician
from tests.factories.poa_documents import drafted_poa, plan_promise, sent_poa, signed_poa
from tests.integration.api.conftest import Api
from tests.pdf_files import letter

CARMEN = {"first_name": "Carmen", "last_name": "Reyes", "email": "carmen@example.com"}


def test_repeated_request_gets_first_answer_and_does_nothing(api: Api) -> None:
    key = str(uuid.uuid4())

    first = api.post("customers/", CARMEN, key=key)
    again = api.post("customers/", CARMEN, key=key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Customer.objects.count() == 1


def test_same_key_for_another_request_is_refused(api: Api) -> None:
    key = str(uuid.uuid4())
    api.post("customers/", CARMEN, key=key)

    other_body = api.post("customers/", {**CARMEN, "last_name": "Ruiz"}, key=key)
    other_address = api.post("sites/", CARMEN, key=key)

    assert (other_body.status_code, other_address.status_code) == (422, 422)
    assert "Use a new key" in other_body.json()["detail"]
    assert Customer.objects.count() == 1


def test_keys_of_two_systems_are_independent(api: Api) -> None:
    other = Api(personal_key())

    api.post("customers/", CARMEN, key="the-same-key")
    theirs = other.post("customers/", {**CARMEN, "last_name": "Ruiz"}, key="the-same-key")

    assert theirs.status_code == 201


def test_refused_request_leaves_its_key_for_the_corrected_one(api: Api) -> None:
    refused = api.post("customers/", {**CARMEN, "email": "nowhere"}, key="one-and-the-same")

    mended = api.post("customers/", CARMEN, key="one-and-the-same")

    assert (refused.status_code, mended.status_code) == (400, 201)


@pytest.mark.parametrize("name", ["Car\nmen", "Car\tmen", "Car\N{LINE SEPARATOR}men"])
def test_control_characters_in_a_name_are_refused_by_field(api: Api, name: str) -> None:
    response = api.post("customers/", {**CARMEN, "first_name": name})

    assert response.status_code == 400
    assert list(response.json()) == ["first_name"]
    assert "Retype it on one line" in response.json()["first_name"][0]
    assert not Customer.objects.exists()


@pytest.mark.parametrize("key", [None, "", "short", "with a space in it", "x" * 101])
def test_write_without_a_usable_key_is_refused(api: Api, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}

    response = api.client.post("/api/v1/customers/", CARMEN, content_type="application/json", headers=headers)

    assert response.status_code == 400
    assert "random UUID" in response.json()["Idempotency-Key"][0]
    assert not Customer.objects.exists()


def test_every_api_write_is_done_once_per_key() -> None:
    unguarded = [
        f"{pattern.pattern} {method}"
        for pattern in _api_patterns()
        for method, handler in getattr(pattern.callback, "actions", {}).items()
        if method not in {"get", "head"} and not hasattr(_handler(pattern, handler), "is_idempotent")
    ]

    assert unguarded == []


def _handler(pattern: URLPattern, name: str) -> Any:
    return getattr(getattr(pattern.callback, "cls"), name)  # noqa: B009 - what is called is typed as any callable


def _api_patterns() -> list[URLPattern]:
    found: list[URLPattern] = []

    def walk(patterns: list[Any]) -> None:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns)
            else:
                found.append(pattern)

    api = next(pattern for pattern in get_resolver().url_patterns if str(pattern.pattern) == "api/")
    walk([api])
    assert len(found) > 20
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite
def test_identical_simultaneous_requests_are_done_once() -> None:
    api_token = personal_key()
    answers: list[Any] = []
    barrier = threading.Barrier(4)

    def send() -> None:
        api = Api(api_token)
        barrier.wait()
        try:
            answers.append(api.post("customers/", CARMEN, key="at-the-same-moment"))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Customer.objects.count() == 1
    assert IdempotentRequest.objects.count() == 1


def test_repeated_multipart_report_counts_once(api: Api) -> None:
    job = installation_at(SUBMITTED)
    form = {
        "installation": str(job.public_id),
        "granted_date": "2026-03-01",
        "source": "LETTER",
        "utility_reference": "DG-1",
    }

    def send() -> Any:
        proof = SimpleUploadedFile("letter.pdf", letter(), "application/pdf")
        return api.post_form("pto-reports/", {**form, "proof": proof}, key="the-report-of-march")

    first, again = send(), send()

    assert first.status_code == 201, first.content
    assert again.json() == first.json()
    assert GoLiveReport.objects.get().proofs.count() == 1


def test_malformed_json_is_reported(api: Api) -> None:
    response = api.client.post(
        "/api/v1/customers/", "{not json", content_type="application/json", headers={"Idempotency-Key": "12345678"}
    )

    assert response.status_code == 400
    assert "JSON parse error" in response.json()["detail"]


@pytest.mark.parametrize("body", [[], "text", 5, [CARMEN]])
def test_non_object_json_is_refused(api: Api, body: Any) -> None:
    response = api.client.post(
        "/api/v1/customers/", body, content_type="application/json", headers={"Idempotency-Key": "12345678"}
    )

    assert response.status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("customers/", {**CARMEN, "ssn": "078-05-1120"}, "ssn"),
        ("customers/", {**CARMEN, "id": 7}, "id"),
        ("customers/", {**CARMEN, "email": "nowhere"}, "email"),
        ("customers/", {**CARMEN, "date_of_birth": "2020-01-01"}, "date_of_birth"),
        ("customers/", {**CARMEN, "date_of_birth": "17.5.1984"}, "date_of_birth"),
        ("customers/", {**CARMEN, "phone": "12"}, "phone"),
        ("customers/", {**CARMEN, "language": "fr"}, "language"),
        ("customers/", {"email": "a@example.com", "first_name": "A"}, "last_name"),
        ("installations/", {"customer": 10**17, "site": 1}, "kind"),
        ("pauses/", {"reason": " "}, "reason"),
        ("pauses/", {"reason": "x", "light_plan_group": "nonsense"}, "light_plan_group"),
    ],
)
def test_refusal_names_the_field(api: Api, path: str, body: dict[str, Any], field: str) -> None:
    response = api.post(path, body)

    assert response.status_code == 400
    assert field in response.json()


@pytest.mark.parametrize(
    ("esi_id", "words"),
    [
        (1008901023817063480105, "as text, in quotes"),
        (1.0089e21, "as text, in quotes"),
        ("1.00890e+21", "spreadsheet"),
        ("104437200012345", "have 17 digits"),
    ],
)
def test_wrong_esi_id_is_refused_and_never_corrected(api: Api, esi_id: Any, words: str) -> None:
    response = api.post(
        "sites/", {"address_1": "1 Elm St", "city": "Round Rock", "postal_code": "78664", "esi_id": esi_id}
    )

    assert response.status_code == 400
    assert words in response.json()["esi_id"][0]
    assert not Site.objects.exists()


def test_unknown_customer_site_and_product_are_named_by_field(api: Api) -> None:
    response = api.post("poa-requests/", {"customer": 999, "site": 999, "promise": 999})

    assert response.status_code == 400
    assert set(response.json()) == {"customer", "site", "promise"}


def test_existing_site_is_reported(api: Api) -> None:
    known = site()

    response = api.post(
        "sites/", {"address_1": "1 Elm St", "city": "Round Rock", "postal_code": "78664", "esi_id": known.esi_id}
    )

    assert response.status_code == 400
    assert "already on file" in response.json()["esi_id"][0]


def test_installation_moves_through_its_stages(api: Api) -> None:
    job = installation_at("SOLD")
    tess = technician()

    moved = api.post(f"installations/{job.public_id}/move/", {"move": "install"})
    back = api.post(f"installations/{job.public_id}/move/", {"move": "schedule", "scheduled_date": "2026-03-09"})
    assigned = api.post(f"installations/{job.public_id}/assign/", {"technician": str(tess.public_id)})
    nobody = api.post(
        f"installations/{job.public_id}/assign/", {"technician": str(technician(is_active=False).public_id)}
    )
    canceled = api.post(f"installations/{job.public_id}/cancel/", {"reason": "The roof is too weak."})
    events = api.get(f"installations/{job.public_id}/events/")

    assert moved.json()["status"] == "INSTALLED"
    assert back.status_code == 409
    assert "cannot schedule" in back.json()["detail"]
    assert assigned.json()["technician"] == str(tess.public_id)
    assert nobody.json() == {"technician": ["There is no such technician, or the account is closed."]}
    assert canceled.json()["status"] == "CANCELLED"
    assert [event["name"] for event in events.json()] == ["register", "install", "assign_technician", "cancel"]


def test_reports_are_confirmed_corrected_and_withdrawn(api: Api) -> None:
    job = installation_at("PTO_REPORTED")
    report = GoLiveReport.objects.get()

    confirmed = api.post(f"pto-reports/{report.public_id}/confirm/")
    corrected = api.post(
        f"pto-reports/{report.public_id}/correct/",
        {"granted_date": "2026-03-01", "source": "PORTAL", "utility_reference": "DG-2", "reason": "Wrong line read."},
    )
    stale = api.post(f"pto-reports/{report.public_id}/withdraw/", {"reason": "Not ours."})
    withdrawn = api.post(f"pto-reports/{corrected.json()['id']}/withdraw/", {"reason": "The utility took it back."})

    job.refresh_from_db()
    assert confirmed.json()["status"] == "COUNTED"
    assert (corrected.status_code, corrected.json()["corrects"]) == (201, str(report.public_id))
    assert stale.status_code == 409
    assert withdrawn.json()["status"] == "WITHDRAWN"
    assert job.status == SUBMITTED


def test_wrong_report_names_the_field(api: Api) -> None:
    job = installation_at(SUBMITTED)

    response = api.post(
        "pto-reports/",
        {"installation": str(job.public_id), "granted_date": "2099-01-01", "source": "LETTER", "utility_reference": ""},
    )

    assert response.status_code == 400
    assert set(response.json()) == {"granted_date", "utility_reference"}


@pytest.mark.parametrize(
    ("content", "words"), [(b"not a picture", "not a photo"), (b"%PDF-" + bytes(MAX_PROOF_BYTES), "larger than 15 MB")]
)
def test_wrong_proof_is_refused(api: Api, content: bytes, words: str) -> None:
    job = installation_at(SUBMITTED)

    response = api.post_form(
        "pto-reports/",
        {
            "installation": str(job.public_id),
            "granted_date": "2026-03-01",
            "source": "LETTER",
            "utility_reference": "DG-1",
            "proof": SimpleUploadedFile("letter.pdf", content),
        },
    )

    assert response.status_code == 400
    assert words in response.json()["proof"][0]
    assert not GoLiveReport.objects.exists()


def report_with_letter(job: Installation) -> dict[str, Any]:
    return {
        "installation": str(job.public_id),
        "granted_date": "2026-03-01",
        "source": "LETTER",
        "utility_reference": "DG-1",
        "proof": SimpleUploadedFile("letter.pdf", letter()),
    }


def test_file_that_must_wait_leaves_its_key_unused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    job, queue = installation_at(SUBMITTED), FileCheckQueue(max_queued=0)
    monkeypatch.setattr(proofs, "FILE_CHECK_QUEUE", queue)

    with queue.slot():
        busy = api.post_form("pto-reports/", report_with_letter(job), key="the-report-of-march")
    later = api.post_form("pto-reports/", report_with_letter(job), key="the-report-of-march")

    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "60")
    assert "in a minute" in busy.json()["detail"]
    assert later.status_code == 201


def test_file_is_read_outside_the_transaction(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading takes seconds; on SQLite no one else could write during that time."""
    job, depths = installation_at(SUBMITTED), []
    depth = len(connection.savepoint_ids)
    judge = pdf_checks.check_pdf

    def noted(content: bytes) -> Any:
        depths.append(len(connection.savepoint_ids))
        return judge(content)

    monkeypatch.setattr("installations.proofs.check_pdf", noted)

    response = api.post_form("pto-reports/", report_with_letter(job))

    assert response.status_code == 201
    assert depths == [depth]


def test_poa_requests_are_voided_or_revoked_only_when_allowed(api: Api) -> None:
    sent = sent_poa()

    too_early = api.post(
        f"poa-requests/{sent.public_id}/revoke/", {"channel": "PHONE", "reason": "The customer called."}
    )
    again = api.post(f"poa-requests/{sent.public_id}/resend/")
    voided = api.post(f"poa-requests/{sent.public_id}/void/", {"reason": "Wrong product."})
    twice = api.post(f"poa-requests/{sent.public_id}/void/", {"reason": "Wrong product."})

    assert too_early.status_code == 409
    assert again.status_code == 200
    assert voided.json()["status"] == "VOIDED"
    assert twice.status_code == 409


def test_revocation_records_when_it_was_received(api: Api) -> None:
    poa = signed_poa(at=clock.now() - timedelta(days=2))
    arrived = clock.now() - timedelta(hours=20)

    response = api.post(
        f"poa-requests/{poa.public_id}/revoke/",
        {"channel": "LETTER", "reason": "She wrote.", "received_at": arrived.isoformat()},
    )

    assert response.status_code == 200
    assert datetime.fromisoformat(response.json()["revocation_received_at"]) == arrived
    poa.refresh_from_db()
    assert (poa.status, poa.revocation_received_at) == (PoaStatus.REVOKED, arrived)
    assert poa.ended_at is not None
    assert poa.ended_at > arrived


@pytest.mark.parametrize("without", [{}, {"received_at": None}], ids=["left out", "null"])
def test_revocation_without_a_time_counts_as_just_received(api: Api, without: dict[str, Any]) -> None:
    poa = signed_poa(at=clock.now() - timedelta(days=2))

    response = api.post(
        f"poa-requests/{poa.public_id}/revoke/", {"channel": "PHONE", "reason": "She called.", **without}
    )

    assert response.status_code == 200
    poa.refresh_from_db()
    assert poa.revocation_received_at == poa.ended_at


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(timedelta(hours=1), "is in the future"), (timedelta(days=-3), "this cannot be earlier")],
    ids=["in the future", "before it was drafted"],
)
def test_revocation_at_an_impossible_time_is_refused_by_field(api: Api, ahead: timedelta, words: str) -> None:
    poa = signed_poa(at=clock.now() - timedelta(days=2))

    response = api.post(
        f"poa-requests/{poa.public_id}/revoke/",
        {"channel": "LETTER", "reason": "She wrote.", "received_at": (clock.now() + ahead).isoformat()},
    )

    assert response.status_code == 400
    assert list(response.json()) == ["received_at"]
    assert words in response.json()["received_at"][0]
    poa.refresh_from_db()
    assert poa.status == PoaStatus.SIGNED


def test_second_poa_request_for_a_site_is_explained(api: Api) -> None:
    first = drafted_poa()

    response = api.post(
        "poa-requests/",
        {
            "customer": str(first.customer.public_id),
            "site": str(first.site.public_id),
            "promise": str(plan_promise().public_id),
        },
    )

    assert response.status_code == 409
    assert "Resend that one, or void it" in response.json()["detail"]


def test_poa_request_without_an_installation_names_the_site(api: Api) -> None:
    response = api.post(
        "poa-requests/",
        {
            "customer": str(customer().public_id),
            "site": str(site().public_id),
            "promise": str(plan_promise().public_id),
        },
    )

    assert response.status_code == 400
    assert "no installation" in response.json()["site"][0]


def test_poa_request_without_wording_is_explained(api: Api) -> None:
    job = installation_at(SUBMITTED)

    answer = api.post(
        "poa-requests/",
        {
            "customer": str(job.customer.public_id),
            "site": str(job.site.public_id),
            "promise": str(plan_promise().public_id),
        },
    )

    assert answer.status_code == 409
    assert "load_poa_wording" in answer.json()["detail"]


def test_pause_is_started_and_ended(api: Api) -> None:
    paused = api.post("pauses/", {"reason": "Light has an outage."})
    resumed = api.post(f"pauses/{paused.json()['id']}/resume/")
    twice = api.post(f"pauses/{paused.json()['id']}/resume/")

    assert paused.status_code == 201
    assert resumed.json()["ended_by"].startswith("client_system:")
    assert twice.status_code == 409


def test_session_cookie_does_not_sign_in(client: Client, db: None) -> None:
    client.force_login(staff())

    response = client.post(
        "/api/v1/customers/", CARMEN, content_type="application/json", headers={"Idempotency-Key": "12345678"}
    )

    assert response.status_code == 401
    assert not Customer.objects.exists()


@pytest.mark.parametrize("length", [254, 255, 320])
def test_longest_storable_address_is_accepted(api: Api, length: int) -> None:
    """A longer one used to be an error of ours on PostgreSQL."""
    domain = ".".join(["d" * 60] * 4)
    email = f"{'c' * (length - len(domain) - 4)}@{domain}.us"[:length]
    assert len(email) == length

    response = api.post("customers/", {"first_name": "Carmen", "last_name": "Reyes", "email": email})

    assert response.status_code == (201 if length == 254 else 400)
    assert Customer.objects.filter(email=email).exists() == (length == 254)


def test_write_without_trailing_slash_is_not_lost(api: Api) -> None:
    """The answer keeps method and body, so a client that follows it writes."""
    body = {"first_name": "Carmen", "last_name": "Reyes", "email": "carmen@example.com"}

    response = api.client.post(
        "/api/v1/customers",
        body,
        content_type="application/json",
        headers={"Idempotency-Key": "one-and-the-same"},
        follow=True,
    )

    assert response.redirect_chain == [("/api/v1/customers/", 308)]
    assert response.status_code == 201
    assert Customer.objects.get().email == "carmen@example.com"


def test_write_refuses_query_parameters(api: Api) -> None:
    response = api.post(
        "customers/?dry_run=1", {"first_name": "Carmen", "last_name": "Reyes", "email": "c@example.com"}
    )

    assert response.status_code == 400
    assert "body" in response.json()["dry_run"][0]
    assert not Customer.objects.exists()


@pytest.mark.parametrize("sent", [7, "7", True, None, "01A23187-3AD7-7518-AB33-FB7939C888F9"])
def test_what_is_no_id_is_refused_with_what_to_send(api: Api, sent: Any) -> None:
    body = {"customer": sent, "site": str(site().public_id), "promise": str(plan_promise().public_id)}

    response = api.post("poa-requests/", body)

    assert response.status_code == 400
    assert sent is None or "as this API gave it" in response.json()["customer"][0]


def test_answer_to_a_write_has_the_time_of_the_change(api: Api) -> None:
    job = installation_at("SOLD")
    before = api.get(f"installations/{job.public_id}/").json()["updated_at"]
    time.sleep(0.005)

    after = api.post(f"installations/{job.public_id}/cancel/", {"reason": "The roof is too weak."}).json()["updated_at"]

    assert after > before
    assert after == api.get(f"installations/{job.public_id}/").json()["updated_at"]
