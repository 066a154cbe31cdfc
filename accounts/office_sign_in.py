"""The office's sign-in: slowed down for whoever guesses passwords, shut while nobody can count the guesses."""

from http import HTTPStatus

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from accounts import known_browsers, sessions, sign_in_limits
from accounts.wait_page import ask_to_wait
from core.rate_limits import StoreAway, TooOften

DOOR = "the office"


@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    """Take name and password as the admin does; the second step follows on the page that they lead to."""
    if request.method != "POST":
        return admin.site.login(request)
    username, ip_address = request.POST.get("username", ""), request.META.get("REMOTE_ADDR", "")
    is_known = known_browsers.knows(request, username)
    try:
        sign_in_limits.check_may_try(username=username, ip_address=ip_address, is_known=is_known)
        response = admin.site.login(request)
        if response.status_code != HTTPStatus.FOUND or not isinstance(request.user, User):
            sign_in_limits.note_failure(door=DOOR, username=username, ip_address=ip_address, is_known=is_known)
            return response
    except (TooOften, StoreAway) as refused:
        return ask_to_wait(request, refused, back=request.get_full_path())
    sessions.begin(request.session)
    sign_in_limits.note_success(door=DOOR, user_id=request.user.pk, username=username, ip_address=ip_address)
    known_browsers.remember(request, response, username)
    return response
