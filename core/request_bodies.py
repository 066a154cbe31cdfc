"""Request bodies: the announced length, and whether all of it arrived."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.handlers.wsgi import LimitedStream
from django.http import HttpRequest, UnreadablePostError
from gunicorn.http.errors import ParseException

_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_PIECE_BYTES = 65_536
_MAX_LINE_BYTES = 1024
_MAX_TRAILERS = 20


def announced_length(request: HttpRequest) -> int:
    """Return the Content-Length; 0 if it is missing or unreadable."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def require_full_body(request: HttpRequest) -> None:
    """
    Make reading the body raise `UnreadablePostError` if it ends before the announced length.

    Django would treat a broken connection as the end of the form, with the last fields missing or cut short.
    """
    read, missing = request.read, announced_length(request)

    def read_or_raise(size: int | None = -1, /) -> bytes:
        nonlocal missing
        wanted = missing if size is None or size < 0 else min(size, missing)
        came: bytes = read(size)
        while len(came) < wanted:
            more = read(wanted - len(came))
            if not more:
                raise UnreadablePostError(f"The connection broke {missing - len(came)} bytes before the end.")
            came += more
        missing -= len(came)
        return came

    request.read = read_or_raise  # type: ignore[method-assign]


def is_sent_in_chunks(request: HttpRequest) -> bool:
    """Whether the body is chunked, so that its length is unknown."""
    return "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()


def read_body(request: HttpRequest, *, max_bytes: int) -> bytes:
    """
    Read the body, including a chunked one, which Django treats as empty. Call it once.

    :raises RequestDataTooBig: more than `max_bytes` were announced or received; the rest is not read
    :raises UnreadablePostError: the body is incomplete, or its chunks are malformed
    """
    if announced_length(request) > max_bytes:
        raise RequestDataTooBig(f"The body is larger than {max_bytes} bytes.")
    if not is_sent_in_chunks(request):
        return request.body
    body = bytearray()
    try:
        for piece in _pieces(request.META, most=max_bytes + 1):
            body += piece
            if len(body) > max_bytes:
                raise RequestDataTooBig(f"The body is larger than {max_bytes} bytes.")
    except (OSError, ParseException) as broken:
        raise UnreadablePostError("The body ended between its chunks.") from broken
    return bytes(body)


def _pieces(environ: dict[str, Any], *, most: int) -> Iterator[bytes]:
    source = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):  # the server joins the chunks, as gunicorn does
        while piece := source.read(min(_PIECE_BYTES, most)):
            yield piece
    elif isinstance(source, LimitedStream):  # Django's own server, which reads nothing without a length
        # No public method reads past the announced length, which is missing here.
        yield from _chunks(source._read, source._readline)  # type: ignore[attr-defined]  # noqa: SLF001
    else:
        raise UnreadablePostError("This server takes no body in chunks.")


def _chunks(read: Callable[[int], bytes], read_line: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the content of the chunks. Source: RFC 9112, section 7.1."""
    while left := _size_of_chunk(read_line(_MAX_LINE_BYTES)):
        while left:
            piece = read(min(left, _PIECE_BYTES))
            if not piece:
                raise UnreadablePostError("The connection broke inside a chunk.")
            left -= len(piece)
            yield piece
        if read_line(2) != b"\r\n":
            raise UnreadablePostError("A chunk is longer than it says.")
    for _ in range(_MAX_TRAILERS):
        line = read_line(_MAX_LINE_BYTES)
        if line == b"\r\n":
            return
        if not line.endswith(b"\r\n"):
            break
    raise UnreadablePostError("The body does not end as it must.")


def _size_of_chunk(line: bytes) -> int:
    size = line.removesuffix(b"\r\n").partition(b";")[0].strip(b" \t")
    if not line.endswith(b"\r\n") or not _CHUNK_SIZE.fullmatch(size):
        raise UnreadablePostError("A chunk does not say how long it is.")
    return int(size, 16)
