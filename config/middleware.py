"""What every answer carries, whichever face gave it."""

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

STRICT_POLICY: dict[str, tuple[str, ...]] = {
    "default-src": ("'self'",),
    "img-src": ("'self'", "data:", "blob:"),
    "object-src": ("'none'",),
    "base-uri": ("'none'",),
    "frame-ancestors": ("'none'",),
    "form-action": ("'self'",),
}

# The admin's skin evaluates expressions and styles inline; the schema browser styles inline.
ADMIN_POLICY = STRICT_POLICY | {
    "script-src": ("'self'", "'unsafe-eval'"),
    "style-src": ("'self'", "'unsafe-inline'"),
}
SCHEMA_BROWSER_POLICY = STRICT_POLICY | {
    "script-src": ("'self'", "'unsafe-inline'"),
    "style-src": ("'self'", "'unsafe-inline'"),
}

PERSONAL_PREFIXES = ("/admin/", "/portal/", "/field/", "/api/")
LINK_PREFIX = "/portal/"


class ClientAddress:
    """
    Behind our own proxy, take the address that it saw: the last one of `X-Forwarded-For`.

    The ones before it were written by whoever asked. What is no address leaves the proxy's own in place.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        last = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        with suppress(ValueError):
            request.META["REMOTE_ADDR"] = str(ip_address(last))
        return self._get_response(request)


class SafeAnswers:
    """
    Tell the browser how little each page may do, and to keep no copy of a personal one.

    A view that needs another policy sets the header itself; what a view set stands.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", _written(_policy_for(request.path)))
        response.headers.setdefault("Permissions-Policy", "geolocation=(), microphone=(), payment=(), usb=()")
        if request.path.startswith(LINK_PREFIX):
            response.headers["Referrer-Policy"] = "no-referrer"
        if request.path.startswith(PERSONAL_PREFIXES) and "Cache-Control" not in response.headers:
            add_never_cache_headers(response)
        return response


def _policy_for(path: str) -> dict[str, tuple[str, ...]]:
    if path.startswith("/admin/"):
        return ADMIN_POLICY
    if path.startswith("/api/docs/"):
        return SCHEMA_BROWSER_POLICY
    if path.startswith(LINK_PREFIX):
        # The button that leads to Light's own pages is a form whose answer redirects there.
        return STRICT_POLICY | {"form-action": ("'self'", *settings.LIGHT_HOSTED_ORIGINS)}
    return STRICT_POLICY


def _written(policy: dict[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{directive} {' '.join(sources)}" for directive, sources in policy.items())
