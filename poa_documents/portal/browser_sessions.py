"""
The door before a customer's pages: open in the browser in which the right code was typed, for this link alone.

Two signed cookies, both out of reach of scripts. One names the browser, so that codes and tries are counted for it. The
other says until when the door is open; each page moves that on, idleness and a new link end it. So does leaving, which
is kept with the code that opened the door: whoever copied the cookies before is out as well.
"""

import re
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from poa_documents.links import IDLE_MINUTES, hash_of
from poa_documents.models import PoaDocument

LONGEST_OPEN = timedelta(hours=12)
BROWSER_COOKIE = "portal-browser"
BROWSER_DAYS = 30
COOKIE_PATH = "/"  # browsers take a name with the prefix “__Host-” for this path only
_SALT = "poa_documents.door"


def browser_of(request: HttpRequest) -> str:
    """Give the browser's own name, or nothing when it kept no cookie of ours."""
    name = request.COOKIES.get(_called(BROWSER_COOKIE), "")
    return name if re.fullmatch(r"[A-Za-z0-9_-]{22}", name) else ""


def name_browser(request: HttpRequest, response: HttpResponse) -> None:
    """Give a browser a name of its own, unless it has one."""
    name = browser_of(request) or secrets.token_urlsafe(16)
    _set(response, _called(BROWSER_COOKIE), name, lasting=timedelta(days=BROWSER_DAYS))


def opened_at(request: HttpRequest, poa: PoaDocument, *, at: datetime) -> datetime | None:
    """Give when this browser's visitor opened the door of this link; nothing when it is shut."""
    try:
        kept = signing.loads(request.COOKIES.get(_name(poa), ""), salt=_SALT)
        opened, seen = (datetime.fromisoformat(kept[name]) for name in ("opened", "seen"))
        is_for_this_link = (kept["link"], kept["browser"]) == (poa.token_hash, browser_of(request))
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return None
    is_fresh = seen <= at < min(seen + idle_time(), opened + LONGEST_OPEN)
    if not is_for_this_link or not is_fresh:
        return None
    return opened if _is_still_open(request, poa, opened) else None


def _is_still_open(request: HttpRequest, poa: PoaDocument, opened: datetime) -> bool:
    """Ask the database, once per request, whether the visitor left since: a copy of the cookie does not know."""
    kept = vars(request).setdefault("_doors_still_open", {})
    key = (poa.pk, opened)
    if key not in kept:
        codes = poa.contact_codes.filter(browser_hash=hash_of(browser_of(request)), used_at=opened)
        kept[key] = codes.filter(left_at__isnull=True).exists()
    return bool(kept[key])


def keep_open(
    request: HttpRequest, response: HttpResponse, poa: PoaDocument, *, opened: datetime, at: datetime
) -> None:
    """Let the door stand open for another while in this browser."""
    kept = {
        "link": poa.token_hash,
        "browser": browser_of(request),
        "opened": opened.isoformat(),
        "seen": at.isoformat(),
    }
    _set(response, _name(poa), signing.dumps(kept, salt=_SALT), lasting=None)


def shut(response: HttpResponse, poa: PoaDocument) -> None:
    response.delete_cookie(_name(poa), path=COOKIE_PATH, samesite="Lax")


def idle_time() -> timedelta:
    return timedelta(minutes=IDLE_MINUTES)


def _name(poa: PoaDocument) -> str:
    return _called(f"portal-door-{poa.token_hash[:12]}")


def _called(name: str) -> str:
    """Under this prefix a browser takes a cookie by HTTPS only, and from this very host."""
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
