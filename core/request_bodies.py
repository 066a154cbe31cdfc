"""What a request brings along: how much of it was announced, and whether all of that came."""

from django.http import HttpRequest, UnreadablePostError


def announced_length(request: HttpRequest) -> int:
    """Give the bytes that the sender said would come; 0 where nothing that can be read was said."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def insist_on_all_of_it(request: HttpRequest) -> None:
    """
    Make reading the body raise `UnreadablePostError` when it ends before all that was announced came.

    Django takes the end of a connection for the end of a form: its last fields are then missing, or cut short.
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
