"""
How often somebody may try something, counted in the cache that all processes share.

Time is cut into windows of a limit's length, and each window has a count of its own. Whom a count is about (a name, an
address, a link) is in its key as a hash only. A person is never counted by name alone: whoever knows the name could
lock its owner out. An address of IPv6 counts as its network of 64 bits: one household's connection has that many.

When the cache does not answer, a limit that guards a secret is shut, and any other lets everybody pass: what a customer
signed, a technician reported or Light sent is worth more than the limit.
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

logger = logging.getLogger(__name__)

SECONDS_TO_TRY_AGAIN = 60


@dataclass(frozen=True)
class Limit:
    """At most so many tries in a window. `is_shut_without_store` says what happens when nobody can count them."""

    name: str
    most: int
    seconds: int
    is_shut_without_store: bool = False


_QUARTER_HOUR = 15 * 60

SIGN_IN = Limit("sign-in", most=10, seconds=_QUARTER_HOUR, is_shut_without_store=True)
"""Passwords for one name from one address."""
SIGN_IN_ADDRESS = Limit("sign-in-address", most=100, seconds=_QUARTER_HOUR, is_shut_without_store=True)
"""Wrong passwords from one address, whatever the name; a whole office may share one."""
SIGN_IN_NAME = Limit("sign-in-name", most=30, seconds=_QUARTER_HOUR, is_shut_without_store=True)
"""Wrong passwords for one name from browsers that nobody used with it before. Beyond it the next limit counts."""
SIGN_IN_NETWORK = Limit("sign-in-network", most=3, seconds=_QUARTER_HOUR, is_shut_without_store=True)
"""Passwords for a name that is being guessed, from one provider's network: many small networks do not help."""
SECOND_STEP = Limit("second-step", most=10, seconds=_QUARTER_HOUR, is_shut_without_store=True)
"""Codes of one person from one address; only who knows the password comes this far."""
SECOND_STEP_PERSON = Limit("second-step-person", most=30, seconds=60 * 60, is_shut_without_store=True)
"""Wrong codes of one person from anywhere: six digits bear no more."""
UNKNOWN_LINK = Limit("unknown-link", most=30, seconds=10 * 60)
"""Links that nobody has, from one address. A link that somebody has always opens."""
LINK_FORM = Limit("link-form", most=60, seconds=10 * 60)
"""Forms sent behind one link from one address."""
UPLOAD = Limit("upload", most=60, seconds=10 * 60)
"""Forms with a file, of one person."""
REFUSED_WEBHOOK = Limit("refused-webhook", most=60, seconds=60)
"""Webhooks with a wrong signature from one address, for each sender apart. A right one is always taken."""
API_STRANGER = Limit("api-stranger", most=60, seconds=60)
"""Calls of the API without a token, or with a wrong one, from one address."""


class TooOften(Exception):
    """The limit is reached; `seconds` later the next window begins."""

    def __init__(self, limit: Limit, seconds: int) -> None:
        super().__init__(f"{limit.name}: more than {limit.most} in {limit.seconds} seconds")
        self.seconds = seconds

    @property
    def minutes(self) -> int:
        return math.ceil(self.seconds / 60)


class StoreAway(Exception):
    """The shared cache does not answer, so nobody knows how often this was tried."""

    seconds = SECONDS_TO_TRY_AGAIN


def count(limit: Limit, *who: str) -> None:
    """
    Count one try, also of several at the same instant.

    :raises TooOften: this one is beyond the limit
    :raises StoreAway: it cannot be counted, and the limit is one that is shut then
    """
    key, seconds_left = _window(limit, who)
    try:
        with store() as counts:
            counts.add(key, 0, timeout=limit.seconds * 2)
            tries = counts.incr(key)
    except StoreAway:
        _pass_if_open(limit)
        return
    if tries > limit.most:
        if tries == limit.most + 1:
            logger.warning("Limit reached: %s, more than %s in %s seconds.", limit.name, limit.most, limit.seconds)
        raise TooOften(limit, seconds_left)


def check(limit: Limit, *who: str) -> None:
    """
    Ask whether another try would still be within the limit, and count nothing.

    :raises TooOften: it would not
    :raises StoreAway: nobody knows, and the limit is one that is shut then
    """
    key, seconds_left = _window(limit, who)
    try:
        with store() as counts:
            tries: int = counts.get(key, 0)
    except StoreAway:
        _pass_if_open(limit)
        return
    if tries >= limit.most:
        raise TooOften(limit, seconds_left)


def forget(limit: Limit, *who: str) -> None:
    """Begin anew, because the person proved to be who he is. A count that cannot be reached ends by itself."""
    key, _seconds_left = _window(limit, who)
    try:
        with store() as counts:
            counts.delete(key)
    except StoreAway:
        logger.info("The count of %s could not be reached; it ends with its window.", limit.name)


@contextmanager
def store() -> Iterator[BaseCache]:
    """
    Work with the shared cache.

    :raises StoreAway: it does not answer. For some seconds after that it is not asked again: nobody waits twice.
    """
    if not _way.is_open():
        raise StoreAway
    try:
        yield cache
    except (RedisError, DatabaseError, OSError) as problem:
        _way.close()
        logger.warning("The shared cache does not answer: %s", type(problem).__name__)
        raise StoreAway from problem


def reach_again() -> None:
    """Ask the cache again at once, when it is known to be back."""
    _way.open()


def _pass_if_open(limit: Limit) -> None:
    if limit.is_shut_without_store:
        raise StoreAway
    logger.info("Nobody counts %s while the shared cache does not answer.", limit.name)


def _window(limit: Limit, who: tuple[str, ...]) -> tuple[str, int]:
    number, passed = divmod(_now_seconds(), limit.seconds)
    name = hashlib.sha256("\x00".join(map(_counted_as, who)).encode(errors="backslashreplace")).hexdigest()[:40]
    return f"limit:{limit.name}:{number}:{name}", limit.seconds - passed


def _now_seconds() -> int:
    return int(time.time())


def network_of(address: str) -> str:
    """Return the network that one provider has around an address: 32 bits of IPv6, 16 of IPv4."""
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


class _Way:
    """The way to the cache from this process, closed for some seconds once it failed."""

    SECONDS = 5.0

    def __init__(self) -> None:
        self._closed_until = 0.0

    def is_open(self) -> bool:
        return time.monotonic() >= self._closed_until

    def close(self) -> None:
        self._closed_until = time.monotonic() + self.SECONDS

    def open(self) -> None:
        self._closed_until = 0.0


_way = _Way()
