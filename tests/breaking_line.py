"""A connection that breaks while a request is being sent, as a phone's does."""

import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter


class BreakingConnection(HTTPAdapter):
    """
    Close the connection during the first request that has a body; forward everything else unchanged.

    :param upto: returns how many bytes of that body are sent
    """

    def __init__(self, upto: Callable[[bytes], int]) -> None:
        super().__init__()
        self._upto = upto
        self.answers: list[int | None] = []
        """Status of the server's answer to each truncated request, which the sender never saw; None for no answer."""

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        if not request.body or self.answers:
            return super().send(request, *arguments, **options)
        body = request.body if isinstance(request.body, bytes) else str(request.body).encode()
        self.answers.append(_send_truncated(request, body[: self._upto(body)]))
        raise requests.ConnectionError("The line broke.")


def _send_truncated(request: requests.PreparedRequest, part: bytes) -> int | None:
    address = urlsplit(str(request.url))
    head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": address.netloc, **request.headers}.items())
    with socket.create_connection((address.hostname or "", address.port or 80), timeout=10) as connection:
        connection.sendall(f"{request.method} {request.path_url} HTTP/1.1\r\n{head}\r\n".encode() + part)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").readline().split()
    return int(answer[1]) if answer else None
