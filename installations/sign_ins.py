"""Slow down whoever guesses passwords: after some failures, one name from one place has to wait."""

from django.core.cache import cache

MOST_FAILURES = 10
WAIT_SECONDS = 15 * 60


def must_wait(*, username: str, ip_address: str) -> bool:
    failures: int = cache.get(_key(username, ip_address), 0)
    return failures >= MOST_FAILURES


def count_failure(*, username: str, ip_address: str) -> None:
    key = _key(username, ip_address)
    cache.set(key, cache.get(key, 0) + 1, WAIT_SECONDS)


def _key(username: str, ip_address: str) -> str:
    return f"field-sign-in:{ip_address}:{username.strip().lower()[:150].encode().hex()}"[:240]
