"""How often other systems may call: each account for itself, and everybody without a key by address."""

from typing import Any

from django.conf import settings
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from core import rate_limits
from core.rate_limits import Limit, TooOften


class Calls(BaseThrottle):
    """
    Counts in the cache that all processes share. While that is away, everybody passes.

    An address is where the connection comes from: a header that anybody can write must not buy more tries.
    """

    _seconds: int | None = None

    def allow_request(self, request: Request, _view: Any) -> bool:
        try:
            if request.user.is_authenticated:
                limit = Limit("api-token", most=settings.API_REQUESTS_PER_MINUTE, seconds=60)
                rate_limits.count(limit, str(request.user.pk))
            else:
                rate_limits.count(rate_limits.API_STRANGER, address_of(request))
        except TooOften as often:
            self._seconds = often.seconds
            return False
        return True

    def wait(self) -> int | None:
        return self._seconds


def count_stranger(request: Request) -> None:
    """
    Count a call whose key is missing or wrong, which is refused before any throttle is asked.

    :raises rest_framework.exceptions.Throttled: too many of them from this address
    """
    try:
        rate_limits.count(rate_limits.API_STRANGER, address_of(request))
    except TooOften as often:
        raise Throttled(wait=often.seconds) from often


def address_of(request: Request) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))
