"""A proxy on this machine: tunnels by CONNECT, forwards plain HTTP, and may ask for a password or refuse."""

from __future__ import annotations

import base64
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Proxy:
    """Where it listens, what passed through it, and how it behaves."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    password: str = ""
    refuses_with: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Proxy

    def do_CONNECT(self) -> None:
        if not self._is_allowed():
            return
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as onward:
            self.send_response(200, "Connection established")
            self.end_headers()
            self._carry(onward)
        self.close_connection = True

    def do_GET(self) -> None:
        if not self._is_allowed():
            return
        parts = urlsplit(self.path)
        onward = HTTPConnection(parts.netloc, timeout=10)
        onward.request("GET", f"{parts.path}?{parts.query}", headers=dict(self.headers.items()))
        answer = onward.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        onward.close()

    def log_message(self, *_arguments: object) -> None:
        """Keep the test output quiet."""

    def _is_allowed(self) -> bool:
        self.owner.asked.append(f"{self.command} {self.path}")
        wanted = base64.b64encode(self.owner.password.encode()).decode()
        is_known = not wanted or self.headers.get("Proxy-Authorization") == f"Basic {wanted}"
        status = self.owner.refuses_with or (0 if is_known else 407)
        if status:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        return not status

    def _carry(self, onward: socket.socket) -> None:
        ends = {self.connection: onward, onward: self.connection}
        while True:
            readable, _, _ = select.select(list(ends), [], [], 10)
            for end in readable:
                data = end.recv(65_536)
                if not data:
                    return
                ends[end].sendall(data)
            if not readable:
                return


@contextmanager
def running_proxy() -> Iterator[Proxy]:
    """Run a proxy on a free port."""
    proxy = Proxy()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundHandler", (_Handler,), {"owner": proxy}))
    server.daemon_threads = True
    proxy.port = int(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
