"""
From which connections and in which browsers staff worked lately.

A customer's signature from one of them may be the customer's, beside a salesperson, or it may be that of the office: it
is no proof by itself. The browser is known by a signed cookie that outlives the session; a connection by its address.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from core.models import OfficeAddress

LATELY = timedelta(days=7)
COOKIE = "office-browser"
_SALT = "core.office_browser"
_SEEN_KEY = "office_address"


@dataclass(frozen=True)
class OfficeBrowser:
    """A browser in which somebody signed in; `name` belongs to the browser, not to a person."""

    name: str
    user_id: int
    is_staff: bool
    seen_at: datetime


def browser_of(request: HttpRequest) -> OfficeBrowser | None:
    """Return whose browser this was lately, whether or not somebody is signed in now."""
    try:
        kept = signing.loads(request.COOKIES.get(_called(COOKIE), ""), salt=_SALT, max_age=LATELY)
        return OfficeBrowser(
            str(kept["browser"]), int(kept["user"]), bool(kept["staff"]), datetime.fromisoformat(kept["at"])
        )
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return None


def staff_of_browser(request: HttpRequest) -> int | None:
    """Return the member of staff who used this browser lately."""
    known = browser_of(request)
    return known.user_id if known is not None and known.is_staff else None


def note(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Remember browser and connection of somebody who is signed in; at most once an hour each."""
    known, now = browser_of(request), timezone.now()
    if known is None or known.user_id != user.pk or known.seen_at < now - timedelta(hours=1):
        name = known.name if known is not None else secrets.token_urlsafe(16)
        kept = {"browser": name, "user": user.pk, "staff": user.is_staff, "at": now.isoformat()}
        response.set_cookie(
            _called(COOKIE),
            signing.dumps(kept, salt=_SALT),
            max_age=LATELY,
            path="/",
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    if user.is_staff:
        _note_address(request, user, now)


def were_used_lately(addresses: Iterable[str]) -> bool:
    """Whether staff worked from one of these addresses. This machine's own address says nothing about anybody."""
    telling = [address for address in addresses if _is_telling(address)]
    lately = OfficeAddress.objects.filter(ip_address__in=telling, seen_at__gt=timezone.now() - LATELY)
    return bool(telling) and lately.exists()


def _note_address(request: HttpRequest, user: User, now: datetime) -> None:
    address = str(request.META.get("REMOTE_ADDR", ""))
    mark = f"{address} {now:%Y-%m-%dT%H}"
    if not _is_telling(address) or request.session.get(_SEEN_KEY) == mark:
        return
    request.session[_SEEN_KEY] = mark
    OfficeAddress.objects.update_or_create(user=user, ip_address=address, defaults={"seen_at": now})


def _is_telling(address: str) -> bool:
    try:
        return not ip_address(address).is_loopback
    except ValueError:
        return False


def _called(name: str) -> str:
    return f"__Host-{name}" if settings.SESSION_COOKIE_SECURE else name
