"""API rate limits: per account, and per address for calls without a key."""

from typing import Any

from django.conf import settings
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from core import rate_limits
from core.rate_limits import Limit, RateLimitReached


class CallThrottle(BaseThrottle):
    """
    Count calls in the shared cache. While the cache is down, every call is allowed.

    The address is that of the connection: a header that anyone can set must not allow more tries.
    """

    _seconds: int | None = None

    def allow_request(self, request: Request, _view: Any) -> bool:
        try:
            if request.user.is_authenticated:
                limit = Limit("api-token", max_tries=settings.API_REQUESTS_PER_MINUTE, seconds=60)
                rate_limits.count(limit, str(request.user.pk))
            else:
                rate_limits.count(rate_limits.API_ANONYMOUS, address_of(request))
        except RateLimitReached as often:
            self._seconds = often.seconds
            return False
        return True

    def wait(self) -> int | None:
        return self._seconds


def count_anonymous_call(request: Request) -> None:
    """
    Count a call with a missing or wrong key. Such calls are rejected before the throttles run.

    :raises rest_framework.exceptions.Throttled: too many of them from this address
    """
    try:
        rate_limits.count(rate_limits.API_ANONYMOUS, address_of(request))
    except RateLimitReached as often:
        raise Throttled(wait=often.seconds) from often


def address_of(request: Request) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))
