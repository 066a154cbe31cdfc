"""Pages of two-step sign-in: enter a code, set it up, save recovery codes, change the phone."""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import second_factor
from accounts.api_client_actions import revoke_personal_keys
from accounts.models import User
from accounts.second_factor import NoSecondFactor, SecondFactorAlreadySetUp, Surface, WrongCode
from accounts.wait_page import wait_response
from core.actors import Actor
from core.rate_limits import RateLimitReached, RateLimitStoreDown

logger = logging.getLogger(__name__)

NAMESPACES = {Surface.OFFICE: "office_second_step", Surface.FIELD: "field_second_step"}
HOMES = {Surface.OFFICE: "admin:index", Surface.FIELD: "field:jobs"}
SIGN_INS = {Surface.OFFICE: "admin:login", Surface.FIELD: "field:sign_in"}
SIGN_OUTS = {Surface.OFFICE: "admin:logout", Surface.FIELD: "field:sign_out"}
WRONG_CODE = "This code is wrong or was used before. Wait for the next one, and check that the phone's clock is right."

StepView = Callable[[HttpRequest, User, Surface], HttpResponse]


def _second_factor_page(view: StepView) -> Callable[..., HttpResponse]:
    """Require a password sign-in first, and handle rate limits."""

    @wraps(view)
    def guarded(request: HttpRequest, *, surface: Surface) -> HttpResponse:
        if not isinstance(request.user, User):
            return HttpResponseRedirect(reverse(SIGN_INS[surface]))
        try:
            return view(request, request.user, surface)
        except (RateLimitReached, RateLimitStoreDown) as refused:
            return wait_response(request, refused, back=address(surface, "ask"))

    return never_cache(guarded)


@_second_factor_page
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, user: User, surface: Surface) -> HttpResponse:
    """Ask for a code, or show the settings after a correct one."""
    if second_factor.factor_id(user) is None:
        return _redirect(surface, "set_up", _next(request, surface))
    if second_factor.is_passed(user, request.session):
        return _manage(request, user, surface)
    error = ""
    if request.method == "POST":
        try:
            _check_code(request, user)
        except WrongCode:
            error = WRONG_CODE
        except NoSecondFactor:
            return _redirect(surface, "set_up")
        else:
            second_factor.mark_passed(user, request.session)
            return HttpResponseRedirect(_next(request, surface) or reverse(HOMES[surface]))
    return _page(request, surface, "ask", error=error, next=_next(request, surface))


@_second_factor_page
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest, user: User, surface: Surface) -> HttpResponse:
    if second_factor.factor_id(user) is not None:
        return _redirect(surface, "ask")
    error = ""
    if request.method == "POST":
        try:
            second_factor.set_up(user, request.session, request.POST.get("code", ""), ip_address=_ip_address(request))
        except WrongCode:
            error = WRONG_CODE
        except SecondFactorAlreadySetUp:
            return _redirect(surface, "ask")
        else:
            logger.info("User %s set up a second step.", user.pk)
            second_factor.mark_passed(user, request.session)
            return _redirect(surface, "codes", _next(request, surface))
    return _page(
        request,
        surface,
        "set_up",
        error=error,
        next=_next(request, surface),
        secret=second_factor.new_secret(user, request.session),
        is_required=second_factor.is_required(user, surface),
    )


@_second_factor_page
@require_http_methods(["GET", "HEAD", "POST"])
def codes(request: HttpRequest, user: User, surface: Surface) -> HttpResponse:
    """Show recovery codes until the person confirms that they saved them."""
    if not second_factor.is_passed(user, request.session):
        return _redirect(surface, "ask")
    if request.method == "POST":
        second_factor.confirm_recovery_codes(user)
        return HttpResponseRedirect(_next(request, surface) or reverse(HOMES[surface]))
    shown = second_factor.recovery_codes(user)
    if not shown:
        return _redirect(surface, "ask")
    return _page(request, surface, "codes", codes=shown, next=_next(request, surface))


@_second_factor_page
@require_POST
def change(request: HttpRequest, user: User, surface: Surface) -> HttpResponse:
    """Create new recovery codes or remove the phone, after checking another code."""
    if not second_factor.is_passed(user, request.session):
        return _redirect(surface, "ask")
    try:
        _check_code(request, user)
    except WrongCode:
        return _manage(request, user, surface, error=WRONG_CODE)
    if request.POST.get("action") == "phone":
        second_factor.remove(user)
        revoke_personal_keys(user, by=Actor.staff(user.public_id), at=timezone.now())
        logger.warning("User %s removed their second step to set up a new one.", user.pk)
        return _redirect(surface, "set_up")
    second_factor.renew_recovery_codes(user)
    logger.warning("User %s created new recovery codes.", user.pk)
    return _redirect(surface, "codes")


def address(surface: Surface, page: str, *, next_url: str = "") -> str:
    return reverse(f"{NAMESPACES[surface]}:{page}", query={"next": next_url} if next_url else None)


def _check_code(request: HttpRequest, user: User) -> None:
    try:
        second_factor.check_code(user, request.POST.get("code", ""), ip_address=_ip_address(request))
    except WrongCode:
        logger.warning("User %s entered a wrong second-step code.", user.pk)
        raise
    logger.info("User %s passed the second step.", user.pk)


def _manage(request: HttpRequest, user: User, surface: Surface, *, error: str = "") -> HttpResponse:
    return _page(
        request,
        surface,
        "manage",
        error=error,
        since=second_factor.set_up_at(user),
        left=second_factor.count_recovery_codes(user),
        change=address(surface, "change"),
    )


def _page(request: HttpRequest, surface: Surface, name: str, *, error: str = "", **context: Any) -> HttpResponse:
    frame = {"home": reverse(HOMES[surface]), "sign_out": reverse(SIGN_OUTS[surface]), "error": error}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
    return render(request, f"sign_in/{name}.html", {**frame, **context}, status=status)


def _redirect(surface: Surface, page: str, next_url: str = "") -> HttpResponse:
    return HttpResponseRedirect(address(surface, page, next_url=next_url))


def _next(request: HttpRequest, surface: Surface) -> str:
    """Return the `next` URL if it is on the same surface."""
    url = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(url, allowed_hosts=None)
    return url if is_ours and url.startswith(reverse(HOMES[surface])) else ""


def _ip_address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def urls_of(surface: Surface) -> tuple[list[URLPattern], str, str]:
    """Return the URL patterns of one surface, for `path`."""
    pages = {"": ask, "set-up/": set_up, "codes/": codes, "change/": change}
    patterns = [path(route, view, {"surface": surface}, name=view.__name__) for route, view in pages.items()]
    return patterns, "second_step", NAMESPACES[surface]
