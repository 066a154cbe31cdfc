"""
HTTP sessions whose every exchange has one deadline, from the look-up of the host to the last byte of the answer.

The timeouts of `requests` bound each silence, not their sum: an answer that sends one byte before each of them runs out
would hold a worker for minutes.
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
    """The exchange took longer in all than it may."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Bound everything that a session of `bounded_session` does in this thread, inside the `with` block."""
    before = _last_moment.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _last_moment.reset(before)


@dataclass(frozen=True)
class Route:
    """
    The way out to Light and to plan documents: the proxy to go through, and the certificates that must be led up to.

    Both come from our own settings; variables such as HTTPS_PROXY of the machine have no effect.
    """

    proxy_url: str = field(default="", repr=False)
    ca_file: str = ""


DIRECT = Route()


def bounded_session(route: Route = DIRECT) -> requests.Session:
    """Make a session that keeps to `deadline`, repeats nothing, keeps no cookies and uses nothing of the machine's."""
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
    """Return what is left, or None where nothing bounds this thread; :raises DeadlinePassed: nothing is left"""
    last_moment = _last_moment.get()
    if last_moment is None:
        return None
    left = last_moment - time.monotonic()
    if left <= 0:
        raise DeadlinePassed("the deadline has passed")
    return left


class _BoundedReader(io.RawIOBase):
    """Reads an answer from a socket, each time waiting no longer than is left."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._silence_seconds = connected.gettimeout()
        # A file of the socket's own keeps it open until the answer is read, also after the connection is closed.
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
    """What `http.client` needs of a socket to read an answer from it."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self._socket))


class _BoundedAnswer(HTTPResponse):
    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(_BoundedSocket(sock), *arguments, **options)  # type: ignore[arg-type]  # uses makefile alone


class _Connection(HTTPConnection):
    response_class = _BoundedAnswer

    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _TlsConnection(HTTPSConnection):
    # The handshake needs nothing: Python bounds the whole of it by the timeout of connecting.
    response_class = _BoundedAnswer

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
    Look the host up and connect to the first of its addresses that answers, within the timeout in all.

    :raises ConnectTimeoutError: the time was over first; nothing was sent
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
    Look a host up; the system's resolver takes no timeout, so it is left alone in a thread when it takes too long.

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
