"""A proxy to a server that can be cut: refuse, hang, or let the request through and lose the answer."""

import contextlib
import select
import socket
import threading
from enum import Enum
from typing import Self
from urllib.parse import urlsplit

CHUNK = 65_536
LOOK_SECONDS = 0.1


class WireState(Enum):
    WHOLE = "whole"
    REFUSES = "refuses"
    HANGS = "hangs"
    LOSES_ANSWERS_TO_PUT = "loses the answer to each PUT"


class Wire:
    """Listens on its own port and passes bytes to and from the server, as `state` currently allows."""

    def __init__(self, server_url: str) -> None:
        parts = urlsplit(server_url)
        self._server = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="wire", daemon=True)
        self.state = WireState.WHOLE
        self.lost_answers = 0
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._is_over.is_set():
            readable, _, _ = select.select([self._listener], [], [], LOOK_SECONDS)
            if readable:
                near, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(near,), name="wire-call", daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError), socket.create_connection(self._server, timeout=10) as far:
            is_answer_to_lose = False
            while not self._is_over.is_set():
                if self.state is WireState.REFUSES:
                    return
                readable, _, _ = select.select([near, far], [], [], LOOK_SECONDS)
                if self.state is WireState.HANGS:
                    self._is_over.wait(LOOK_SECONDS)
                    continue
                for source in readable:
                    content = source.recv(CHUNK)
                    if not content:
                        return
                    if source is near and content.startswith(b"PUT "):
                        is_answer_to_lose = self.state is WireState.LOSES_ANSWERS_TO_PUT
                    is_interim = content.startswith(b"HTTP/1.1 100")
                    if source is far and is_answer_to_lose and not is_interim:
                        self.lost_answers += 1
                        return
                    (far if source is near else near).sendall(content)
