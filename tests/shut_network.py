"""No test reaches anything outside this machine; one that tries fails and names the address."""

import ipaddress
import socket
from typing import Any

_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_getaddrinfo = socket.getaddrinfo


class NetworkIsShut(RuntimeError):
    """Not an OSError: code that correctly survives a failing network must not hide this."""


def shut_network() -> None:
    """Let sockets reach loopback addresses and local sockets only, for the rest of this process."""
    socket.socket.connect = _guarded_connect  # type: ignore[method-assign,assignment]
    socket.socket.connect_ex = _guarded_connect_ex  # type: ignore[method-assign,assignment]
    socket.getaddrinfo = _guarded_getaddrinfo


def _guarded_connect(self: socket.socket, address: Any) -> None:
    _check(self.family, address)
    _connect(self, address)


def _guarded_connect_ex(self: socket.socket, address: Any) -> int:
    _check(self.family, address)
    return _connect_ex(self, address)


def _guarded_getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
    _check_host(host)
    return _getaddrinfo(host, *arguments, **options)


def _check(family: int, address: Any) -> None:
    if family in {socket.AF_INET, socket.AF_INET6}:
        _check_host(address[0])


def _check_host(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in {None, "", "localhost"}:
        return
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        raise NetworkIsShut(f"A test wanted to reach {name!r}.") from None
    if not (address.is_loopback or address.is_unspecified):
        raise NetworkIsShut(f"A test wanted to reach {name}.")
