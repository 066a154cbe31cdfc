"""The page shown after too many attempts, or while attempts cannot be counted."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from core.rate_limits import RateLimitReached, RateLimitStoreDown


def wait_response(request: HttpRequest, refused: RateLimitReached | RateLimitStoreDown, *, back: str) -> HttpResponse:
    """Return the page that says how long to wait. `back` is the URL to try again from."""
    is_too_often = isinstance(refused, RateLimitReached)
    context = {"minutes": refused.minutes if isinstance(refused, RateLimitReached) else 1, "back": back}
    status = HTTPStatus.TOO_MANY_REQUESTS if is_too_often else HTTPStatus.SERVICE_UNAVAILABLE
    response = render(
        request, "sign_in/wait.html" if is_too_often else "sign_in/unavailable.html", context, status=status
    )
    response.headers["Retry-After"] = str(refused.seconds)
    return response
