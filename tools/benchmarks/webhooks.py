"""Signed webhooks a second at /webhooks/light/, beside a bare Django view with the same check and one insert."""

import hashlib
import hmac
import json
import socket
import threading
import time
import uuid
from contextlib import ExitStack

from tools.benchmarks.measuring import (
    WEBHOOK_SECRET,
    compare,
    environment,
    free_port,
    listens,
    own_database,
    own_folder,
    process,
    run,
    until,
)

ROUNDS = 7
REQUESTS = 1500
CALLERS = 8
GUNICORN = ("-m", "gunicorn", "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--no-control-socket")


def measure() -> dict[str, object]:
    with ExitStack() as stack:
        folder = stack.enter_context(own_folder())
        database_url = stack.enter_context(own_database())
        ours_port, bare_port = free_port(), free_port()
        ours = environment(folder, DATABASE_URL=database_url)
        bare = {**ours, "DJANGO_SETTINGS_MODULE": "tools.benchmarks.bare.settings"}
        run("manage.py", "migrate", "--noinput", "--verbosity", "0", environ=ours)
        run("-m", "django", "migrate", "--run-syncdb", "--verbosity", "0", environ=bare)
        for port, environ, application in (
            (ours_port, ours, "config.wsgi"),
            (bare_port, bare, "tools.benchmarks.bare.wsgi"),
        ):
            command = (*GUNICORN, "--bind", f"127.0.0.1:{port}", application)
            stack.enter_context(process(*command, environ=environ, log=folder / f"{application}.log"))
        for port in (ours_port, bare_port):
            until(lambda: listens(port), "gunicorn listens")  # noqa: B023 - asked at once
            rate(port, count=400)
        rounds = [(rate(ours_port), rate(bare_port)) for _ in range(ROUNDS)]
    return {
        "requests": REQUESTS,
        "callers": CALLERS,
        **compare([our for our, _ in rounds], [their for _, their in rounds]),
    }


def rate(port: int, *, count: int = REQUESTS) -> float:
    """Send that many different webhooks over several connections; return the number answered with 200 per second."""
    shares = [[_request(port) for _ in range(count // CALLERS)] for _ in range(CALLERS)]
    answers: list[bytes] = []
    callers = [threading.Thread(target=_send_all, args=(port, share, answers)) for share in shares]
    began = time.perf_counter()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    seconds = time.perf_counter() - began
    stored = [answer for answer in answers if answer.startswith(b"HTTP/1.1 200")]
    if len(stored) != sum(map(len, shares)):
        raise AssertionError(f"only {len(stored)} of {count} webhooks were stored")
    return len(stored) / seconds


def _request(port: int) -> bytes:
    body = json.dumps(
        {
            "uuid": str(uuid.uuid4()),
            "event": "enrollment.plan_accepted",
            "created_at": "2026-03-05T16:00:00Z",
            "app": {"uuid": str(uuid.uuid4())},
            "account": {"uuid": str(uuid.uuid4())},
            "data": {},
        }
    ).encode()
    signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST /webhooks/light/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"User-Agent: bench\r\nX-Light-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _send_all(port: int, requests: list[bytes], answers: list[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in requests:
            connection.sendall(request)
            answers.append(_whole_answer(connection))


def _whole_answer(connection: socket.socket) -> bytes:
    received = _some(connection)
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
    )
    while len(body) < length:
        body += _some(connection)
    return received


def _some(connection: socket.socket) -> bytes:
    received = connection.recv(4096)
    if not received:
        raise ConnectionError("the connection was closed in the middle of an answer")
    return received
