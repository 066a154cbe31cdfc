"""A request truncated by a broken connection counts for nothing; sent again completely, it counts."""

import io
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
import requests
from django.test import Client
from PIL import Image
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from core import clock
from core.dates import chicago_day
from enrollments.models import WebhookDelivery, WebhookRefusal
from installations.models import Customer, GoLiveReport, KeptProof
from poa_documents.models import PoaDocument
from simulator.dialect import REFERENCE
from simulator.webhooks import signed_headers
from tests.breaking_line import BreakingConnection
from tests.factories.accounts import personal_key
from tests.factories.installations import SUBMITTED, installation_at, technician
from tests.factories.poa_documents import sent_poa
from tests.integration.poa_documents.portal_visits import Visit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.cell("U11")]

CUTS: dict[str, Callable[[bytes], int]] = {
    "before the photo": lambda body: body.index(b'name="proof"') - 60,
    "inside the photo": lambda body: len(body) - 2_000,
    "before the last byte": lambda body: len(body) - 1,
}


def letter() -> tuple[str, bytes, str]:
    written = io.BytesIO()
    Image.effect_noise((300, 200), 60).save(written, "JPEG")
    return "letter.jpg", written.getvalue(), "image/jpeg"


def browser_of(client: Client) -> requests.Session:
    browser = requests.Session()
    browser.cookies.update({name: cookie.value for name, cookie in client.cookies.items()})
    return browser


def send_truncated(
    browser: requests.Session, server: LiveServer, path: str, upto: Callable[[bytes], int], **what: Any
) -> int | None:
    """Send a form on a connection that breaks; return what the server answered to it."""
    line = BreakingConnection(upto)
    browser.mount(server.url, line)
    with pytest.raises(requests.ConnectionError):
        browser.post(f"{server.url}{path}", **what)
    return line.answers[0]


@pytest.mark.parametrize("cut", CUTS)
def test_U11_truncated_report_is_ignored_and_counts_when_resent(
    live_server: LiveServer, client: Client, cut: str
) -> None:
    tess = technician()
    path = f"/field/jobs/{installation_at(SUBMITTED, at=clock.now(), technician=tess).public_id}/"
    client.force_login(tess)
    token = client.get("/field/session/").json()["csrf_token"]
    browser = browser_of(client)
    browser.headers.update({"Accept": "application/json", "X-CSRFToken": token})
    report = {
        "submission_id": str(uuid.uuid4()),
        "granted_date": chicago_day(clock.now()).isoformat(),
        "source": "LETTER",
        "utility_reference": "DG-2026-0042",
    }
    photo = letter()

    status = send_truncated(browser, live_server, path, CUTS[cut], data=report, files={"proof": photo})

    assert status == HTTPStatus.BAD_REQUEST
    assert not GoLiveReport.objects.exists()
    assert not KeptProof.objects.exists()

    answer = browser.post(f"{live_server.url}{path}", data=report, files={"proof": photo})

    assert answer.status_code == HTTPStatus.OK, answer.text
    assert GoLiveReport.objects.get().proofs.count() == 1


def test_U11_truncated_signature_is_ignored(live_server: LiveServer) -> None:
    poa = sent_poa(at=clock.now())
    visit = Visit.by_last_mail()
    visit.agree_to_everything()
    form = {**visit.fields("step/signature/"), "kind": "TYPED", "typed_name": "Carmen Reyes"}
    browser, path = browser_of(visit.client), visit.address("step/signature/")

    status = send_truncated(browser, live_server, path, lambda body: body.index(b"Carmen") + 6, data=form)

    assert status == HTTPStatus.BAD_REQUEST
    assert PoaDocument.objects.get(pk=poa.pk).signature_text == ""

    browser.post(f"{live_server.url}{path}", data=form).raise_for_status()

    assert PoaDocument.objects.get(pk=poa.pk).signature_text == "Carmen Reyes"


def test_form_not_in_utf_8_is_refused_with_the_reason(client: Client) -> None:
    answer = client.post("/field/sign-in/", "username=tess", "application/x-www-form-urlencoded; charset=latin-1")

    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "UTF-8" in answer.text


def test_U11_truncated_api_request_is_ignored(live_server: LiveServer) -> None:
    system = requests.Session()
    system.headers["Authorization"] = f"Token {personal_key(User.objects.create_superuser('root'))}"

    status = send_truncated(
        system, live_server, "/api/v1/customers/", lambda body: len(body) - 5, json={"first_name": "Carmen"}
    )

    assert status == HTTPStatus.BAD_REQUEST
    assert not Customer.objects.exists()


def test_U11_truncated_webhook_does_not_count_as_badly_signed(live_server: LiveServer, settings: Settings) -> None:
    settings.LIGHT_WEBHOOK_SECRETS = ["secret"]
    body = b'{"uuid": "00000000-0000-4000-8000-000000000001"}'
    light = requests.Session()
    light.headers.update(signed_headers(REFERENCE, "secret", body, clock.now()))

    status = send_truncated(light, live_server, "/webhooks/light/", lambda whole: len(whole) - 5, data=body)

    assert status == HTTPStatus.BAD_REQUEST
    assert not WebhookRefusal.objects.exists()

    light.post(f"{live_server.url}/webhooks/light/", data=body).raise_for_status()

    assert WebhookDelivery.objects.count() == 1
