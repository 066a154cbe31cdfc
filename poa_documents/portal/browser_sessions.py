"""
A customer's session on their pages, started by typing the right code, for one browser and one link.

There are two signed, HTTP-only cookies. One identifies the browser, so that codes and tries are counted per browser.
The other holds the session; each page extends it. It ends when idle, with a new link, or when the customer leaves.
Leaving is stored with the code that started the session, so that copied cookies stop working too.
"""

import re
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from poa_documents.links import IDLE_MINUTES, hash_of
from poa_documents.models import PoaDocument

MAX_SESSION = timedelta(hours=12)
BROWSER_COOKIE = "portal-browser"
BROWSER_DAYS = 30
COOKIE_PATH = "/"  # browsers accept the prefix “__Host-” for this path only
_SALT = "poa_documents.browser_session"


def browser_of(request: HttpRequest) -> str:
    """Return the browser's identifier, or an empty string if it has no cookie from us."""
    name = request.COOKIES.get(_with_prefix(BROWSER_COOKIE), "")
    return name if re.fullmatch(r"[A-Za-z0-9_-]{22}", name) else ""


def name_browser(request: HttpRequest, response: HttpResponse) -> None:
    """Set the cookie that identifies the browser, unless it has one."""
    name = browser_of(request) or secrets.token_urlsafe(16)
    _set(response, _with_prefix(BROWSER_COOKIE), name, lasting=timedelta(days=BROWSER_DAYS))


def started_at(request: HttpRequest, poa: PoaDocument, *, at: datetime) -> datetime | None:
    """Return when this browser's session for this link started; None if there is no open session."""
    try:
        kept = signing.loads(request.COOKIES.get(_name(poa), ""), salt=_SALT)
        opened, seen = (datetime.fromisoformat(kept[name]) for name in ("opened", "seen"))
        is_for_this_link = (kept["link"], kept["browser"]) == (poa.token_hash, browser_of(request))
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return None
    is_fresh = seen <= at < min(seen + idle_time(), opened + MAX_SESSION)
    if not is_for_this_link or not is_fresh:
        return None
    return opened if _has_not_left(request, poa, opened) else None


def _has_not_left(request: HttpRequest, poa: PoaDocument, opened: datetime) -> bool:
    """Check in the database, once per request, because a copied cookie does not show that the customer left."""
    kept = vars(request).setdefault("_open_sessions", {})
    key = (poa.pk, opened)
    if key not in kept:
        codes = poa.contact_codes.filter(browser_hash=hash_of(browser_of(request)), used_at=opened)
        kept[key] = codes.filter(left_at__isnull=True).exists()
    return bool(kept[key])


def extend(request: HttpRequest, response: HttpResponse, poa: PoaDocument, *, opened: datetime, at: datetime) -> None:
    kept = {
        "link": poa.token_hash,
        "browser": browser_of(request),
        "opened": opened.isoformat(),
        "seen": at.isoformat(),
    }
    _set(response, _name(poa), signing.dumps(kept, salt=_SALT), lasting=None)


def end(response: HttpResponse, poa: PoaDocument) -> None:
    response.delete_cookie(_name(poa), path=COOKIE_PATH, samesite="Lax")


def idle_time() -> timedelta:
    return timedelta(minutes=IDLE_MINUTES)


def _name(poa: PoaDocument) -> str:
    return _with_prefix(f"portal-session-{poa.token_hash[:12]}")


def _with_prefix(name: str) -> str:
    """With this prefix a browser accepts the cookie only over HTTPS and from this exact host."""
    return f"__Host-{name}" if settings.SESSION_COOKIE_SECURE else name


def _set(response: HttpResponse, name: str, value: str, *, lasting: timedelta | None) -> None:
    response.set_cookie(
        name,
        value,
        max_age=lasting,
        path=COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
