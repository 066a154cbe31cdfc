"""
Signing in with name and password, the same at every door: who guesses is slowed down, and what happened is logged.

The log carries ids, not names: what was typed as a name may be a password.
"""

import logging
import unicodedata

from core import rate_limits

logger = logging.getLogger(__name__)


def check_may_try(*, username: str, ip_address: str) -> None:
    """
    Count a try of one name from one address.

    :raises core.rate_limits.TooOften: this pair, or this address, has to wait
    :raises core.rate_limits.StoreAway: nobody can count, so nobody may try
    """
    rate_limits.check(rate_limits.SIGN_IN_ADDRESS, ip_address)
    rate_limits.count(rate_limits.SIGN_IN, _plain(username), ip_address)


def note_failure(*, door: str, ip_address: str) -> None:
    logger.warning("A sign-in failed at %s, from %s.", door, ip_address)
    rate_limits.count(rate_limits.SIGN_IN_ADDRESS, ip_address)


def note_success(*, door: str, user_id: int, username: str, ip_address: str) -> None:
    logger.info("User %s signed in at %s, from %s.", user_id, door, ip_address)
    rate_limits.forget(rate_limits.SIGN_IN, _plain(username), ip_address)


def _plain(username: str) -> str:
    """Write every way to type a name alike, also those that the form of the sign-in makes the same name of."""
    return unicodedata.normalize("NFKC", username).strip().casefold()[:150]
