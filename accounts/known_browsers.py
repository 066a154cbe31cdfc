"""
Browsers in which someone signed in before, recognized by a signed cookie with a keyed hash of the username.

While a username is attacked, these browsers are exempt from its rate limit, so that the owner is not locked out. The
cookie grants no access, and attempts from one address are still limited.
"""

from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from accounts.sign_in_limits import normalized_name

COOKIE = "known-browser"
LIFETIME = timedelta(days=180)
MAX_NAMES = 5
_SALT = "accounts.known_browsers"


def is_known(request: HttpRequest, username: str) -> bool:
    """Whether someone signed in with this username in this browser in the last months."""
    return _name_hash(username) in _name_hashes(request)


def remember(request: HttpRequest, response: HttpResponse, username: str) -> None:
    """Add the username to the browser's cookie, which keeps the last few."""
    name_hash = _name_hash(username)
    name_hashes = [name_hash, *(each for each in _name_hashes(request) if each != name_hash)][:MAX_NAMES]
    response.set_cookie(
        _cookie_name(),
        signing.dumps(name_hashes, salt=_SALT),
        max_age=LIFETIME,
        path="/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _name_hashes(request: HttpRequest) -> list[str]:
    try:
        name_hashes = signing.loads(request.COOKIES.get(_cookie_name(), ""), salt=_SALT, max_age=LIFETIME)
    except signing.BadSignature:
        return []
    return [str(each) for each in name_hashes]


def _name_hash(username: str) -> str:
    return salted_hmac(_SALT, normalized_name(username), algorithm="sha256").hexdigest()[:32]


def _cookie_name() -> str:
    """With this prefix, browsers accept the cookie only over HTTPS and only from this host."""
    return f"__Host-{COOKIE}" if settings.SESSION_COOKIE_SECURE else COOKIE
