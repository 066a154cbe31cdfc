"""A server that returns exactly the answers, and fails in exactly the ways, that a test scripted."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def payload(self) -> Any:
        return json.loads(self.body) if self.body else None


Script = Callable[["Handler"], None]


def answer(status: int = 200, body: object = None, **headers: str) -> Script:
    """Answer with JSON, or with the bytes as they are."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()

    def run(handler: Handler) -> None:
        handler.send_response_only(status)
        for name, value in {"Date": handler.date_time_string(), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return run


def truncated_answer(body: bytes = b'{"uuid": "a') -> Script:
    """Announce a longer body than is sent, then close."""

    def run(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) + 100))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return run


def reset(handler: Handler) -> None:
    """Take the request and reset the connection."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def close_connection(handler: Handler) -> None:
    """Take the request and close the connection without an answer."""
    handler.close_connection = True


def silence(handler: Handler) -> None:
    """Take the request and send nothing until the test is over."""
    handler.owner.over.wait(20)
    handler.close_connection = True


def dripping(handler: Handler) -> None:
    """Start an answer and continue one byte at a time until the test is over."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.close_connection = True
    try:
        while not handler.owner.over.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()
    except OSError:
        return


def dripping_headers(handler: Handler) -> None:
    """Send the headers of a valid answer one byte at a time; it is complete after some twenty seconds."""
    handler.close_connection = True
    padding = "x" * 400
    for byte in f"HTTP/1.1 200 OK\r\nX-Padding: {padding}\r\nContent-Length: 2\r\n\r\n{{}}".encode():
        if handler.owner.over.wait(0.05):
            return
        try:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
        except OSError:
            return


@dataclass
class ScriptedLight:
    """The scripted answers and the requests that arrived."""

    base_url: str = ""
    scripts: list[Script] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def will(self, *scripts: Script) -> None:
        """Return these answers next, one per request."""
        self.scripts.extend(scripts)

    @property
    def calls(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.received]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: ScriptedLight

    def _play(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        parts = urlsplit(self.path)
        self.owner.received.append(
            Received(
                method=self.command,
                path=parts.path,
                query=parse_qs(parts.query),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
            )
        )
        script = self.owner.scripts.pop(0) if self.owner.scripts else answer(418, {"detail": "nothing scripted"})
        script(self)

    def do_GET(self) -> None:
        self._play()

    def do_POST(self) -> None:
        self._play()

    def log_message(self, *_arguments: object) -> None:
        """Keep the test output quiet."""

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet: these tests are about clients that close the connection."""

    def shutdown_request(self, request: Any) -> None:
        try:
            super().shutdown_request(request)
        except OSError:
            return


@contextmanager
def scripted_light(*, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedLight]:
    """Run the server on a free port; with `tls`, as "localhost" over HTTPS."""
    light = ScriptedLight()
    handler = type("BoundHandler", (Handler,), {"owner": light})
    server = _Server(("127.0.0.1", 0), handler)
    light.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    if tls is not None:
        light.base_url = f"https://localhost:{server.server_address[1]}"
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield light
    finally:
        light.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
