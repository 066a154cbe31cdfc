"""The technician's pages over HTTP: who may see what, what a form does, and that no entry is lost."""

import io
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from accounts.models import User
from core import clock
from core.dates import chicago_day
from installations import proofs
from installations.actions import assign_technician
from installations.file_check_queue import FileCheckQueue
from installations.models import GoLiveReport, HardwareKind, Installation, KeptProof
from installations.proofs import MAX_PROOF_BYTES
from tests.factories.installations import (
    AT,
    OFFICE,
    SUBMITTED,
    customer,
    go_live_report,
    installation_at,
    staff,
    technician,
)

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough password"


@pytest.fixture
def tess() -> User:
    return technician()


@pytest.fixture
def signed_in(client: Client, tess: User) -> Client:
    client.force_login(tess)
    return client


@pytest.fixture
def job(tess: User) -> Installation:
    return installation_at(SUBMITTED, at=clock.now(), technician=tess)


def jpeg(name: str = "letter.jpg", exif: Image.Exif | None = None) -> SimpleUploadedFile:
    written = io.BytesIO()
    Image.new("RGB", (60, 40), "white").save(written, "JPEG", exif=exif or Image.Exif())
    return SimpleUploadedFile(name, written.getvalue(), content_type="image/jpeg")


def typed(**fields: Any) -> dict[str, Any]:
    return {
        "submission_id": str(uuid.uuid4()),
        "granted_date": (chicago_day(clock.now()) - timedelta(days=1)).isoformat(),
        "source": "LETTER",
        "utility_reference": "DG-2026-0042",
        "note": "Handed over at the gate",
        **fields,
    }


def url(job: Installation) -> str:
    return f"/field/jobs/{job.public_id}/"


def test_technician_signs_in_and_sees_own_jobs(client: Client, tess: User, job: Installation) -> None:
    response = client.post("/field/sign-in/", {"username": tess.username, "password": PASSWORD}, follow=True)

    assert response.redirect_chain == [("/field/", 302)]
    assert job.site.address_1 in response.text


def test_wrong_password_is_explained_and_keeps_the_name(client: Client, tess: User) -> None:
    response = client.post("/field/sign-in/", {"username": tess.username, "password": "wrong"})

    assert "Wrong username or password" in response.text
    assert f'value="{tess.username}"' in response.text


def test_non_technicians_are_told_so(client: Client) -> None:
    User.objects.create_user("clerk", password=PASSWORD)

    response = client.post("/field/sign-in/", {"username": "clerk", "password": PASSWORD})

    assert "not a technician" in response.text
    assert "_auth_user_id" not in client.session


def test_sign_in_never_redirects_to_another_host(client: Client, tess: User) -> None:
    response = client.post(
        "/field/sign-in/?next=https://elsewhere.example/",
        {"username": tess.username, "password": PASSWORD, "next": "//elsewhere.example/"},
    )

    assert response.headers["Location"] == "/field/"


def test_guessing_passwords_is_slowed_down(client: Client, tess: User) -> None:
    for _ in range(10):
        client.post("/field/sign-in/", {"username": tess.username, "password": "wrong"})

    response = client.post("/field/sign-in/", {"username": tess.username, "password": PASSWORD})

    assert response.status_code == 429
    assert "Too many attempts" in response.text
    assert 0 < int(response["Retry-After"]) <= 15 * 60
    assert "_auth_user_id" not in client.session


def test_signed_in_non_technician_gets_no_page(client: Client, job: Installation) -> None:
    client.force_login(User.objects.create_user("clerk", password=PASSWORD))

    response = client.get(url(job))

    assert response.status_code == 403
    assert job.site.address_1 not in response.text


def test_signed_out_technician_returns_after_sign_in(client: Client, job: Installation) -> None:
    response = client.get(url(job))

    assert response.headers["Location"] == f"/field/sign-in/?next={url(job)}"


def test_get_never_signs_out(signed_in: Client) -> None:
    response = signed_in.get("/field/sign-out/")

    assert response.status_code == 405
    assert signed_in.get("/field/").status_code == 200


def test_list_has_own_jobs_only_dated_ones_first(signed_in: Client, tess: User, django_assert_num_queries: Any) -> None:
    at = clock.now()
    undated = installation_at("SOLD", at=at, technician=tess)
    later = installation_at("SOLD", at=at, technician=tess, scheduled_date=chicago_day(at) + timedelta(days=9))
    sooner = installation_at("SOLD", at=at, technician=tess, scheduled_date=chicago_day(at) + timedelta(days=2))
    done = installation_at("PTO_CONFIRMED", at=at, technician=tess)
    canceled = installation_at("CANCELLED", at=at, technician=tess)
    foreign = installation_at("SOLD", at=at, technician=technician())

    signed_in.get("/field/")  # records when the session began

    with django_assert_num_queries(5):  # session, user, second step, group, jobs
        page = signed_in.get("/field/").text

    order = [page.index(f"{job.site.address_1}<") for job in (sooner, later, undated, done)]
    assert order == sorted(order)
    assert f"{canceled.site.address_1}<" not in page
    assert f"{foreign.site.address_1}<" not in page


@pytest.mark.parametrize("method", ["get", "post"])
def test_other_technicians_job_answers_like_a_missing_one(signed_in: Client, method: str) -> None:
    foreign = installation_at(SUBMITTED, at=clock.now(), technician=technician())

    theirs = getattr(signed_in, method)(url(foreign), typed())
    unknown = getattr(signed_in, method)(f"/field/jobs/{uuid.uuid4()}/", typed())

    assert (theirs.status_code, unknown.status_code) == (404, 404)
    assert theirs.content == unknown.content
    assert not GoLiveReport.objects.exists()


def test_report_with_photo_counts_and_says_so(signed_in: Client, tess: User, job: Installation) -> None:
    response = signed_in.post(url(job), typed(proof=jpeg(), device_at="2026-11-20T10:00:00-06:00"), follow=True)

    report = GoLiveReport.objects.get()
    assert "Report accepted" in response.text
    assert (report.status, report.reported_by) == ("COUNTED", f"technician:{tess.public_id}")
    assert report.device_at is not None
    assert report.proofs.get().content_type == "image/jpeg"


def test_form_sent_twice_counts_once_and_says_so(signed_in: Client, job: Installation) -> None:
    form = typed()
    signed_in.post(url(job), {**form, "proof": jpeg()})

    response = signed_in.post(url(job), {**form, "proof": jpeg()}, follow=True)

    assert "Report already accepted" in response.text
    assert GoLiveReport.objects.count() == 1


def test_wrong_date_keeps_all_entries_and_the_photo(signed_in: Client, job: Installation) -> None:
    tomorrow = (chicago_day(clock.now()) + timedelta(days=1)).isoformat()
    form = typed(granted_date=tomorrow)

    response = signed_in.post(url(job), {**form, "proof": jpeg()}, follow=True)

    assert response.status_code == 200
    assert "is in the future" in response.text
    assert response.text.count("Saved: letter.jpg") == 1
    for value in (tomorrow, "DG-2026-0042", "Handed over at the gate", form["submission_id"]):
        assert value in response.text
    assert 'value="LETTER" selected' in response.text
    assert not GoLiveReport.objects.exists()


def test_all_errors_are_shown_together(signed_in: Client, job: Installation) -> None:
    response = signed_in.post(url(job), {"granted_date": "2099-01-01"}, headers={"Accept": "application/json"})

    assert set(response.json()["errors"]) == {"granted_date", "source", "utility_reference"}


def test_fixed_form_counts_with_the_saved_photo(signed_in: Client, job: Installation) -> None:
    form = typed()
    signed_in.post(url(job), {**form, "granted_date": "2001-01-01", "proof": jpeg()})

    response = signed_in.post(url(job), form, follow=True)

    assert "Report accepted" in response.text
    assert GoLiveReport.objects.get().proofs.get().original_name == "letter.jpg"
    assert not KeptProof.objects.exists()


@pytest.mark.parametrize(
    ("upload", "words"),
    [
        (
            SimpleUploadedFile("letter.jpg", b"<html>not a photo</html>", "image/jpeg"),
            "not a photo (JPEG or PNG) or a PDF",
        ),
        (SimpleUploadedFile("letter.pdf", b"%PDF-1.7\nhalf of it", "application/pdf"), "incomplete or damaged"),
        (SimpleUploadedFile("letter.jpg", b"\xff\xd8\xff\xe0 half", "image/jpeg"), "incomplete or damaged"),
        (SimpleUploadedFile("letter.jpg", b"", "image/jpeg"), "The file is empty"),
        (SimpleUploadedFile("huge.jpg", b"\xff\xd8\xff" + bytes(MAX_PROOF_BYTES), "image/jpeg"), "larger than 15 MB"),
    ],
)
def test_wrong_file_is_explained_and_keeps_other_entries(
    signed_in: Client, job: Installation, upload: SimpleUploadedFile, words: str
) -> None:
    response = signed_in.post(url(job), typed(proof=upload), follow=True)

    assert response.status_code == 200
    assert words in response.text
    assert "Handed over at the gate" in response.text
    assert not GoLiveReport.objects.exists()
    assert not KeptProof.objects.exists()


def test_same_form_with_other_contents_is_refused_with_reason(signed_in: Client, job: Installation) -> None:
    form = typed()
    signed_in.post(url(job), form)

    response = signed_in.post(url(job), {**form, "note": "Something else"}, follow=True)

    assert "already sent with different answers" in response.text
    assert "Something else" in response.text


def test_hostile_names_do_no_harm(signed_in: Client, tess: User) -> None:
    hostile = customer(at=clock.now(), first_name="<script>alert(1)</script>")
    job = installation_at(SUBMITTED, at=clock.now(), technician=tess, customer=hostile)

    page = signed_in.get(url(job)).text

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_charger_is_commissioned_without_a_permit(signed_in: Client, tess: User) -> None:
    charger = installation_at("INSTALLED", at=clock.now(), technician=tess, kind=HardwareKind.EV_CHARGER)

    page = signed_in.get(url(charger)).text
    answer = signed_in.post(url(charger), typed(source="ON_SITE", utility_reference="", proof=jpeg()), follow=True)

    assert "Report commissioning" in page
    assert "permission" not in page
    assert "Report accepted" in answer.text


def test_different_date_is_kept_and_reported(signed_in: Client, job: Installation) -> None:
    at = clock.now()
    go_live_report(job, at=at, granted_date=chicago_day(at) - timedelta(days=5))

    response = signed_in.post(url(job), typed(proof=jpeg()), follow=True)

    assert "another date is on file" in response.text
    assert GoLiveReport.objects.count() == 2


def test_other_technicians_report_answers_like_a_missing_one(signed_in: Client, job: Installation) -> None:
    others = go_live_report(job, at=clock.now())

    response = signed_in.get(f"/field/reports/{others.submission_id}/")

    assert response.status_code == 404


def test_technician_who_lost_the_job_cannot_see_its_report(signed_in: Client, job: Installation) -> None:
    """The page names the customer and the address."""
    signed_in.post(url(job), typed())
    address = f"/field/reports/{GoLiveReport.objects.get().submission_id}/"
    before = signed_in.get(address).status_code
    assign_technician(installation_id=job.pk, technician_id=technician(username="tom").pk, by=OFFICE, at=AT)

    answer = signed_in.get(address)

    assert before == 200
    assert answer.status_code == 404
    assert str(job.customer) not in answer.content.decode()


def test_script_receives_errors_by_field(signed_in: Client, job: Installation) -> None:
    response = signed_in.post(url(job), typed(utility_reference=""), headers={"Accept": "application/json"})

    assert response.status_code == 422
    assert set(response.json()["errors"]) == {"utility_reference"}


def test_script_of_a_signed_out_technician_is_refused(client: Client, job: Installation) -> None:
    response = client.post(url(job), typed(), headers={"Accept": "application/json"})

    assert response.status_code == 401


def test_staff_with_the_permission_may_use_the_pages(client: Client) -> None:
    client.force_login(staff())

    assert client.get("/field/").status_code == 200


def test_service_worker_caches_existing_files_only(signed_in: Client) -> None:
    response = signed_in.get("/field/service-worker.js")

    assert response.headers["Content-Type"] == "text/javascript"
    assert "/static/css/field.css" in response.text
    assert '"KEPT_FILES"' not in response.text


def test_pages_allow_no_inline_code(signed_in: Client, job: Installation) -> None:
    response = signed_in.get(url(job))

    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in response.headers["Content-Security-Policy"]
    assert " style=" not in response.text
    assert "<script>" not in response.text
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.parametrize(
    "device_at", ["9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z"]
)
def test_phone_with_a_wrong_clock_can_report(signed_in: Client, job: Installation, device_at: str) -> None:
    response = signed_in.post(url(job), typed(device_at=device_at))

    assert response.status_code == 302
    assert GoLiveReport.objects.get().device_at is None


def test_report_is_retried_later_while_files_are_checked(
    signed_in: Client, job: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is judged yet, so the phone keeps everything and sends it again."""
    queue = FileCheckQueue(max_queued=0)
    monkeypatch.setattr(proofs, "FILE_CHECK_QUEUE", queue)

    with queue.slot():
        page = signed_in.post(url(job), typed(proof=jpeg()))
        script = signed_in.post(url(job), typed(proof=jpeg()), headers={"accept": "application/json"})
    later = signed_in.post(url(job), typed(proof=jpeg()))

    assert page.status_code == script.status_code == 503
    assert page.headers["Retry-After"] == script.headers["Retry-After"] == "60"
    assert "send it again in 1" in " ".join(page.text.split())
    assert later.status_code == 302
