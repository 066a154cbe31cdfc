"""Webhooks with a chunked body and no announced length, as many senders and proxies send them."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from django.utils import timezone
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from enrollments.models import WebhookDelivery, WebhookRefusal
from enrollments.webhooks.views import MAX_BODY_BYTES
from simulator.dialect import REFERENCE
from simulator.webhooks import signed_headers
from tests.integration.webhooks.deliveries import ADDRESS, event
from tests.unit.config.production_environment import production_environment

ROOT = Path(__file__).resolve().parents[3]
SECRET = "the secret of this test"
SECONDS_TO_START = 120


@pytest.fixture
def server(live_server: LiveServer, settings: Settings) -> LiveServer:
    settings.LIGHT_WEBHOOK_SECRETS = [SECRET]
    return live_server


def send(url: str, body: bytes, *, secret: str = SECRET, pieces: int = 7) -> requests.Response:
    """Post the body in that many chunks."""
    step = max(len(body) // pieces, 1)
    chunks = (body[place : place + step] for place in range(0, len(body), step))
    headers = {**signed_headers(REFERENCE, secret, body, timezone.now()), "Content-Type": "application/json"}
    return requests.post(f"{url}{ADDRESS}", data=chunks, headers=headers, timeout=SECONDS_TO_START)


def send_raw(url: str, rest: bytes) -> int:
    """Send the head of a chunked webhook and then `rest`, and close; return the status of the answer."""
    host, _, port = url.removeprefix("http://").partition(":")
    headers = signed_headers(REFERENCE, SECRET, b"{}", timezone.now())
    lines = [f"POST {ADDRESS} HTTP/1.1", f"Host: {host}", "Transfer-Encoding: chunked"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection((host, int(port)), timeout=SECONDS_TO_START) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + rest)
        connection.shutdown(socket.SHUT_WR)
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.django_db(transaction=True)
@pytest.mark.cell("W13")
def test_W13_chunked_signed_webhook_is_stored(server: LiveServer) -> None:
    body = event("enrollment.finalized", uuid4())

    answer = send(server.url, body)

    assert answer.status_code == HTTPStatus.OK
    assert WebhookDelivery.objects.get().body == body.decode()


@pytest.mark.django_db(transaction=True)
def test_chunked_forged_webhook_is_refused(server: LiveServer) -> None:
    answer = send(server.url, event("enrollment.finalized", uuid4()), secret="somebody else's")

    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert not WebhookDelivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_chunks_are_read_only_up_to_the_limit(server: LiveServer) -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)

    status = send_raw(server.url, f"{len(body):x}\r\n".encode() + body)

    assert status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert not WebhookDelivery.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "rest",
    [
        b"2\r\n{",
        b"2\r\n{}",
        b"2\r\n{}\r\n",
        b"2\r\n{}\r\n0\r\n",
        b"2\r\n{}xx0\r\n\r\n",
        b"two\r\n{}\r\n0\r\n\r\n",
        b"-2\r\n{}\r\n0\r\n\r\n",
        b"1" * 2000,
        b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 50,
    ],
)
def test_incomplete_or_invalid_chunks_count_for_nothing(server: LiveServer, rest: bytes) -> None:
    assert send_raw(server.url, rest) == HTTPStatus.BAD_REQUEST

    assert not WebhookDelivery.objects.exists()
    assert not WebhookRefusal.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_chunks_may_carry_extensions_and_trailers(server: LiveServer) -> None:
    assert send_raw(server.url, b"2;a=b\r\n{}\r\n0\r\nX-Trailer: 1\r\n\r\n") == HTTPStatus.OK

    assert WebhookDelivery.objects.get().body == "{}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/api/v1/token/", "/admin/login/", "/field/sign-in/"])
def test_other_chunked_requests_must_say_their_length(server: LiveServer, path: str) -> None:
    answer = requests.post(f"{server.url}{path}", data=iter([b"username=a"]), timeout=SECONDS_TO_START)

    assert answer.status_code == HTTPStatus.LENGTH_REQUIRED
    assert "Content-Length" in answer.text


@pytest.fixture
def gunicorn(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A gunicorn as the image starts it, on its own database; returns its address and its database."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    secrets = {name: production_environment()[name] for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")}
    database = tmp_path / "webhooks.sqlite3"
    environment |= secrets | {
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "DATA_DIR": str(tmp_path / "data"),
        "DATABASE_URL": f"sqlite:///{database}",
        "LIGHT_WEBHOOK_SECRET": SECRET,
    }
    migrate = [sys.executable, "manage.py", "migrate", "--noinput", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True, timeout=SECONDS_TO_START)  # noqa: S603 - our own
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    program = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", address, "--no-control-socket"]
    with (tmp_path / "web.log").open("ab") as log:
        started = subprocess.Popen(  # noqa: S603 - our own command
            [*program, "--worker-class", "gthread", "--threads", "4"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while not _is_up(f"http://{address}"):
            assert time.monotonic() < deadline, (tmp_path / "web.log").read_text()
            time.sleep(0.1)
        yield f"http://{address}", database
    finally:
        started.terminate()
        started.wait(timeout=SECONDS_TO_START)


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=5).status_code == HTTPStatus.OK
    except requests.ConnectionError:
        return False


@pytest.mark.cell("W13")
def test_W13_chunked_webhook_is_stored_by_gunicorn_too(gunicorn: tuple[str, Path]) -> None:
    url, database = gunicorn
    body, too_large = event("enrollment.finalized", uuid4()), b"x" * (2 * MAX_BODY_BYTES)

    answers = [send(url, body), send(url, body, secret="somebody else's")]
    statuses = [send_raw(url, rest) for rest in (b"2\r\n{", b"two\r\n", f"{len(too_large):x}\r\n".encode() + too_large)]

    assert [answer.status_code for answer in answers] == [HTTPStatus.OK, HTTPStatus.UNAUTHORIZED]
    assert statuses == [HTTPStatus.BAD_REQUEST, HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE]
    with sqlite3.connect(database) as kept:
        assert kept.execute("SELECT body FROM enrollments_webhookdelivery").fetchall() == [(body.decode(),)]
