"""
Addresses and browsers that staff used recently.

A signature from one of them may be the customer's, with a salesperson beside them, or it may be the office's, so it is
not sufficient proof. A browser is recognized by a signed cookie that outlives the session, a connection by its address.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import User
from core.loopback import is_loopback
from core.models import OfficeAddress

RECENT = timedelta(days=7)
COOKIE = "office-browser"
_SALT = "core.office_browser"
_SEEN_KEY = "office_address"


@dataclass(frozen=True)
class OfficeBrowser:
    """A browser in which someone signed in. `name` identifies the browser, not a person."""

    name: str
    user_id: int
    is_staff: bool
    seen_at: datetime


def recent_browser(request: HttpRequest) -> OfficeBrowser | None:
    """Return who used this browser recently, whether or not they are still signed in."""
    try:
        kept = signing.loads(request.COOKIES.get(_cookie_name(COOKIE), ""), salt=_SALT, max_age=RECENT)
        return OfficeBrowser(
            str(kept["browser"]), int(kept["user"]), bool(kept["staff"]), datetime.fromisoformat(kept["at"])
        )
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return None


def recent_staff_id(request: HttpRequest) -> int | None:
    """Return the ID of the staff member who used this browser recently."""
    known = recent_browser(request)
    return known.user_id if known is not None and known.is_staff else None


def record(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Record the browser and address of a signed-in person, each at most once an hour."""
    known, now = recent_browser(request), timezone.now()
    if known is None or known.user_id != user.pk or known.seen_at < now - timedelta(hours=1):
        name = known.name if known is not None else secrets.token_urlsafe(16)
        kept = {"browser": name, "user": user.pk, "staff": user.is_staff, "at": now.isoformat()}
        response.set_cookie(
            _cookie_name(COOKIE),
            signing.dumps(kept, salt=_SALT),
            max_age=RECENT,
            path="/",
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    if user.is_staff:
        _note_address(request, user, now)


def were_used_recently(addresses: Iterable[str]) -> bool:
    """Whether staff worked from one of these addresses recently. Loopback addresses do not count."""
    remote = [address for address in addresses if _is_remote(address)]
    recent = OfficeAddress.objects.filter(ip_address__in=remote, seen_at__gt=timezone.now() - RECENT)
    return bool(remote) and recent.exists()


def _note_address(request: HttpRequest, user: User, now: datetime) -> None:
    address = str(request.META.get("REMOTE_ADDR", ""))
    mark = f"{address} {now:%Y-%m-%dT%H}"
    if not _is_remote(address) or request.session.get(_SEEN_KEY) == mark:
        return
    request.session[_SEEN_KEY] = mark
    OfficeAddress.objects.update_or_create(user=user, ip_address=address, defaults={"seen_at": now})


def _is_remote(address: str) -> bool:
    return bool(address) and not is_loopback(address)


def _cookie_name(name: str) -> str:
    return f"__Host-{name}" if settings.SESSION_COOKIE_SECURE else name
