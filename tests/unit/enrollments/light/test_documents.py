"""Fetching plan documents: from allowed origins only, bounded, and judged by their bytes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from enrollments.light.documents import MAX_BYTES, DocumentFetcher, DocumentNotFetched, content_type_of

PDF = b"%PDF-1.7\nan Electricity Facts Label\n%%EOF\n"
HTML = b"\n<!DOCTYPE html><title>Terms</title>"


@dataclass
class Site:
    """A document server: `answers` by path, and the requests with their headers."""

    answers: dict[str, tuple[int, dict[str, str], bytes]]
    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site(answers={})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append((self.path, dict(self.headers)))
            status, headers, body = site.answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def dripping_site() -> Iterator[str]:
    """A server that sends the headers of a valid answer over some twenty seconds."""
    over = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.close_connection = True
            head = f"HTTP/1.1 200 OK\r\nX-Padding: {'x' * 400}\r\nContent-Length: {len(PDF)}\r\n\r\n"
            for byte in head.encode() + PDF:
                if over.wait(0.05):
                    return
                try:
                    self.wfile.write(bytes([byte]))
                except OSError:
                    return

        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_dripping_document_is_abandoned(dripping_site: str) -> None:
    hasty = DocumentFetcher(allowed_origins=[dripping_site], connect_timeout_seconds=0.5, read_timeout_seconds=0.5)

    with pytest.raises(DocumentNotFetched):
        hasty.fetch(f"{dripping_site}/efl")


def fetcher(*origins: str) -> DocumentFetcher:
    return DocumentFetcher(allowed_origins=origins, connect_timeout_seconds=1, read_timeout_seconds=1)


@pytest.mark.parametrize(
    ("body", "content_type", "suffix"), [(PDF, "application/pdf", ".pdf"), (HTML, "text/html", ".html")]
)
def test_document_is_returned_unchanged(site: Site, body: bytes, content_type: str, suffix: str) -> None:
    site.answers["/efl"] = (200, {"Content-Type": "application/octet-stream"}, body)

    fetched = fetcher(site.url).fetch(f"{site.url}/efl")

    assert (fetched.content, fetched.content_type, fetched.suffix) == (body, content_type, suffix)
    assert "Authorization" not in site.asked[0][1]


def test_forbidden_origin_is_not_contacted(site: Site) -> None:
    site.answers["/efl"] = (200, {}, PDF)

    with pytest.raises(DocumentNotFetched, match="LIGHT_DOCUMENT_ORIGINS"):
        fetcher("https://docs.example.com", f"{site.url[:-1]}0").fetch(f"{site.url}/efl")

    assert site.asked == []


def test_redirect_is_followed_within_allowed_origins_only(site: Site) -> None:
    site.answers["/old"] = (302, {"Location": "/new"}, b"")
    site.answers["/new"] = (200, {}, PDF)
    site.answers["/away"] = (302, {"Location": "http://169.254.169.254/latest/meta-data"}, b"")
    site.answers["/round"] = (302, {"Location": "/round"}, b"")

    assert fetcher(site.url).fetch(f"{site.url}/old").content == PDF
    for path in ("/away", "/round"):
        with pytest.raises(DocumentNotFetched):
            fetcher(site.url).fetch(f"{site.url}{path}")


@pytest.mark.parametrize(
    "answer",
    [
        (404, {}, b""),
        (500, {}, PDF),
        (200, {}, b""),
        (200, {}, PDF[:-7]),
        (200, {"Content-Type": "application/pdf"}, b"MZ\x90 a program"),
        (200, {}, b"{}"),
        (200, {"Content-Length": "400"}, PDF),
    ],
    ids=["missing", "failing", "empty", "cut pdf", "program", "json", "broken off"],
)
def test_any_other_answer_is_refused(site: Site, answer: tuple[int, dict[str, str], bytes]) -> None:
    site.answers["/efl"] = answer

    with pytest.raises(DocumentNotFetched):
        fetcher(site.url).fetch(f"{site.url}/efl")


def test_endless_document_is_cut_off(site: Site) -> None:
    site.answers["/efl"] = (200, {}, PDF + b" " * MAX_BYTES)

    with pytest.raises(DocumentNotFetched, match="larger than 10 MB"):
        fetcher(site.url).fetch(f"{site.url}/efl")


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1/efl", "http://user@127.0.0.1/efl", "http://127.0.0.1:x/efl"])
def test_invalid_address_is_not_contacted(url: str) -> None:
    with pytest.raises(DocumentNotFetched, match="no usable URL"):
        fetcher("http://127.0.0.1").fetch(url)


def test_byte_order_mark_before_html_is_ignored() -> None:
    assert content_type_of(b"\xef\xbb\xbf<html>") == "text/html"
