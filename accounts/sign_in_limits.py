"""
Rate limits and logging of sign-ins with a username and password, for every surface.

The log has user IDs, not usernames, because people sometimes type their password as the username.
"""

import logging
import unicodedata
from contextlib import suppress

from core import rate_limits
from core.rate_limits import RateLimitReached

logger = logging.getLogger(__name__)

MAX_NAME_LENGTH = 150


def check_attempt_allowed(*, username: str, ip_address: str, is_known: bool = False) -> None:
    """
    Count a sign-in attempt.

    While a username is attacked from many addresses, each network is allowed only a few attempts, so that switching
    addresses does not help. A browser that was used with the username before (`is_known`) is exempt from that.

    :raises core.rate_limits.RateLimitReached: this username and address, this address or its network has to wait
    :raises core.rate_limits.RateLimitStoreDown: attempts cannot be counted, so none is allowed
    """
    name = normalized_name(username)
    rate_limits.check(rate_limits.SIGN_IN_ADDRESS, ip_address)
    rate_limits.count(rate_limits.SIGN_IN, name, ip_address)
    if is_known:
        return
    try:
        rate_limits.check(rate_limits.SIGN_IN_NAME, name)
    except RateLimitReached:
        rate_limits.count(rate_limits.SIGN_IN_NETWORK, name, rate_limits.network_of(ip_address))


def record_failure(*, surface: str, username: str, ip_address: str, is_known: bool = False) -> None:
    logger.warning("A sign-in failed at %s, from %s.", surface, ip_address)
    if not is_known:
        with suppress(RateLimitReached):
            rate_limits.count(rate_limits.SIGN_IN_NAME, normalized_name(username))
    rate_limits.count(rate_limits.SIGN_IN_ADDRESS, ip_address)


def record_success(*, surface: str, user_id: int, username: str, ip_address: str) -> None:
    logger.info("User %s signed in at %s, from %s.", user_id, surface, ip_address)
    rate_limits.forget(rate_limits.SIGN_IN, normalized_name(username), ip_address)


def normalized_name(username: str) -> str:
    """
    Normalize all spellings that the sign-in form treats as the same username.

    Truncates first, because no username is longer, and normalization takes quadratic time.
    """
    return unicodedata.normalize("NFKC", username.strip()[:MAX_NAME_LENGTH]).strip().casefold()
