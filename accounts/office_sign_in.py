"""The office's sign-in, with rate limits."""

from http import HTTPStatus

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from accounts import known_browsers, sessions, sign_in_limits
from accounts.models import User
from accounts.wait_page import wait_response
from core.rate_limits import RateLimitReached, RateLimitStoreDown

SURFACE_NAME = "the office"


@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in as in Django's admin, with rate limits. The next page asks for the second step."""
    if request.method != "POST":
        return admin.site.login(request)
    username, ip_address = request.POST.get("username", ""), request.META.get("REMOTE_ADDR", "")
    is_known = known_browsers.is_known(request, username)
    try:
        sign_in_limits.check_attempt_allowed(username=username, ip_address=ip_address, is_known=is_known)
        response = admin.site.login(request)
        if response.status_code != HTTPStatus.FOUND or not isinstance(request.user, User):
            sign_in_limits.record_failure(
                surface=SURFACE_NAME, username=username, ip_address=ip_address, is_known=is_known
            )
            return response
    except (RateLimitReached, RateLimitStoreDown) as refused:
        return wait_response(request, refused, back=request.get_full_path())
    sessions.start(request.session)
    sign_in_limits.record_success(
        surface=SURFACE_NAME, user_id=request.user.pk, username=username, ip_address=ip_address
    )
    known_browsers.remember(request, response, username)
    return response
