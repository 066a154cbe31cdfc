"""A webhook receiver that keeps what it gets and answers as configured."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response


@dataclass
class Received:
    body: bytes
    headers: dict[str, str]
    json: dict[str, Any]


@dataclass
class WebhookInbox:
    url: str = ""
    answer_status: int = 204
    before_answer: Callable[[], object] | None = None
    received: list[Received] = field(default_factory=list)

    @property
    def events(self) -> list[str]:
        return [str(message.json.get("event") or message.json.get("event_type")) for message in self.received]

    def empty(self) -> None:
        self.answer_status = 204
        self.before_answer = None
        self.received.clear()


class _QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print nothing."""


@contextmanager
def open_inbox() -> Iterator[WebhookInbox]:
    inbox = WebhookInbox()

    @Request.application
    def receive(request: Request) -> Response:
        body = request.get_data()
        inbox.received.append(Received(body, dict(request.headers), request.get_json(force=True)))
        if inbox.before_answer is not None:
            inbox.before_answer()
        return Response(status=inbox.answer_status)

    server = make_server("127.0.0.1", 0, receive, threaded=True, request_handler=_QuietHandler)
    inbox.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield inbox
    server.shutdown()
    thread.join()
    server.server_close()
