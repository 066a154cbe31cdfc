"""
Fetching a plan's documents (EFL, TOS, YRAC) from the URLs in an offer.

The URLs are untrusted: only origins named in the settings are contacted, requests carry no token and no cookie, and the
answer must be a PDF or an HTML page of limited size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from enrollments.light.deadlines import DIRECT, Route, bounded_session, deadline
from enrollments.light.json_text import is_web_address
from enrollments.light.transport import Exchange

MAX_BYTES = 10_000_000
PDF = "application/pdf"
HTML = "text/html"
SUFFIXES = {PDF: ".pdf", HTML: ".html"}

_CHUNK_BYTES = 65_536
_MAX_REDIRECTS = 3
_SNIFFED_BYTES = 2048
DOCUMENT_PURPOSE = "fetch a plan document"


class DocumentNotFetched(Exception):
    """No usable document was received. The message says why, without the URL, and what to do about it."""


@dataclass(frozen=True)
class FetchedDocument:
    """A document that passed the checks, byte for byte as received."""

    content: bytes = field(repr=False)
    content_type: str

    @property
    def suffix(self) -> str:
        return SUFFIXES[self.content_type]


class DocumentFetcher:
    """
    Fetches documents from the allowed origins, with a new session for each fetch.

    A fetch ends within twice the sum of the timeouts, regardless of redirects and slow answers. `observe` is called
    with every exchange, as in `LightClient`.
    """

    def __init__(
        self,
        *,
        allowed_origins: Iterable[str],
        connect_timeout_seconds: float = 5,
        read_timeout_seconds: float = 15,
        observe: Callable[[Exchange], None] | None = None,
        route: Route = DIRECT,
    ) -> None:
        self._allowed = frozenset(origin for each in allowed_origins if (origin := _origin(each)) is not None)
        self._timeout = (connect_timeout_seconds, read_timeout_seconds)
        self._observe = observe
        self._route = route

    def fetch(self, url: str) -> FetchedDocument:
        """:raises DocumentNotFetched: not allowed, not reached, too large, or neither PDF nor HTML"""
        with bounded_session(self._route) as session, deadline(2 * sum(self._timeout)):
            session.headers["Accept"] = f"{PDF}, {HTML}"
            for _hop in range(_MAX_REDIRECTS + 1):
                answer = self._ask(session, url)
                if isinstance(answer, FetchedDocument):
                    return answer
                url = answer
        raise DocumentNotFetched("The URL redirects too many times.")

    def _ask(self, session: requests.Session, url: str) -> FetchedDocument | str:
        """Return the document, or the URL that the answer redirects to."""
        origin = _origin(url)
        if origin is None:
            raise DocumentNotFetched("The offer has no usable URL for this document.")
        if origin not in self._allowed:
            raise DocumentNotFetched(
                f"{origin} is not an allowed origin for documents. If it belongs to Light or the retailer, add it to "
                "LIGHT_DOCUMENT_ORIGINS and fetch again."
            )
        started = time.monotonic()
        status: int | None = None
        error: str | None = None
        try:
            with session.get(url, timeout=self._timeout, allow_redirects=False, stream=True) as response:
                status = response.status_code
                target = response.headers.get("Location", "")
                if response.is_redirect and target:
                    return urljoin(url, target)
                if status != requests.codes.ok:
                    error = f"answered with status {status}"
                    raise DocumentNotFetched(f"{origin} {error}.")
                content = self._read(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as problem:
            error = type(problem).__name__
            raise DocumentNotFetched(f"{origin} could not be reached, or its answer broke off ({error}).") from problem
        finally:
            if self._observe is not None:
                self._observe(
                    Exchange(
                        method="GET",
                        path=urlsplit(url).path,
                        status=status,
                        seconds=time.monotonic() - started,
                        purpose=DOCUMENT_PURPOSE,
                        error=error,
                    )
                )
        return FetchedDocument(content=content, content_type=content_type_of(content))

    def _read(self, response: requests.Response) -> bytes:
        content = bytearray()
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            content += chunk
            if len(content) > MAX_BYTES:
                raise DocumentNotFetched(f"The document is larger than {MAX_BYTES // 1_000_000} MB.")
        return bytes(content)


def content_type_of(content: bytes) -> str:
    """
    Return the content type by looking at the bytes; the server's header is ignored.

    :raises DocumentNotFetched: neither a whole PDF nor an HTML page
    """
    if content.startswith(b"%PDF-"):
        if b"%%EOF" not in content[-_SNIFFED_BYTES:]:
            raise DocumentNotFetched("The PDF is incomplete.")
        return PDF
    start = content[:_SNIFFED_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) and b"\x00" not in content:
        return HTML
    raise DocumentNotFetched("The document is neither a PDF nor an HTML page.")


def _origin(url: str) -> str | None:
    """Return scheme, host and port in normalized form, or None if it is not a web URL."""
    if not is_web_address(url):
        return None
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except ValueError:
        return None
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"
