"""The pages of the second step: enter a code, set it up on the first day, keep recovery codes, change the phone."""

import logging
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import second_factor
from accounts.actions import revoke_personal_keys
from accounts.second_factor import AlreadySetUp, CodeWrong, Door, NotSetUp
from accounts.wait_page import ask_to_wait
from core.actors import Actor
from core.rate_limits import StoreAway, TooOften

logger = logging.getLogger(__name__)

NAMESPACES = {Door.OFFICE: "office_second_step", Door.FIELD: "field_second_step"}
HOMES = {Door.OFFICE: "admin:index", Door.FIELD: "field:jobs"}
SIGN_INS = {Door.OFFICE: "admin:login", Door.FIELD: "field:sign_in"}
SIGN_OUTS = {Door.OFFICE: "admin:logout", Door.FIELD: "field:sign_out"}
WRONG = (
    "This code is not right, or it was used before. Wait for the next one, and check that the phone's clock is right."
)

StepView = Callable[[HttpRequest, User, Door], HttpResponse]


def _step(view: StepView) -> Callable[..., HttpResponse]:
    """Only for who gave a password; what nobody can count is refused, and who guesses has to wait."""

    @wraps(view)
    def guarded(request: HttpRequest, *, door: Door) -> HttpResponse:
        if not isinstance(request.user, User):
            return HttpResponseRedirect(reverse(SIGN_INS[door]))
        try:
            return view(request, request.user, door)
        except (TooOften, StoreAway) as refused:
            return ask_to_wait(request, refused, back=address(door, "ask"))

    return never_cache(guarded)


@_step
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, user: User, door: Door) -> HttpResponse:
    """Ask for a code; show to who has given one what may be changed."""
    if second_factor.factor_id(user) is None:
        return _go(door, "set_up", _next(request, door))
    if second_factor.is_done(user, request.session):
        return _manage(request, user, door)
    error = ""
    if request.method == "POST":
        try:
            _check(request, user)
        except CodeWrong:
            error = WRONG
        except NotSetUp:
            return _go(door, "set_up")
        else:
            second_factor.mark_done(user, request.session)
            return HttpResponseRedirect(_next(request, door) or reverse(HOMES[door]))
    return _page(request, door, "ask", error=error, next=_next(request, door))


@_step
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest, user: User, door: Door) -> HttpResponse:
    if second_factor.factor_id(user) is not None:
        return _go(door, "ask")
    error = ""
    if request.method == "POST":
        try:
            second_factor.set_up(user, request.session, request.POST.get("code", ""), ip_address=_address_of(request))
        except CodeWrong:
            error = WRONG
        except AlreadySetUp:
            return _go(door, "ask")
        else:
            logger.info("User %s set up a second step.", user.pk)
            second_factor.mark_done(user, request.session)
            return _go(door, "codes", _next(request, door))
    return _page(
        request,
        door,
        "set_up",
        error=error,
        next=_next(request, door),
        secret=second_factor.new_secret(user, request.session),
        is_required=second_factor.is_required(user, door),
    )


@_step
@require_http_methods(["GET", "HEAD", "POST"])
def codes(request: HttpRequest, user: User, door: Door) -> HttpResponse:
    """Show recovery codes until somebody says that they are kept."""
    if not second_factor.is_done(user, request.session):
        return _go(door, "ask")
    if request.method == "POST":
        second_factor.confirm_recovery_codes(user)
        return HttpResponseRedirect(_next(request, door) or reverse(HOMES[door]))
    shown = second_factor.recovery_codes(user)
    if not shown:
        return _go(door, "ask")
    return _page(request, door, "codes", codes=shown, next=_next(request, door))


@_step
@require_POST
def change(request: HttpRequest, user: User, door: Door) -> HttpResponse:
    """Make new recovery codes, or forget the phone, for who proves once more to have it or a recovery code."""
    if not second_factor.is_done(user, request.session):
        return _go(door, "ask")
    try:
        _check(request, user)
    except CodeWrong:
        return _manage(request, user, door, error=WRONG)
    if request.POST.get("wish") == "phone":
        second_factor.remove(user)
        revoke_personal_keys(user, by=Actor.staff(user.pk), at=timezone.now())
        logger.warning("User %s took away the second step to set it up anew.", user.pk)
        return _go(door, "set_up")
    second_factor.renew_recovery_codes(user)
    logger.warning("User %s made new recovery codes.", user.pk)
    return _go(door, "codes")


def address(door: Door, page: str, *, lead_to: str = "") -> str:
    return reverse(f"{NAMESPACES[door]}:{page}", query={"next": lead_to} if lead_to else None)


def _check(request: HttpRequest, user: User) -> None:
    try:
        second_factor.check_code(user, request.POST.get("code", ""), ip_address=_address_of(request))
    except CodeWrong:
        logger.warning("User %s gave a wrong code of the second step.", user.pk)
        raise
    logger.info("User %s took the second step.", user.pk)


def _manage(request: HttpRequest, user: User, door: Door, *, error: str = "") -> HttpResponse:
    return _page(
        request,
        door,
        "manage",
        error=error,
        since=second_factor.since(user),
        left=second_factor.count_recovery_codes(user),
        change=address(door, "change"),
    )


def _page(request: HttpRequest, door: Door, name: str, *, error: str = "", **context: Any) -> HttpResponse:
    around = {"home": reverse(HOMES[door]), "sign_out": reverse(SIGN_OUTS[door]), "error": error}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
    return render(request, f"sign_in/{name}.html", {**around, **context}, status=status)


def _go(door: Door, page: str, lead_to: str = "") -> HttpResponse:
    return HttpResponseRedirect(address(door, page, lead_to=lead_to))


def _next(request: HttpRequest, door: Door) -> str:
    """Lead on to a page behind the same door only, whatever the address asks for."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if is_ours and wanted.startswith(reverse(HOMES[door])) else ""


def _address_of(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def urls_of(door: Door) -> tuple[list[URLPattern], str, str]:
    """Give the addresses for one door, to be put below it."""
    pages = {"": ask, "set-up/": set_up, "codes/": codes, "change/": change}
    patterns = [path(route, view, {"door": door}, name=view.__name__) for route, view in pages.items()]
    return patterns, "second_step", NAMESPACES[door]
