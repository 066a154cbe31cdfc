"""One HTTP exchange with Light: sent once, limited in time and size, redirects never followed."""

from __future__ import annotations

import os
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
import urllib3

from enrollments.light.deadlines import DIRECT, Route, bounded_session, deadline
from enrollments.light.errors import InDoubt, NotReached
from enrollments.light.json_text import UnreadableJson, is_web_address, load_json

_MAX_BODY_BYTES = 8_000_000
_CHUNK_BYTES = 65_536
_MAX_RETRY_WAIT = timedelta(days=7)
_MAX_EXCHANGE_SECONDS = 60.0
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)
_INVALID_REQUEST_ERRORS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidJSONError,
)
_TOKEN = re.compile(r"[\x21-\x7e]+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """
    One HTTP exchange as reported to `observe`: no bodies, no queries, no secrets.

    If no complete answer arrived, `status` is None and `error` says why. `date` is the answer's `Date` header.
    """

    method: str
    path: str
    status: int | None
    seconds: float
    purpose: str
    error: str | None = None
    date: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A complete answer from Light, whatever its status."""

    status: int
    body: bytes = field(repr=False)
    retry_after_seconds: float | None = None
    date: datetime | None = None
    redirects_to: str = ""
    """The host of a redirect's target, for messages. It is never followed."""

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx. Light does not document which one, so any counts."""
        return 200 <= self.status < 300

    def json(self) -> object:
        """Parse the body; an empty one is None. :raises UnreadableJson: not JSON"""
        return load_json(self.body) if self.body.strip() else None

    def error_body(self) -> object:
        """Parse the body of a refusal, or return it as text if it is not JSON."""
        try:
            return self.json()
        except UnreadableJson:
            return self.body[:2000].decode("utf-8", errors="replace")


class _BearerToken(requests.auth.AuthBase):
    """Sets the token explicitly, so that a .netrc file cannot replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _NotSent(Exception):
    """The connection was never established, so Light has not seen the request."""


class _Lost(Exception):
    """The request went out, but no complete answer came back."""


class Transport:
    """
    Sends requests to one host. Safe to share: every thread of every process has its own pooled session.

    Does not follow redirects, keep cookies, or use environment proxies or .netrc. `route` sets the proxy and CA file.
    """

    def __init__(
        self,
        *,
        base_url: str,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
        observe: Callable[[Exchange], None] | None,
        clock: Callable[[], datetime],
        route: Route = DIRECT,
    ) -> None:
        self._base_url = check_base_url(base_url)
        self._timeout = (connect_timeout_seconds, read_timeout_seconds)
        self._observe = observe
        self._clock = clock
        self._route = route
        self._local = threading.local()
        self._lock = threading.Lock()
        self._sessions: list[requests.Session] = []

    @property
    def base_url(self) -> str:
        """Scheme and host, without a trailing slash."""
        return self._base_url

    @property
    def max_exchange_seconds(self) -> float:
        """The longest time one exchange can take: connecting, waiting for the answer and reading all of it."""
        connect, read = self._timeout
        return min(_MAX_EXCHANGE_SECONDS, connect + 2 * read)

    def exchange(
        self,
        method: str,
        path: str,
        *,
        purpose: str,
        token: str,
        payload: object = None,
        query: Mapping[str, str] | None = None,
        within_seconds: float | None = None,
    ) -> Answer:
        """
        Send once and return the complete answer, within `max_exchange_seconds`, or `within_seconds` if that is less.

        :raises NotReached: the connection was never established
        :raises InDoubt: the request went out, but no complete answer came back
        """
        started = time.monotonic()
        status: int | None = None
        error: str | None = None
        date: datetime | None = None
        longest = self.max_exchange_seconds
        try:
            with deadline(longest if within_seconds is None else min(within_seconds, longest)):
                answer = self._send(method, path, token=token, payload=payload, query=query)
            status, date = answer.status, answer.date
        except _NotSent as cause:
            error = str(cause)
            raise NotReached(f"Light could not be reached to {purpose}: {error}.") from cause
        except _Lost as cause:
            error = str(cause)
            raise InDoubt(f"Light's answer was lost ({error}) when it was asked to {purpose}.") from cause
        finally:
            if self._observe is not None:
                self._observe(
                    Exchange(
                        method=method,
                        path=path,
                        status=status,
                        seconds=time.monotonic() - started,
                        purpose=purpose,
                        error=error,
                        date=date,
                    )
                )
        return answer

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            sessions, self._sessions = self._sessions, []
            self._local = threading.local()
        for session in sessions:
            session.close()

    def _send(self, method: str, path: str, *, token: str, payload: object, query: Mapping[str, str] | None) -> Answer:
        try:
            response = self._session().request(
                method,
                f"{self._base_url}{path}",
                json=payload,
                params=query,
                auth=_BearerToken(token),
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as cause:
            if is_unsent(cause):
                raise _NotSent(_describe(cause)) from cause
            raise _Lost(_describe(cause)) from cause
        try:
            body = self._read(response)
        except (urllib3.exceptions.HTTPError, OSError) as cause:
            response.close()
            raise _Lost(_describe(cause)) from cause
        except _Lost:
            response.close()
            raise
        response.raw.release_conn()
        return Answer(
            status=response.status_code,
            body=body,
            retry_after_seconds=retry_after_seconds(response.headers, now=self._clock()),
            date=date_of(response.headers),
            redirects_to=_host_of(response.headers.get("Location", "")),
        )

    def _read(self, response: requests.Response) -> bytes:
        body = bytearray()
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > _MAX_BODY_BYTES:
                raise _Lost("the answer was too large")
        return bytes(body)

    def _session(self) -> requests.Session:
        # A session must not survive a fork: two processes would share one connection.
        known: tuple[int, requests.Session] | None = getattr(self._local, "session", None)
        if known is not None and known[0] == os.getpid():
            return known[1]
        session = bounded_session(self._route)
        session.headers["Accept"] = "application/json"
        self._local.session = (os.getpid(), session)
        with self._lock:
            self._sessions.append(session)
        return session


def check_base_url(base_url: str) -> str:
    """Return scheme and host; :raises ValueError: it has more or less than that"""
    wanted = "LIGHT_API_URL must be http:// or https:// and a host, without /v1 and without a user name"
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError as cause:
        raise ValueError(wanted) from cause
    extras = (parts.path.rstrip("/"), parts.query, parts.fragment, parts.username, parts.password)
    if parts.scheme not in {"http", "https"} or not host or any(extras) or any(map(str.isspace, base_url)):
        raise ValueError(wanted)
    return f"{parts.scheme}://{parts.netloc}"


def check_token(token: str, *, name: str) -> str:
    """Return the token; :raises ValueError: empty, or not fit for a header."""
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"{name} must be one word of printable ASCII characters")
    return token


def is_unsent(cause: requests.RequestException) -> bool:
    """Whether the failure proves that the request was never sent. Only a failure to connect does."""
    reason: object = cause.args[0] if cause.args else None
    reason = getattr(reason, "reason", reason)
    if isinstance(reason, urllib3.exceptions.ProxyError):
        return True  # raised only while the proxy tunnel is being opened
    if isinstance(cause, (requests.ConnectTimeout, *_INVALID_REQUEST_ERRORS)):
        return True
    if isinstance(reason, urllib3.exceptions.SSLError):
        return any(isinstance(part, ssl.SSLCertVerificationError) for part in reason.args)
    return isinstance(reason, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError))


def _describe(cause: Exception) -> str:
    """Describe the failure without the URL, which may have a query."""
    words = {
        requests.ConnectTimeout: "no connection in time",
        requests.ReadTimeout: "no answer in time",
        urllib3.exceptions.ReadTimeoutError: "no answer in time",
        requests.exceptions.SSLError: "no trusted connection",
        requests.exceptions.ProxyError: "no connection through the proxy",
        requests.ConnectionError: "the connection failed",
        urllib3.exceptions.ProtocolError: "the answer was cut off",
        urllib3.exceptions.DecodeError: "the answer could not be decompressed",
    }
    return next((text for kind, text in words.items() if isinstance(cause, kind)), type(cause).__name__)


def retry_after_seconds(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """
    Read `Retry-After`, in seconds or as an HTTP date, as seconds from now; None if missing or unreadable.

    A date is compared with the answer's own `Date`, so that a wrong clock does not shorten the wait.
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), _MAX_RETRY_WAIT.total_seconds())
    moment = _http_date(text)
    if moment is None:
        return None
    wait = moment - (_http_date(headers.get("Date", "")) or now)
    return min(max(wait, timedelta()), _MAX_RETRY_WAIT).total_seconds()


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return the answer's `Date`, or None if it is missing or the answer came from a cache."""
    return None if headers.get("Age") else _http_date(headers.get("Date", ""))


def _host_of(address: str) -> str:
    """Return only scheme and host: path and query may contain personal data or a token."""
    if not is_web_address(address):
        return ""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"[:200]


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
