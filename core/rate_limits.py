"""
Rate limits, counted in the cache that all processes share.

Counts are kept per fixed window. Names, addresses and links appear in cache keys only as a hash. Nobody is counted by
name alone, because anyone who knows the name could lock the owner out. An IPv6 address counts as its /64 network.

When the cache is down, limits that guard a secret fail closed. All others let everyone through: what a customer signed,
a technician reported or Light sent matters more than the limit.
"""

import hashlib
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address, ip_network

from django.core.cache import BaseCache, cache
from django.db import DatabaseError
from redis.exceptions import RedisError

from core.circuit_breaker import CircuitBreaker

logger = logging.getLogger(__name__)

_breaker = CircuitBreaker()

SECONDS_TO_TRY_AGAIN = 60


@dataclass(frozen=True)
class Limit:
    """`fails_closed`: refuse every try while the cache is down."""

    name: str
    max_tries: int
    seconds: int
    fails_closed: bool = False


_QUARTER_HOUR = 15 * 60

SIGN_IN = Limit("sign-in", max_tries=10, seconds=_QUARTER_HOUR, fails_closed=True)
"""Passwords tried for one name from one address."""
SIGN_IN_ADDRESS = Limit("sign-in-address", max_tries=100, seconds=_QUARTER_HOUR, fails_closed=True)
"""Wrong passwords from one address, for any name. A whole office may share one address."""
SIGN_IN_NAME = Limit("sign-in-name", max_tries=30, seconds=_QUARTER_HOUR, fails_closed=True)
"""Wrong passwords for one name from browsers that never signed in with it. Past this, SIGN_IN_NETWORK applies too."""
SIGN_IN_NETWORK = Limit("sign-in-network", max_tries=3, seconds=_QUARTER_HOUR, fails_closed=True)
"""Passwords for a name that is being guessed, from one provider's network, so that many addresses do not help."""
SECOND_STEP = Limit("second-step", max_tries=10, seconds=_QUARTER_HOUR, fails_closed=True)
"""Codes tried for one person from one address, after the right password."""
SECOND_STEP_PERSON = Limit("second-step-person", max_tries=30, seconds=60 * 60, fails_closed=True)
"""Wrong codes for one person from anywhere. Six digits allow no more."""
UNKNOWN_LINK = Limit("unknown-link", max_tries=30, seconds=10 * 60)
"""Unknown links tried from one address. A real link always opens."""
LINK_FORM = Limit("link-form", max_tries=60, seconds=10 * 60)
"""Forms sent from one link and one address."""
UPLOAD = Limit("upload", max_tries=60, seconds=10 * 60)
"""Forms with a file, per person."""
REFUSED_WEBHOOK = Limit("refused-webhook", max_tries=60, seconds=60)
"""Webhooks with a wrong signature, per address and sender. One with a valid signature is always accepted."""
API_ANONYMOUS = Limit("api-anonymous", max_tries=60, seconds=60)
"""API calls without a key, or with a wrong one, from one address."""


class RateLimitReached(Exception):
    """`seconds`: until the next window begins."""

    def __init__(self, limit: Limit, seconds: int) -> None:
        super().__init__(f"{limit.name}: more than {limit.max_tries} in {limit.seconds} seconds")
        self.seconds = seconds

    @property
    def minutes(self) -> int:
        return math.ceil(self.seconds / 60)


class RateLimitStoreDown(Exception):
    """The shared cache does not answer, so tries cannot be counted."""

    seconds = SECONDS_TO_TRY_AGAIN


def count(limit: Limit, *who: str) -> None:
    """
    Count one try, atomically.

    :raises RateLimitReached: this try is over the limit
    :raises RateLimitStoreDown: the cache is down, and the limit fails closed
    """
    key, seconds_left = _window(limit, who)
    try:
        with store() as counts:
            counts.add(key, 0, timeout=limit.seconds * 2)
            tries = counts.incr(key)
    except RateLimitStoreDown:
        _pass_if_open(limit)
        return
    if tries > limit.max_tries:
        if tries == limit.max_tries + 1:
            logger.warning("Limit reached: %s, more than %s in %s seconds.", limit.name, limit.max_tries, limit.seconds)
        raise RateLimitReached(limit, seconds_left)


def check(limit: Limit, *who: str) -> None:
    """
    Check whether another try would be within the limit, without counting one.

    :raises RateLimitReached: it would be over the limit
    :raises RateLimitStoreDown: the cache is down, and the limit fails closed
    """
    key, seconds_left = _window(limit, who)
    try:
        with store() as counts:
            tries: int = counts.get(key, 0)
    except RateLimitStoreDown:
        _pass_if_open(limit)
        return
    if tries >= limit.max_tries:
        raise RateLimitReached(limit, seconds_left)


def forget(limit: Limit, *who: str) -> None:
    """Reset a count after the person proved who they are. With the cache down, it expires with its window."""
    key, _seconds_left = _window(limit, who)
    try:
        with store() as counts:
            counts.delete(key)
    except RateLimitStoreDown:
        logger.info("The count of %s could not be reset; it expires with its window.", limit.name)


@contextmanager
def store() -> Iterator[BaseCache]:
    """
    Use the shared cache.

    :raises RateLimitStoreDown: the cache does not answer, or failed a few seconds ago
    """
    if not _breaker.allows_calls():
        raise RateLimitStoreDown
    try:
        yield cache
    except (RedisError, DatabaseError, OSError) as problem:
        _breaker.record_failure()
        logger.warning("The shared cache does not answer: %s", type(problem).__name__)
        raise RateLimitStoreDown from problem


def reset_circuit() -> None:
    """Allow calls to the cache again at once, when it is known to be back."""
    _breaker.reset()


def _pass_if_open(limit: Limit) -> None:
    if limit.fails_closed:
        raise RateLimitStoreDown
    logger.info("The shared cache is down: %s is not limited.", limit.name)


def _window(limit: Limit, who: tuple[str, ...]) -> tuple[str, int]:
    number, passed = divmod(_now_seconds(), limit.seconds)
    name = hashlib.sha256("\x00".join(map(_counted_as, who)).encode(errors="backslashreplace")).hexdigest()[:40]
    return f"limit:{limit.name}:{number}:{name}", limit.seconds - passed


def _now_seconds() -> int:
    return int(time.time())


def network_of(address: str) -> str:
    """Return the provider-sized network around an address: /32 for IPv6, /16 for IPv4."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    found = getattr(found, "ipv4_mapped", None) or found
    bits = 16 if isinstance(found, IPv4Address) else 32
    return str(ip_network((str(found), bits), strict=False))


def _counted_as(who: str) -> str:
    try:
        address = ip_address(who)
    except ValueError:
        return who
    if isinstance(address, IPv4Address) or address.ipv4_mapped:
        return str(getattr(address, "ipv4_mapped", None) or address)
    return str(ip_network((int(address), 64), strict=False))
