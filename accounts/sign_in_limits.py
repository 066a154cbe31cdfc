"""
Signing in with name and password, the same at every door: who guesses is slowed down, and what happened is logged.

The log carries ids, not names: what was typed as a name may be a password.
"""

import logging
import unicodedata
from contextlib import suppress

from core import rate_limits
from core.rate_limits import TooOften

logger = logging.getLogger(__name__)

MAX_NAME_LENGTH = 150


def check_may_try(*, username: str, ip_address: str, is_known: bool = False) -> None:
    """
    Count a try of one name from one address.

    While a name is being guessed from many addresses, only few tries are left to each provider's network, so that new
    addresses help little. A browser that is known to have been used with the name is not counted with the others.

    :raises core.rate_limits.TooOften: this pair, this address or its network has to wait
    :raises core.rate_limits.StoreAway: nobody can count, so nobody may try
    """
    name = plain_name(username)
    rate_limits.check(rate_limits.SIGN_IN_ADDRESS, ip_address)
    rate_limits.count(rate_limits.SIGN_IN, name, ip_address)
    if is_known:
        return
    try:
        rate_limits.check(rate_limits.SIGN_IN_NAME, name)
    except TooOften:
        rate_limits.count(rate_limits.SIGN_IN_NETWORK, name, rate_limits.network_of(ip_address))


def note_failure(*, door: str, username: str, ip_address: str, is_known: bool = False) -> None:
    logger.warning("A sign-in failed at %s, from %s.", door, ip_address)
    if not is_known:
        with suppress(TooOften):
            rate_limits.count(rate_limits.SIGN_IN_NAME, plain_name(username))
    rate_limits.count(rate_limits.SIGN_IN_ADDRESS, ip_address)


def note_success(*, door: str, user_id: int, username: str, ip_address: str) -> None:
    logger.info("User %s signed in at %s, from %s.", user_id, door, ip_address)
    rate_limits.forget(rate_limits.SIGN_IN, plain_name(username), ip_address)


def plain_name(username: str) -> str:
    """
    Write every way to type a name alike, also those that the form of the sign-in makes the same name of.

    Cut first: no account has a longer name, and the time that normalizing takes grows with the square of the length.
    """
    return unicodedata.normalize("NFKC", username.strip()[:MAX_NAME_LENGTH]).strip().casefold()
