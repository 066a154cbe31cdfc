"""
Fetching a plan's documents (EFL, TOS, YRAC) from where Light says that they lie.

The addresses come with an offer, so they are not ours to trust: only origins named in the settings are asked, no token
and no cookie goes with the request, and what comes back must be a PDF or an HTML page of bounded size.
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
    """No usable document came. The text says why, without the address, and what a person can do about it."""


@dataclass(frozen=True)
class FetchedDocument:
    """A document that passed the checks, exactly as it came."""

    content: bytes = field(repr=False)
    content_type: str

    @property
    def suffix(self) -> str:
        return SUFFIXES[self.content_type]


class DocumentFetcher:
    """
    Fetches documents from the allowed origins. A session lives for one fetch: there are three fetches per acceptance.
    A fetch ends within twice the sum of the timeouts, however many redirects it follows and however slowly they come.

    `observe` is told of every exchange, as with the client for Light.
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
        raise DocumentNotFetched("The address leads from one redirect to the next.")

    def _ask(self, session: requests.Session, url: str) -> FetchedDocument | str:
        """Give the document, or the address that the answer redirects to."""
        origin = _origin(url)
        if origin is None:
            raise DocumentNotFetched("The offer has no usable address for this document.")
        if origin not in self._allowed:
            raise DocumentNotFetched(
                f"{origin} is not among the origins that documents may come from. If it is one of Light's or of the "
                "retailer's, add it to LIGHT_DOCUMENT_ORIGINS and fetch again."
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
            raise DocumentNotFetched(f"{origin} was not reached, or its answer broke off ({error}).") from problem
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
    Tell by its bytes what a document is; what the server calls it does not count.

    :raises DocumentNotFetched: neither a whole PDF nor an HTML page
    """
    if content.startswith(b"%PDF-"):
        if b"%%EOF" not in content[-_SNIFFED_BYTES:]:
            raise DocumentNotFetched("The PDF is incomplete.")
        return PDF
    start = content[:_SNIFFED_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) and b"\x00" not in content:
        return HTML
    raise DocumentNotFetched("What came is neither a PDF nor an HTML page.")


def _origin(url: str) -> str | None:
    """Give scheme, host and port in one spelling; None for what is no web address."""
    if not is_web_address(url):
        return None
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except ValueError:
        return None
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"
