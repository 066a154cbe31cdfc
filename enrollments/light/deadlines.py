"""
HTTP sessions with one deadline per exchange, from the DNS lookup to the last byte of the answer.

The timeouts of `requests` limit each pause, not the total: a server that sends one byte at a time could block a worker
for minutes.
"""

from __future__ import annotations

import io
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_last_moment: ContextVar[float | None] = ContextVar("last_moment", default=None)


class DeadlinePassed(TimeoutError):
    """The exchange took longer in total than allowed."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limit the time of everything that a `bounded_session` does in this thread inside the `with` block."""
    before = _last_moment.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _last_moment.reset(before)


@dataclass(frozen=True)
class Route:
    """
    How to reach Light and the plan documents: an optional proxy and an optional CA file.

    Both come from our settings. Environment variables such as HTTPS_PROXY have no effect.
    """

    proxy_url: str = field(default="", repr=False)
    ca_file: str = ""


DIRECT = Route()


def bounded_session(route: Route = DIRECT) -> requests.Session:
    """Return a session that obeys `deadline`, never retries, keeps no cookies and ignores the environment."""
    session = requests.Session()
    session.trust_env = False
    session.headers["User-Agent"] = "switchyard"
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _Adapter(max_retries=urllib3.Retry(0, read=False))
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    if route.proxy_url:
        session.proxies = {"http": route.proxy_url, "https": route.proxy_url}
    if route.ca_file:
        session.verify = route.ca_file
    return session


def _seconds_left() -> float | None:
    """Return the time left, or None if this thread has no deadline; :raises DeadlinePassed: no time is left"""
    last_moment = _last_moment.get()
    if last_moment is None:
        return None
    left = last_moment - time.monotonic()
    if left <= 0:
        raise DeadlinePassed("the deadline has passed")
    return left


class _BoundedReader(io.RawIOBase):
    """Reads an answer from a socket without waiting past the deadline."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._silence_seconds = connected.gettimeout()
        # The file object keeps the socket open until the answer is read, even after the connection is closed.
        self._file = connected.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        limits = [seconds for seconds in (self._silence_seconds, _seconds_left()) if seconds is not None]
        self._socket.settimeout(min(limits, default=None))
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


class _BoundedSocket:
    """The part of a socket that `http.client` needs to read an answer."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self._socket))


class _BoundedResponse(HTTPResponse):
    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(_BoundedSocket(sock), *arguments, **options)  # type: ignore[arg-type]  # uses makefile alone


class _Connection(HTTPConnection):
    response_class = _BoundedResponse

    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _TlsConnection(HTTPSConnection):
    # The TLS handshake needs no extra limit: Python applies the connect timeout to all of it.
    response_class = _BoundedResponse

    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def _connect(connection: HTTPConnection) -> socket.socket:
    """
    Resolve the host and connect to the first of its addresses that answers, all within the timeout.

    :raises ConnectTimeoutError: the time ran out; nothing was sent
    :raises NewConnectionError: no such host, or it refuses; nothing was sent
    """
    allowed = connection.timeout if isinstance(connection.timeout, int | float) else None
    started = time.monotonic()

    def left() -> float:
        limits = [seconds for seconds in (_seconds_left(),) if seconds is not None]
        if allowed is not None:
            limits.append(allowed - (time.monotonic() - started))
        if min(limits, default=1) <= 0:
            raise DeadlinePassed("the time to connect has passed")
        return min(limits, default=60.0)

    try:
        problem: OSError | None = None
        for address in _addresses(connection.host, connection.port, within_seconds=left()):
            try:
                return create_connection(
                    address,
                    left(),
                    source_address=connection.source_address,
                    socket_options=connection.socket_options,
                )
            except TimeoutError:
                raise
            except OSError as refused:
                problem = refused
    except socket.gaierror as unknown:
        raise NameResolutionError(connection.host, connection, unknown) from unknown
    except TimeoutError as late:
        raise ConnectTimeoutError(connection, f"no connection to {connection.host} in time") from late
    raise NewConnectionError(connection, f"no connection to {connection.host}: {problem}") from problem


def _addresses(host: str, port: int, *, within_seconds: float) -> list[tuple[str, int]]:
    """
    Resolve a host. The system resolver takes no timeout, so it runs in a thread that is abandoned if it takes too long.

    :raises TimeoutError: it took too long
    :raises socket.gaierror: there is no such host
    """
    found: queue.SimpleQueue[list[tuple[str, int]] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
            found.put([(str(address[0]), int(address[1])) for *_, address in answers])
        except OSError as problem:
            found.put(problem)

    threading.Thread(target=look_up, name="host-look-up", daemon=True).start()
    try:
        result = found.get(timeout=within_seconds)
    except queue.Empty:
        raise TimeoutError(f"the look-up of {host} took too long") from None
    if isinstance(result, OSError):
        raise result
    return result
