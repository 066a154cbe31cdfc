import socket

import pytest

from tests.shut_network import NetworkIsShut


def test_outside_address_is_not_reached() -> None:
    with socket.socket() as sock, pytest.raises(NetworkIsShut, match=r"192\.0\.2\.1"):
        sock.connect(("192.0.2.1", 80))


def test_outside_name_is_not_resolved() -> None:
    with pytest.raises(NetworkIsShut, match=r"light\.example"):
        socket.create_connection(("light.example", 443), timeout=1)


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as sock:
        sock.connect(server.getsockname())

        assert sock.getpeername() == server.getsockname()
