"""Middleware: response headers, sessions, second factors, and limits on what a request may contain."""

import re
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import unquote

from django.conf import settings
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponsePermanentRedirect,
    HttpResponseRedirect,
    JsonResponse,
    UnreadablePostError,
)
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.urls import reverse
from django.utils.cache import add_never_cache_headers

from accounts import second_factor, second_factor_views, sessions, staff_browsers
from accounts.models import User
from accounts.second_factor import Surface
from config.body_limits import limit_of
from core import kept_forms, request_bodies
from enrollments.webhooks.views import receive

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

WEBHOOK_ADDRESSES = frozenset({"/webhooks/light/", "/webhooks/light"})
PERSONAL_PREFIXES = ("/admin/", "/portal/", "/field/", "/api/")
LINK_PREFIX = "/portal/"
SIGN_INS = {Surface.OFFICE: "office_sign_in", Surface.FIELD: "field:sign_in"}
KEPT_VIEWS = frozenset({"field:job"})
SAVED_FORM_SUFFIXES = ("_button", "_add")
"""Forms that are saved when their session ends, because they can be shown again with what was entered."""

SURFACES = {"/admin/": Surface.OFFICE, "/field/": Surface.FIELD}


MAX_ID_DIGITS = 18
_DIGITS = re.compile(r"\d+")


class ClientAddressMiddleware:
    """
    Set the client's address to the one our own proxy saw: the last one in `X-Forwarded-For`.

    The client may have written the ones before it. If the last one is not an address, the proxy's address stays.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        last = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        with suppress(ValueError):
            request.META["REMOTE_ADDR"] = str(ip_address(last))
        return self._get_response(request)


class SessionExpiryMiddleware:
    """End a session that is too old or was idle for too long. Only staff and technicians have sessions."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _surface_of(request) is not None and isinstance(request.user, User):
            if sessions.has_expired(request.session, request.user):
                logout(request)
            else:
                sessions.record_use(request.session)
        response = self._get_response(request)
        if _surface_of(request) is not None and isinstance(request.user, User):
            staff_browsers.record(request, response, request.user)
        return response


class SecondFactorMiddleware:
    """
    Ask for a second factor before any page of a surface that requires one, wherever the session began.

    Every page of the surface is protected except those listed here, so a new page is protected by default.
    """

    _OPEN = frozenset(
        {
            "office_sign_in",
            "admin:logout",
            "field:sign_in",
            "field:sign_out",
            "field:service_worker",
            "field:session",  # reports that nobody is signed in
        }
    )

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, *_view: object) -> HttpResponse | None:
        surface, found = _surface_of(request), request.resolver_match
        if surface is None or found is None or found.view_name in self._OPEN:
            return None
        if request.method == "POST" and (back := _keep_expired(request, surface)) is not None:
            return back
        if found.namespace in second_factor_views.NAMESPACES.values() or not isinstance(request.user, User):
            return None
        if not second_factor.is_pending(request.user, request.session, surface):
            return None
        if request.headers.get("Accept") == "application/json":
            return JsonResponse({"message": "Sign in again: the second step is missing."}, status=401)
        return HttpResponseRedirect(second_factor_views.address(surface, "ask", next_url=request.get_full_path()))


def _keep_expired(request: HttpRequest, surface: Surface) -> HttpResponse | None:
    """Save a form whose session ended while it was filled in, and redirect to sign-in, from which it is shown again."""
    found = request.resolver_match
    name = found.view_name if found is not None else ""
    is_kept = name in KEPT_VIEWS or name.endswith(SAVED_FORM_SUFFIXES)
    if not is_kept or request.headers.get("Accept") == "application/json":
        return None
    user = request.user if isinstance(request.user, User) else None
    if user is not None and not second_factor.is_pending(user, request.session, surface):
        return None
    known = staff_browsers.recent_browser(request)
    user_id = user.pk if user is not None else known.user_id if known is not None else None
    if user_id is None:
        return None
    kept_forms.keep_expired(request, owner=kept_forms.owner_of(user_id))
    next_url = kept_forms.again_address(request)
    if user is not None:
        return HttpResponseRedirect(second_factor_views.address(surface, "ask", next_url=next_url))
    return HttpResponseRedirect(reverse(SIGN_INS[surface], query={"next": next_url}))


def _surface_of(request: HttpRequest) -> Surface | None:
    """Use `path_info`, which URLs are matched against. The script name before it may come from the client."""
    return next((surface for prefix, surface in SURFACES.items() if request.path_info.startswith(prefix)), None)


class BodyLimitMiddleware:
    """
    Reject a body that is larger than its path allows, without reading it. Anonymous clients get a lower limit.

    Over that lower limit, pages that need a session redirect to sign-in: a phone whose session ended must not be told
    that its photo is too large.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        largest = limit_of(request.path_info).largest
        if request_bodies.announced_length(request) > largest:
            return _too_large(request, largest)
        return self._get_response(request)

    def process_view(self, request: HttpRequest, *_view: object) -> HttpResponse | None:
        largest, surface = limit_of(request.path_info).largest_anonymous, _surface_of(request)
        if request_bodies.announced_length(request) <= largest or surface is None or request.user.is_authenticated:
            return None
        if request.headers.get("Accept") == "application/json":
            return JsonResponse({"message": "You are signed out. Sign in again."}, status=HTTPStatus.UNAUTHORIZED)
        return redirect_to_login(request.get_full_path(), reverse(second_factor_views.SIGN_INS[surface]))


def _too_large(request: HttpRequest, largest: int) -> HttpResponse:
    text = f"This is larger than the {largest} bytes allowed here. Nothing was saved."
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if request.path_info.startswith("/api/"):
        return JsonResponse({"detail": text}, status=status)
    return HttpResponse(f"{text}\n", content_type="text/plain", status=status)


class SlashMiddleware(CommonMiddleware):
    """Redirect to the URL with its final slash as Django does, but keep method and body, so that no write is lost."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.status_code == HTTPStatus.NOT_FOUND and self.should_redirect_with_slash(request):
            return HttpResponsePermanentRedirect(
                self.get_full_path_with_slash(request), preserve_request=request.method not in {"GET", "HEAD"}
            )
        return super().process_response(request, response)


class NulCharacterMiddleware:
    """
    Reject URLs and cookies with a NUL character, which PostgreSQL can neither store nor search for.

    Forms check for it themselves and show a message beside the field.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        said = (unquote(request.META.get("QUERY_STRING", "")), request.path_info, *request.COOKIES.values())
        if any("\x00" in each for each in said):
            refusal = "This address contains a character that is not allowed."
            if request.path_info.startswith("/api/"):
                return JsonResponse({"detail": refusal}, status=HTTPStatus.BAD_REQUEST)
            return HttpResponse(f"{refusal}\n", content_type="text/plain", status=HTTPStatus.BAD_REQUEST)
        return self._get_response(request)


class TruncatedBodyMiddleware:
    """
    Reject a request whose connection broke before its body was complete, as happens on phones.

    A chunked body without a length is rejected, because Django treats it as empty; views with `takes_chunks` read it.

    Forms are read here, before the CSRF check reads them: it would ignore a broken connection.
    """

    _CUT_OFF = "Only part of this request arrived."
    _IN_CHUNKS = "The request does not say how long it is (Content-Length)."

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_bodies.require_full_body(request)
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *_arguments: object
    ) -> HttpResponse | None:
        if request_bodies.is_sent_in_chunks(request) and not getattr(view, "takes_chunks", False):
            return _not_saved(self._IN_CHUNKS, HTTPStatus.LENGTH_REQUIRED)
        if request.method != "POST" or getattr(view, "csrf_exempt", False):
            return None
        try:
            request.POST  # noqa: B018 - reading it is the point
        except UnreadablePostError:
            return _not_saved(self._CUT_OFF)
        except BadRequest as wrong:  # Django's own error page would read the form again
            return _not_saved(str(wrong))
        return None

    def process_exception(self, _request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return _not_saved(self._CUT_OFF) if isinstance(exception, UnreadablePostError) else None


def _not_saved(why: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> HttpResponse:
    text = f"{why} Nothing was saved. Please send it again.\n"
    return HttpResponse(text, content_type="text/plain", status=status)


class WebhookShortcutMiddleware:
    """
    Send Light's webhooks straight to their view, past the middleware that only pages need.

    They have no session, language, form or user, and thousands may come at once.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in WEBHOOK_ADDRESSES:
            return self._get_response(request)
        response = receive(request)
        response.headers["Content-Length"] = str(len(response.content))
        response.headers["X-Frame-Options"] = settings.X_FRAME_OPTIONS
        return response


class AdminQueryMiddleware:
    """
    Remove parameters from an admin page's query that no database accepts, and show the page without them.

    PostgreSQL accepts no NUL in a text, and no database a number of more than 64 bits. Django's admin checks neither.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/admin/") or request.method not in {"GET", "HEAD"}:
            return self._get_response(request)
        query = request.GET.copy()
        for name, values in request.GET.lists():
            if "\0" in name or not all(_is_queryable(name, value) for value in values):
                del query[name]
        if len(query) == len(request.GET):
            return self._get_response(request)
        return HttpResponseRedirect(f"{request.path}?{query.urlencode()}" if query else request.path)


def _is_queryable(name: str, value: str) -> bool:
    if "\0" in value:
        return False
    is_search = name == SEARCH_VAR  # ESI IDs have 22 digits, and are text
    return is_search or not any(len(number.lstrip("0")) > MAX_ID_DIGITS for number in _DIGITS.findall(value))


class SecurityHeadersMiddleware:
    """
    Add security headers, and forbid caching of personal pages.

    A view that needs another policy sets the header itself; it is not overwritten.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", _header_value(_policy_for(request.path_info)))
        response.headers.setdefault("Permissions-Policy", "geolocation=(), microphone=(), payment=(), usb=()")
        if request.path_info.startswith(LINK_PREFIX):
            response.headers["Referrer-Policy"] = "no-referrer"
        if request.path_info.startswith(PERSONAL_PREFIXES) and "Cache-Control" not in response.headers:
            add_never_cache_headers(response)
        return response


def _policy_for(path: str) -> dict[str, tuple[str, ...]]:
    if path.startswith("/admin/") and not path.startswith("/admin/second-step/"):
        return ADMIN_POLICY
    if path.startswith("/api/docs/"):
        return SCHEMA_BROWSER_POLICY
    if path.startswith(LINK_PREFIX):
        # The button that leads to Light's own pages is a form whose response redirects there.
        return STRICT_POLICY | {"form-action": ("'self'", *settings.LIGHT_HOSTED_ORIGINS)}
    return STRICT_POLICY


def _header_value(policy: dict[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{directive} {' '.join(sources)}" for directive, sources in policy.items())
