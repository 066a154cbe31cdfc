"""Each button calls one action, by POST only, for those who may, and never on a case that changed in between."""

import hashlib
import io
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from core.actors import Actor
from core.admin.links import button_url, record_url
from enrollments.actions.pauses import pause
from enrollments.evidence_pack import contents, story
from enrollments.evidence_pack.spool import Spool
from enrollments.models import Enrollment, Pause, WebhookDelivery
from enrollments.states import EnrollmentStatus, HoldCode, LeavingReason
from installations import proofs
from installations.actions import correct_contact
from installations.file_check_queue import FileCheckQueue
from installations.models import ContactChange, Customer, Installation
from installations.proofs import check_proof
from installations.states import GoLiveReportStatus, InstallationStatus
from poa_documents.journal import chain
from poa_documents.models import EvidenceEntry, PoaDocument
from poa_documents.states import PoaStatus
from tests.factories.cases import case, case_waiting_for_signature, held_case, hold
from tests.factories.installations import AT, customer, go_live_report, installation, site, staff, technician
from tests.factories.poa_documents import drafted_poa, plan_promise, sent_poa, signed_poa, suspended_poa
from tests.integration.installations.test_proofs_without_storage import SENT, report_with_photo
from tests.integration.poa_documents.test_paper import recorded
from tests.journal_guard import guard_lifted
from tests.pdf_files import letter

pytestmark = pytest.mark.django_db


def press(client: Client, record: Any, button: str, **answers: Any) -> Any:
    answer = client.post(button_url(record, button), answers)
    return client.get(answer["Location"]) if "?again" in answer.get("Location", "") else answer


def messages_in(answer: Any) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))


def test_asking_what_a_button_does_changes_nothing(office_client: Client) -> None:
    poa = drafted_poa(at=AT)

    answer = office_client.get(button_url(poa, "send"))

    poa.refresh_from_db()
    assert answer.status_code == 200
    assert poa.status == PoaStatus.DRAFT


def test_get_of_a_direct_button_asks_and_does_nothing(office_client: Client) -> None:
    enrollment = case()

    answer = office_client.get(button_url(enrollment, "look-now"))

    enrollment.refresh_from_db()
    assert answer.status_code == 200
    assert enrollment.due_at is None


def test_sending_a_poa_owes_a_mail_and_shows_no_link(office_client: Client) -> None:
    poa = drafted_poa(at=AT)

    answer = press(office_client, poa, "send")

    poa.refresh_from_db()
    assert poa.status == PoaStatus.SENT
    assert poa.mails.count() == 1
    assert "on its way" in messages_in(answer)
    assert "/portal/" not in messages_in(answer)


def test_voiding_needs_a_reason_and_keeps_the_entry(office_client: Client) -> None:
    poa = sent_poa(at=AT)

    refused = press(office_client, poa, "void", reason="")
    press(office_client, poa, "void", reason="Wrong site.")

    poa.refresh_from_db()
    assert refused.status_code == 200
    assert "This field is required" in refused.content.decode()
    assert poa.status == PoaStatus.VOIDED
    assert poa.ended_because == "Wrong site."


def test_phone_revocation_records_its_channel_and_recipient(office_client: Client, office: Any) -> None:
    poa = signed_poa(at=AT)

    press(office_client, poa, "revoke", channel="PHONE", reason="Called; changed their mind.")

    poa.refresh_from_db()
    entry = EvidenceEntry.objects.filter(poa=poa, kind="revoke").get()
    assert poa.status == PoaStatus.REVOKED
    assert poa.revocation_channel == "PHONE"
    assert entry.actor == f"staff:{office.public_id}"


@pytest.mark.parametrize("status", [EnrollmentStatus.OPEN, EnrollmentStatus.ACTIVE])
def test_confirmation_page_says_what_continues(office_client: Client, status: EnrollmentStatus) -> None:
    job = installation(AT)
    poa = signed_poa(customer=job.customer, site=job.site, at=AT)
    report = go_live_report(job)
    enrollment = case(job=job)
    Enrollment.objects.filter(pk=enrollment.pk).update(status=status, active_at=AT)
    is_running = status == EnrollmentStatus.ACTIVE

    for record, name in ((poa, "revoke"), (report, "withdraw")):
        page = " ".join(office_client.get(button_url(record, name)).content.decode().split())
        assert ("since Mar 5, 2026. This does not end it" in page) is is_running


def test_resuming_a_poa_requires_an_intact_file(office_client: Client) -> None:
    poa = suspended_poa(at=AT)
    PoaDocument.objects.filter(pk=poa.pk).update(pdf_storage_key="poa/nowhere.pdf")

    answer = press(office_client, poa, "resume", reason="All is well.")

    poa.refresh_from_db()
    assert poa.status == PoaStatus.SUSPENDED
    assert "All is well." in answer.content.decode()
    assert 'role="alert"' in answer.content.decode()


def test_signed_document_is_downloaded_and_the_download_is_recorded(office_client: Client, office: Any) -> None:
    poa = signed_poa(at=AT)

    answer = press(office_client, poa, "download")

    entry = EvidenceEntry.objects.filter(poa=poa, kind="viewed").get()
    assert answer.content.startswith(b"%PDF-")
    assert answer["Content-Disposition"].startswith("attachment")
    assert "no-store" in answer["Cache-Control"]
    assert entry.actor == f"staff:{office.public_id}"
    assert chain.verify(poa).is_intact


def test_altered_document_is_not_served(office_client: Client) -> None:
    poa = signed_poa(at=AT)
    PoaDocument.objects.filter(pk=poa.pk).update(pdf_storage_key="poa/nowhere.pdf")

    answer = press(office_client, poa, "download")

    assert answer.status_code == 302
    assert "Nothing was done." in messages_in(answer)


def test_broken_journal_is_reported_prominently(office_client: Client) -> None:
    poa = sent_poa(at=AT)
    with guard_lifted():
        EvidenceEntry.objects.filter(poa=poa, number=1).update(actor=f"staff:{UUID(int=99)}")

    page = office_client.get(record_url(poa)).content.decode()

    assert "THE CHAIN IS BROKEN at entry 1" in page


def test_releasing_a_hold_makes_the_case_due(office_client: Client) -> None:
    enrollment = held_case()

    answer = press(office_client, enrollment, "release", reason="Light fixed the address.")

    released = enrollment.holds.get()
    enrollment.refresh_from_db()
    assert released.released_at == AT
    assert released.release_reason == "Light fixed the address."
    assert enrollment.due_at == AT
    assert "released" in messages_in(answer)


def test_reason_a_customer_left_is_kept_and_shown(office: User, office_client: Client, tmp_path: Path) -> None:
    enrollment = held_case(code=HoldCode.CUSTOMER_LEFT)
    note = "Call again when rates fall."

    press(office_client, enrollment, "release", reason="They moved.")
    unanswered = press(office_client, enrollment, "record-leaving", win_back_note=note)
    assert enrollment.holds.get().released_at is None
    press(office_client, enrollment, "record-leaving", left_reason=LeavingReason.PRICE, win_back_note=note)

    assert unanswered.status_code == 200
    hold = enrollment.holds.get()
    assert (hold.released_at, hold.release_reason) == (AT, f"Price. {note}")
    assert note in office_client.get(record_url(enrollment)).content.decode()
    listed = office_client.get("/admin/enrollments/enrollment/?left_reason__exact=PRICE").content.decode()
    assert record_url(enrollment) in listed
    other_system = APIClient()
    other_system.force_authenticate(office)
    answer = other_system.get("/api/v1/enrollments/?left_reason=PRICE").json()["results"][0]
    assert (answer["left_reason"], answer["win_back_note"]) == ("PRICE", note)
    enrollment.refresh_from_db()
    spool = Spool(tmp_path)
    contents.collect(enrollment, spool)
    assert note in (tmp_path / "case" / "case.json").read_text()
    assert ("Why they left", "Price") in story.gather(enrollment, spool)["facts"]


def test_api_cannot_release_a_customer_who_left(office: User) -> None:
    enrollment = held_case(code=HoldCode.CUSTOMER_LEFT)
    other_system = APIClient()
    other_system.force_authenticate(office)

    address = f"/api/v1/enrollments/{enrollment.public_id}/holds/{enrollment.holds.get().public_id}/release/"
    answer = other_system.post(
        address, {"reason": "They moved."}, format="json", headers={"Idempotency-Key": str(uuid4())}
    )

    assert answer.status_code == 409
    assert "Record why the customer left" in answer.json()["detail"]


def test_consent_hold_is_not_released_by_a_forged_post(office_client: Client) -> None:
    enrollment = case()
    stands = hold(enrollment, at=AT, code=HoldCode.AUTHORITY_ENDED)

    by_case = press(office_client, enrollment, "release", reason="I insist.")
    by_hold = press(office_client, stands, "release", reason="I insist.")

    stands.refresh_from_db()
    assert stands.released_at is None
    assert "Nothing was done" in messages_in(by_case)
    assert "Nothing was done" in messages_in(by_hold)


@pytest.mark.cell("U9")
def test_button_for_a_changed_case_is_refused_with_new_state(office_client: Client) -> None:
    enrollment = held_case(code=HoldCode.NO_PLANS)
    seen = "Open, held: Light offers no plan"
    enrollment.holds.update(code=HoldCode.NOT_AUTHORIZED)

    answer = press(office_client, enrollment, "release", reason="Asked Light.", seen_state=seen)

    assert enrollment.holds.get().released_at is None
    assert "Nothing was done" in messages_in(answer)
    assert "Light rejects our token" in messages_in(answer)


@pytest.mark.cell("U9", "U10")
def test_button_no_longer_offered_is_refused_with_new_state(office_client: Client) -> None:
    poa = signed_poa(at=AT)

    answer = press(office_client, poa, "void", reason="Too late.")

    poa.refresh_from_db()
    assert poa.status == PoaStatus.SIGNED
    assert "“Signed”" in messages_in(answer)


def test_untouched_case_is_closed_with_a_reason(office_client: Client) -> None:
    enrollment = case()

    press(office_client, enrollment, "close", reason="The customer moved away.")

    enrollment.refresh_from_db()
    assert enrollment.status == "ENDED"
    assert enrollment.ended_because == "The customer moved away."


def test_closed_case_is_on_no_turn_list(office_client: Client) -> None:
    enrollment = held_case()

    press(office_client, enrollment, "close", reason="The customer moved away.")

    enrollment.refresh_from_db()
    page = office_client.get("/admin/enrollments/enrollment/").content.decode()
    assert enrollment.whose_turn == ""
    assert "Nothing more to do" in page


def test_look_now_button_makes_a_case_due(office_client: Client) -> None:
    enrollment = case()

    press(office_client, enrollment, "look-now")

    enrollment.refresh_from_db()
    assert enrollment.due_at == AT


def test_acceptances_are_paused_globally_or_per_plan_group(office_client: Client, office: Any) -> None:
    promise = plan_promise()

    office_client.post("/admin/enrollments/pause/add/", {"light_plan_group": "", "reason": "Wrong prices."})
    office_client.post(
        "/admin/enrollments/pause/add/", {"light_plan_group": str(promise.light_plan_group), "reason": "Only these."}
    )
    everywhere = Pause.objects.get(light_plan_group=None)
    press(office_client, everywhere, "resume")

    everywhere.refresh_from_db()
    assert everywhere.ended_by == f"staff:{office.public_id}"
    assert Pause.objects.get(light_plan_group=promise.light_plan_group).ended_at is None


def test_waiting_go_live_report_is_confirmed(office_client: Client) -> None:
    report = go_live_report(installation(AT), by=Actor.technician(UUID(int=0)))

    press(office_client, report, "confirm", reason="")

    report.refresh_from_db()
    assert report.status == GoLiveReportStatus.COUNTED


def test_conflict_is_not_settled_without_a_reason(office_client: Client) -> None:
    job = installation(AT - timedelta(days=30))
    go_live_report(job, granted_date=AT.date() - timedelta(days=3))
    other = go_live_report(job, granted_date=AT.date() - timedelta(days=2), by=Actor.technician(UUID(int=0)))

    answer = press(office_client, other, "confirm", reason="")

    other.refresh_from_db()
    assert other.status == GoLiveReportStatus.CONFLICTING
    assert "Enter a reason" in answer.content.decode()


def test_corrected_go_live_date_keeps_the_first_report(office_client: Client) -> None:
    report = go_live_report(installation(AT - timedelta(days=30)))
    form = office_client.get(button_url(report, "correct")).context["form"]

    answer = press(
        office_client,
        report,
        "correct",
        submission_id=form["submission_id"].value(),
        granted_date="2026-03-02",
        source="LETTER",
        utility_reference="DG-2026-0042",
        reason="Misread the letter.",
    )

    report.refresh_from_db()
    assert report.status == GoLiveReportStatus.CORRECTED
    assert report.corrected_by.granted_date.isoformat() == "2026-03-02"
    assert answer["Location"] == record_url(report.corrected_by)


def test_jobs_are_offered_to_technicians_only(office_client: Client) -> None:
    somebody, desk = technician(), staff()
    job = installation(AT - timedelta(days=30))

    choices = office_client.get(button_url(job, "assign")).context["form"]["technician"].field.queryset

    assert somebody in choices
    assert desk not in choices


def test_wrong_correction_date_is_shown_beside_its_field(office_client: Client) -> None:
    report = go_live_report(installation(AT - timedelta(days=30)))
    form = office_client.get(button_url(report, "correct")).context["form"]

    answer = press(
        office_client,
        report,
        "correct",
        submission_id=form["submission_id"].value(),
        granted_date="2031-01-01",
        source="LETTER",
        utility_reference="DG-2026-0042",
        reason="Misread the letter.",
    )

    assert answer.context["form"].errors["granted_date"]
    assert "Misread the letter." in answer.content.decode()


def test_withdrawing_a_report_takes_the_installation_back(office_client: Client) -> None:
    report = go_live_report(installation(AT - timedelta(days=30)))

    press(office_client, report, "withdraw", reason="The utility took it back.")

    job = Installation.objects.get(pk=report.installation_id)
    assert job.status == InstallationStatus.INTERCONNECTION_SUBMITTED


def test_buttons_follow_the_work_on_an_installation(office_client: Client) -> None:
    job, tess = installation(AT), technician()

    press(office_client, job, "assign", technician=tess.public_id)
    press(office_client, job, "schedule", scheduled_date="2026-03-20")
    press(office_client, job, "install")

    job.refresh_from_db()
    assert job.technician == tess
    assert job.scheduled_date is not None
    assert job.status == InstallationStatus.INSTALLED


def test_viewers_see_no_buttons_and_cannot_use_them(viewer_client: Client) -> None:
    enrollment, poa, job = held_case(), sent_poa(at=AT), installation(AT)

    for record, button in ((enrollment, "release"), (poa, "void"), (job, "cancel"), (enrollment, "look-now")):
        page = viewer_client.get(record_url(record)).content.decode()
        answer = press(viewer_client, record, button, reason="I should not.")

        assert f"button/{button}/" not in page
        assert answer.status_code == 403

    assert enrollment.holds.get().released_at is None


def test_unknown_buttons_and_records_are_not_found(office_client: Client) -> None:
    enrollment = case()

    assert press(office_client, enrollment, "detonate").status_code == 404
    assert press(office_client, Enrollment(pk=99999), "release").status_code == 404


def test_case_is_opened_from_customer_to_poa_by_forms(office_client: Client) -> None:
    promise = plan_promise()
    drafted_poa(promise=promise, at=AT)

    office_client.post(
        "/admin/installations/customer/add/",
        {"first_name": "Ana", "last_name": "Soto", "email": "ana@example.com", "language": "es"},
    )
    office_client.post(
        "/admin/installations/site/add/",
        {"address_1": "1 Elm", "city": "Irving", "postal_code": "75038", "esi_id": "1044372 0009 999 999"},
    )
    job = Installation.objects.order_by("pk").last()
    assert job is not None
    person = type(job.customer).objects.get(email="ana@example.com")
    place = type(job.site).objects.get(address_1="1 Elm")
    office_client.post(
        "/admin/installations/installation/add/",
        {
            "customer": person.public_id,
            "site": place.public_id,
            "kind": "BATTERY",
            "contract_signed_date": "2026-01-05",
        },
    )
    answer = office_client.post(
        "/admin/poa_documents/poadocument/add/",
        {"customer": person.public_id, "site": place.public_id, "promise": promise.public_id},
    )

    poa = PoaDocument.objects.get(customer=person)
    assert place.esi_id == "10443720009999999"
    assert answer["Location"] == record_url(poa)
    assert poa.status == PoaStatus.DRAFT


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("1.00890E+21", "spreadsheet"),
        ("104437200", "17 digits"),
        ("not a number", "digits only"),
    ],
)
def test_wrong_esi_id_error_keeps_all_entries(office_client: Client, typed: str, said: str) -> None:
    answer = office_client.post(
        "/admin/installations/site/add/",
        {"address_1": "1 Elm", "city": "Irving", "postal_code": "75038", "esi_id": typed},
        follow=True,
    )

    page = answer.content.decode()
    assert said in str(answer.context["form"].errors["esi_id"])
    assert 'value="1 Elm"' in page
    assert f'value="{typed}"' in page


def test_poa_without_an_installation_is_refused_with_an_explanation(office_client: Client) -> None:
    promise = plan_promise()

    answer = office_client.post(
        "/admin/poa_documents/poadocument/add/",
        {"customer": customer().public_id, "site": site().public_id, "promise": promise.public_id},
        follow=True,
    )

    assert "has no installation at" in answer.content.decode()
    assert not PoaDocument.objects.exists()


def test_line_break_in_a_name_is_explained_on_the_form(office_client: Client) -> None:
    typed = {"first_name": "Ana\nMaria", "last_name": "Soto", "email": "ana@example.com", "language": "es"}

    answer = office_client.post("/admin/installations/customer/add/", typed, follow=True)

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "The first name contains a line break" in page
    assert "ana@example.com" in page
    assert not Customer.objects.exists()


def test_control_character_in_a_contact_is_explained(office_client: Client) -> None:
    person = customer()

    answer = press(office_client, person, "correct-contact", email='"a\x01b"@example.com', phone="", language="en")

    person.refresh_from_db()
    assert "without quotes" in answer.content.decode() + messages_in(answer)
    assert person.email.startswith("carmen.reyes")


def test_viewers_cannot_add_records(viewer_client: Client) -> None:
    assert viewer_client.get("/admin/installations/customer/add/").status_code == 403
    assert viewer_client.post("/admin/enrollments/pause/add/", {"reason": "Stop."}).status_code == 403
    assert not Pause.objects.exists()


def test_pause_ended_by_someone_else_cannot_end_twice(office_client: Client) -> None:
    found = pause(reason="Wrong prices.", by=Actor.staff(UUID(int=1)), at=AT)
    press(office_client, found, "resume")

    answer = press(office_client, found, "resume")

    assert "Nothing was done" in messages_in(answer)


def test_corrected_mail_address_counts_as_unverified(office_client: Client) -> None:
    person = customer(contact_verified_at=AT)

    press(office_client, person, "correct-contact", email="right@example.com", phone="", language="es")

    person.refresh_from_db()
    assert (person.email, person.language) == ("right@example.com", "es")
    assert person.contact_verified_at is None


def test_case_offers_buttons_of_its_deciding_records(office_client: Client, viewer_client: Client) -> None:
    job = installation(AT - timedelta(days=30))
    poa = sent_poa(customer=job.customer, site=job.site, at=AT)
    report = go_live_report(job, by=Actor.technician(UUID(int=0)))
    enrollment = case(job=job)
    ways = [
        button_url(poa, "resend"),
        button_url(poa, "void"),
        button_url(report, "confirm"),
        button_url(report, "withdraw"),
    ]

    page = office_client.get(record_url(enrollment)).content.decode()
    viewers_page = viewer_client.get(record_url(enrollment)).content.decode()

    assert [way for way in ways if way not in page] == []
    assert [way for way in ways if way in viewers_page] == []


def test_case_without_an_open_poa_offers_to_draft_one(office_client: Client) -> None:
    enrollment = case()

    page = office_client.get(record_url(enrollment)).content.decode()

    assert f"poadocument/add/?customer={enrollment.customer.public_id}&amp;site={enrollment.site.public_id}" in page


def test_webhook_is_settled_again_by_hand(office_client: Client) -> None:
    delivery = WebhookDelivery.objects.create(
        event_key="k", body="{", received_at=AT, last_error="The body is not JSON."
    )

    press(office_client, delivery, "settle-again")

    delivery.refresh_from_db()
    assert delivery.due_at == AT


def test_second_person_records_the_call_back_from_the_case(office: User, office_client: Client) -> None:
    registrar = Actor.staff(UUID(int=7))
    person = customer(AT, by=registrar)
    enrollment = case_waiting_for_signature(AT, customer=person)
    correct_contact(
        customer_id=person.pk, email="new@example.net", phone=str(person.phone), language="en", by=registrar, at=AT
    )
    page = office_client.get(button_url(enrollment, "call-back")).text
    assert f"{person.phone}, on file from before the invitation" in page

    refused = press(office_client, enrollment, "call-back", called="OTHER", number="512", confirmed="Yes.")
    refused = office_client.get(refused.url) if refused.status_code == 302 else refused
    assert "Say where you found this number" in refused.text
    answer = press(office_client, enrollment, "call-back", called=str(person.phone), confirmed="Yes, both.")

    assert "The call-back is on file" in messages_in(answer)
    assert ContactChange.objects.get().proved_by == f"staff:{office.public_id}"


def test_photo_is_served_as_it_was_sent(office_client: Client) -> None:
    proof = report_with_photo().proofs.get()

    answer = press(office_client, proof, "download-received")

    assert answer.content == SENT
    assert answer["Content-Type"] == "application/octet-stream"
    assert 'attachment; filename="original-letter.jpg"' in answer["Content-Disposition"]


def test_pdf_offers_no_second_download(office_client: Client) -> None:
    content = letter()
    proof = check_proof(io.BytesIO(content), name="letter.pdf", size_bytes=len(content))
    kept = go_live_report(installation(), proofs=[proof]).proofs.get()

    page = office_client.get(record_url(kept)).content.decode()

    assert "Download the file" in page
    assert "Download the original" not in page


def test_scan_is_served_as_sent_and_recorded(office_client: Client) -> None:
    poa = drafted_poa()
    paper = recorded(poa)

    answer = press(office_client, poa, "look-at-received-scan")

    assert hashlib.sha256(answer.content).hexdigest() == paper.received_sha256 != paper.scan_sha256
    assert answer["Content-Type"] == "application/octet-stream"
    assert poa.evidence.latest("number").details["sha256"] == paper.received_sha256


def test_file_that_must_wait_is_explained_beside_its_field(
    office_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = FileCheckQueue(max_queued=0)
    monkeypatch.setattr(proofs, "FILE_CHECK_QUEUE", queue)
    proof, scan = SimpleUploadedFile("letter.pdf", letter()), SimpleUploadedFile("scan.pdf", letter())

    with queue.slot():
        answers = [
            press(office_client, installation(), "report-go-live", proof=proof, utility_reference="DG-7"),
            press(office_client, drafted_poa(), "record-paper", scan=scan),
        ]

    assert ["Send this one again in a minute" in answer.content.decode() for answer in answers] == [True, True]
    assert 'value="DG-7"' in answers[0].content.decode()
