"""What every answer carries, whichever face gave it."""

import re
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import unquote

from django.conf import settings
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth import logout
from django.contrib.auth.models import User
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

from accounts import office_devices, second_factor, second_factor_views, sessions
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
"""Forms that are kept when their session ends: those that show again what was kept."""

SURFACES = {"/admin/": Surface.OFFICE, "/field/": Surface.FIELD}


MAX_ID_DIGITS = 18
_DIGITS = re.compile(r"\d+")


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


class SessionLimits:
    """End a session whose hours are up, or that lay idle for too long. Only staff and technicians have sessions."""

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
            office_devices.record(request, response, request.user)
        return response


class SecondStep:
    """
    Let nobody past a surface who owes it a second step, whichever page gave the session.

    Every page behind a surface is shut but those named here, so that a new one is shut from its first day.
    """

    _OPEN = frozenset(
        {
            "office_sign_in",
            "admin:logout",
            "field:sign_in",
            "field:sign_out",
            "field:service_worker",
            "field:session",  # says by itself that nobody is signed in
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
    """Keep a form whose session ended while it was typed, and lead to it over sign-in and second step."""
    found = request.resolver_match
    name = found.view_name if found is not None else ""
    is_kept = name in KEPT_VIEWS or name.endswith(SAVED_FORM_SUFFIXES)
    if not is_kept or request.headers.get("Accept") == "application/json":
        return None
    user = request.user if isinstance(request.user, User) else None
    if user is not None and not second_factor.is_pending(user, request.session, surface):
        return None
    known = office_devices.recent_browser(request)
    user_id = user.pk if user is not None else known.user_id if known is not None else None
    if user_id is None:
        return None
    kept_forms.keep_expired(request, owner=kept_forms.owner_of(user_id))
    next_url = kept_forms.again_address(request)
    if user is not None:
        return HttpResponseRedirect(second_factor_views.address(surface, "ask", next_url=next_url))
    return HttpResponseRedirect(reverse(SIGN_INS[surface], query={"next": next_url}))


def _surface_of(request: HttpRequest) -> Surface | None:
    """Go by what the addresses are compared with: what stands before it may have been written by whoever asks."""
    return next((surface for prefix, surface in SURFACES.items() if request.path_info.startswith(prefix)), None)


class BodyLimitMiddleware:
    """
    Read nothing of a body that is larger than its address takes, and less of a stranger's.

    A page behind a sign-in leads strangers there, as it does with a body of any size: a phone whose session ended must
    not be told that its photo is too large.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        largest = limit_of(request.path_info).largest
        if request_bodies.announced_length(request) > largest:
            return _too_large(request, largest)
        return self._get_response(request)

    def process_view(self, request: HttpRequest, *_view: object) -> HttpResponse | None:
        largest, surface = limit_of(request.path_info).largest_of_strangers, _surface_of(request)
        if request_bodies.announced_length(request) <= largest or surface is None or request.user.is_authenticated:
            return None
        if request.headers.get("Accept") == "application/json":
            return JsonResponse({"message": "You are signed out. Sign in again."}, status=HTTPStatus.UNAUTHORIZED)
        return redirect_to_login(request.get_full_path(), reverse(second_factor_views.SIGN_INS[surface]))


def _too_large(request: HttpRequest, largest: int) -> HttpResponse:
    text = f"This is larger than the {largest} bytes that this address takes. Nothing was taken."
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if request.path_info.startswith("/api/"):
        return JsonResponse({"detail": text}, status=status)
    return HttpResponse(f"{text}\n", content_type="text/plain", status=status)


class SlashMiddleware(CommonMiddleware):
    """Lead to the address with its last slash as Django does, but let what was sent go along: a write is not lost."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.status_code == HTTPStatus.NOT_FOUND and self.should_redirect_with_slash(request):
            return HttpResponsePermanentRedirect(
                self.get_full_path_with_slash(request), preserve_request=request.method not in {"GET", "HEAD"}
            )
        return super().process_response(request, response)


class NoNulMiddleware:
    """
    Refuse addresses and cookies with the one character that PostgreSQL stores nowhere, not even to search for it.

    Forms refuse it themselves, with a word beside the field.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        said = (unquote(request.META.get("QUERY_STRING", "")), request.path_info, *request.COOKIES.values())
        if any("\x00" in each for each in said):
            refusal = "This address holds a character that is used nowhere here."
            if request.path_info.startswith("/api/"):
                return JsonResponse({"detail": refusal}, status=HTTPStatus.BAD_REQUEST)
            return HttpResponse(f"{refusal}\n", content_type="text/plain", status=HTTPStatus.BAD_REQUEST)
        return self._get_response(request)


class WholeBodies:
    """
    Take nothing of a request whose connection broke on its way, as a phone's does: what came in part was not said.

    What comes in chunks, without a length, is refused: Django takes it for empty. Views that `takes_chunks` read it.

    Forms are read here, before the check against forged ones reads them: it would pass over a broken connection.
    """

    _CUT_OFF = "Only a part of this arrived."
    _IN_CHUNKS = "The request does not say how long it is (Content-Length)."

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_bodies.insist_on_all_of_it(request)
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *_arguments: object
    ) -> HttpResponse | None:
        if request_bodies.is_sent_in_chunks(request) and not getattr(view, "takes_chunks", False):
            return _say_not_taken(self._IN_CHUNKS, HTTPStatus.LENGTH_REQUIRED)
        if request.method != "POST" or getattr(view, "csrf_exempt", False):
            return None
        try:
            request.POST  # noqa: B018 - reading it is the point
        except UnreadablePostError:
            return _say_not_taken(self._CUT_OFF)
        except BadRequest as wrong:  # Django's own page about it would read the form once more
            return _say_not_taken(str(wrong))
        return None

    def process_exception(self, _request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return _say_not_taken(self._CUT_OFF) if isinstance(exception, UnreadablePostError) else None


def _say_not_taken(why: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> HttpResponse:
    text = f"{why} Nothing was taken. Please send it again.\n"
    return HttpResponse(text, content_type="text/plain", status=status)


class WebhooksFirst:
    """
    Lead Light's webhooks straight to their view, past all that only pages need.

    They know no session, no language, no form and no person, and may come by the thousand.
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


class AnswerableAdminQueries:
    """
    Leave out of an admin page's query what no database can be asked for, and show the page without it.

    PostgreSQL takes no NUL in a text, and no database a number of more than 64 bits. Django's admin hands both on.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/admin/") or request.method not in {"GET", "HEAD"}:
            return self._get_response(request)
        query = request.GET.copy()
        for name, values in request.GET.lists():
            if "\0" in name or not all(_is_answerable(name, value) for value in values):
                del query[name]
        if len(query) == len(request.GET):
            return self._get_response(request)
        return HttpResponseRedirect(f"{request.path}?{query.urlencode()}" if query else request.path)


def _is_answerable(name: str, value: str) -> bool:
    if "\0" in value:
        return False
    is_search = name == SEARCH_VAR  # ESI IDs have 22 digits, and are text
    return is_search or not any(len(number.lstrip("0")) > MAX_ID_DIGITS for number in _DIGITS.findall(value))


class SafeAnswers:
    """
    Tell the browser how little each page may do, and to keep no copy of a personal one.

    A view that needs another policy sets the header itself; what a view set stands.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", _written(_policy_for(request.path_info)))
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
        # The button that leads to Light's own pages is a form whose answer redirects there.
        return STRICT_POLICY | {"form-action": ("'self'", *settings.LIGHT_HOSTED_ORIGINS)}
    return STRICT_POLICY


def _written(policy: dict[str, tuple[str, ...]]) -> str:
    return "; ".join(f"{directive} {' '.join(sources)}" for directive, sources in policy.items())
