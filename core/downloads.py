"""File responses: named, not sniffed for another type, and not cached."""

from typing import IO

from django.http import FileResponse, HttpResponse
from django.utils.http import content_disposition_header

_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def file_response(content: bytes, *, name: str, content_type: str, inline: bool = False) -> HttpResponse:
    """Return a file that the browser saves or, with `inline`, shows."""
    disposition = content_disposition_header(as_attachment=not inline, filename=name) or ""
    return HttpResponse(content, content_type=content_type, headers={"Content-Disposition": disposition, **_HEADERS})


def streamed_file(file: IO[bytes], *, name: str, content_type: str) -> FileResponse:
    """Return a file that the browser saves, streamed. Django closes it."""
    return FileResponse(file, as_attachment=True, filename=name, content_type=content_type, headers=_HEADERS)
