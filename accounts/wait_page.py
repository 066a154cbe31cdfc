"""What somebody is told who tried too often, or whom nobody can let in while tries cannot be counted."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from core.rate_limits import StoreAway, TooOften


def ask_to_wait(request: HttpRequest, refused: TooOften | StoreAway, *, back: str) -> HttpResponse:
    """Say how long to wait, in words and in `Retry-After`. `back` is the page to try again from."""
    is_too_often = isinstance(refused, TooOften)
    context = {"minutes": refused.minutes if isinstance(refused, TooOften) else 1, "back": back}
    status = HTTPStatus.TOO_MANY_REQUESTS if is_too_often else HTTPStatus.SERVICE_UNAVAILABLE
    response = render(request, "sign_in/wait.html" if is_too_often else "sign_in/shut.html", context, status=status)
    response.headers["Retry-After"] = str(refused.seconds)
    return response
