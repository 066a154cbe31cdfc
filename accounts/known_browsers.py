"""
Browsers in which someone signed in before, told by a signed cookie with a keyed hash of the name.

While someone guesses the passwords of a name, these are not slowed down with everyone else: the owner is not locked
out. The cookie opens nothing; tries from one address are counted for it as for any browser.
"""

from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from accounts.sign_in_limits import plain_name

COOKIE = "known-browser"
LASTS = timedelta(days=180)
NAMES_KEPT = 5
_SALT = "accounts.known_browsers"


def knows(request: HttpRequest, username: str) -> bool:
    """Whether someone signed in with this name in this browser during the last months."""
    return _mark(username) in _marks(request)


def remember(request: HttpRequest, response: HttpResponse, username: str) -> None:
    """Keep in the browser that someone signed in with this name there; the last few names are kept."""
    mark = _mark(username)
    marks = [mark, *(each for each in _marks(request) if each != mark)][:NAMES_KEPT]
    response.set_cookie(
        _cookie_name(),
        signing.dumps(marks, salt=_SALT),
        max_age=LASTS,
        path="/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _marks(request: HttpRequest) -> list[str]:
    try:
        marks = signing.loads(request.COOKIES.get(_cookie_name(), ""), salt=_SALT, max_age=LASTS)
    except signing.BadSignature:
        return []
    return [str(each) for each in marks]


def _mark(username: str) -> str:
    return salted_hmac(_SALT, plain_name(username), algorithm="sha256").hexdigest()[:32]


def _cookie_name() -> str:
    """Under this prefix a browser takes a cookie by HTTPS only, and from this very host."""
    return f"__Host-{COOKIE}" if settings.SESSION_COOKIE_SECURE else COOKIE
