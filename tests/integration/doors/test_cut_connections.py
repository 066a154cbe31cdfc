"""What arrives in part, because the connection broke on its way, counts for nothing; sent again whole, it counts."""

import io
import socket
import uuid
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

import pytest
import requests
from django.contrib.auth.models import User
from django.test import Client
from PIL import Image
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer
from rest_framework.authtoken.models import Token

from core import clock
from core.dates import chicago_day
from enrollments.models import WebhookRefusal
from installations.models import GoLiveReport, Installation, KeptProof
from poa_documents.models import PoaDocument
from simulator.dialect import REFERENCE
from simulator.webhooks import signed_headers
from tests.factories.installations import SUBMITTED, installation_at, technician
from tests.factories.poa_documents import sent_poa
from tests.integration.poa_documents.portal_visits import Visit

pytestmark = pytest.mark.django_db(transaction=True)


def _letter() -> bytes:
    written = io.BytesIO()
    Image.effect_noise((300, 200), 60).save(written, "JPEG")
    return written.getvalue()


LETTER = _letter()


def sent_in_part(request: requests.PreparedRequest, upto: Callable[[bytes], int]) -> int | None:
    """Send the head and the first part of the body, then hang up; give the answer's status, if there is one."""
    assert isinstance(request.body, bytes)
    assert request.url
    address = urlsplit(request.url)
    head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": address.netloc, **request.headers}.items())
    with socket.create_connection((address.hostname or "", address.port or 80), timeout=10) as connection:
        connection.sendall(f"{request.method} {request.path_url} HTTP/1.1\r\n{head}\r\n".encode())
        connection.sendall(request.body[: upto(request.body)])
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").readline().split()
    return int(answer[1]) if answer else None


CUTS = {
    "before the photo": lambda body: body.index(b'name="proof"') - 60,
    "inside the photo": lambda body: len(body) - 2_000,
    "before the last byte": lambda body: len(body) - 1,
}


def from_technicians_phone(server: LiveServer, job: Installation, **fields: str) -> requests.PreparedRequest:
    """What the page's script sends: the fields first, the photo last."""
    client = Client()
    assert job.technician
    client.force_login(job.technician)
    token = client.get("/field/session/", headers={"Accept": "application/json"}).json()["csrf_token"]
    cookies = {name: cookie.value for name, cookie in client.cookies.items()}
    written = {
        "submission_id": str(uuid.uuid4()),
        "granted_date": chicago_day(clock.now()).isoformat(),
        "source": "LETTER",
        "utility_reference": "DG-2026-0042",
        **fields,
    }
    return requests.Request(
        "POST",
        f"{server.url}/field/jobs/{job.pk}/",
        data=written,
        files={"proof": ("letter.jpg", LETTER, "image/jpeg")},
        headers={"Accept": "application/json", "X-CSRFToken": token},
        cookies=cookies,
    ).prepare()


@pytest.mark.cell("U11")
@pytest.mark.parametrize("cut", CUTS)
def test_U11_a_report_cut_off_on_its_way_is_not_taken_and_sent_again_whole_it_counts(
    live_server: LiveServer, cut: str
) -> None:
    request = from_technicians_phone(live_server, installation_at(SUBMITTED, at=clock.now(), technician=technician()))

    status = sent_in_part(request, CUTS[cut])

    assert status == HTTPStatus.BAD_REQUEST
    assert not GoLiveReport.objects.exists()
    assert not KeptProof.objects.exists()

    with requests.Session() as again:
        answer = again.send(request)

    assert answer.status_code == HTTPStatus.OK, answer.text
    assert GoLiveReport.objects.get().proofs.count() == 1


@pytest.mark.cell("U11")
def test_U11_a_signature_cut_off_on_its_way_is_not_taken(live_server: LiveServer) -> None:
    poa = sent_poa(at=clock.now())
    visit = Visit.by_last_mail()
    visit.agree_to_everything()
    form = {**visit.fields("step/signature/"), "kind": "TYPED", "typed_name": "Carmen Reyes"}
    request = requests.Request(
        "POST",
        f"{live_server.url}{visit.address('step/signature/')}",
        data=form,
        cookies={name: cookie.value for name, cookie in visit.client.cookies.items()},
    ).prepare()
    request.body = str(request.body).encode()

    status = sent_in_part(request, lambda body: body.index(b"Carmen") + len(b"Carmen"))

    assert status == HTTPStatus.BAD_REQUEST
    assert PoaDocument.objects.get(pk=poa.pk).signature_text == ""


@pytest.mark.cell("U11")
def test_U11_what_another_system_sends_is_not_taken_in_part(live_server: LiveServer) -> None:
    root = User.objects.create_superuser("root")
    request = requests.Request(
        "POST",
        f"{live_server.url}/api/v1/customers/",
        json={"first_name": "Carmen"},
        headers={"Authorization": f"Token {Token.objects.create(user=root).key}"},
    ).prepare()

    assert sent_in_part(request, lambda body: len(body) - 5) == HTTPStatus.BAD_REQUEST


@pytest.mark.cell("U11")
def test_U11_a_webhook_cut_off_on_its_way_does_not_count_as_signed_wrong(
    live_server: LiveServer, settings: Settings
) -> None:
    settings.LIGHT_WEBHOOK_SECRETS = ["secret"]
    body = b'{"uuid": "00000000-0000-4000-8000-000000000001"}'
    headers = signed_headers(REFERENCE, "secret", body, clock.now())
    request = requests.Request("POST", f"{live_server.url}/webhooks/light/", data=body, headers=headers).prepare()

    assert sent_in_part(request, lambda whole: len(whole) - 5) == HTTPStatus.BAD_REQUEST
    assert not WebhookRefusal.objects.exists()
