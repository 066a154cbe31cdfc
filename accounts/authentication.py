"""Signing in at the API with a key, as `Authorization: Token …` or `Bearer …`."""

from typing import TYPE_CHECKING

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

from accounts import second_factor

if TYPE_CHECKING:  # the settings name this module, and these read the settings
    from django.contrib.auth.models import User
    from rest_framework.request import Request

    from accounts.models import ApiKey

SCHEMES = frozenset({"token", "bearer"})
LONGEST_HEADER = 200


class KeyAuthentication(BaseAuthentication):
    """
    Every call asks the database, so that a key that was revoked, or a client that was turned off, ends at once.

    A key of a client depends on no person: neither on the second step nor on the employment of the one who made it.
    """

    def authenticate(self, request: "Request") -> "tuple[User, ApiKey] | None":
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if len(header) > LONGEST_HEADER:
            raise AuthenticationFailed("The Authorization header is longer than any key.")
        scheme, _, secret = header.partition(" ")
        if scheme.lower() not in SCHEMES:
            return None
        return _account_of(secret.strip())

    def authenticate_header(self, _request: "Request") -> str:
        return "Token"


def _account_of(secret: str) -> "tuple[User, ApiKey]":
    from accounts.actions import note_use  # models may not be loaded when this module is
    from accounts.queries import find_key

    key, now = find_key(secret), timezone.now()
    if key is None:
        raise AuthenticationFailed("This key is not known.")
    if key.revoked_at is not None:
        raise AuthenticationFailed("This key was revoked. Use another one.")
    if key.expires_at <= now:
        raise AuthenticationFailed("This key has expired. Use another one.")
    if not key.account.is_active or (key.client is not None and not key.client.is_enabled):
        raise AuthenticationFailed("The account of this key is turned off.")
    if key.person is not None and second_factor.is_owed_since(key.person, key.created_at):
        raise AuthenticationFailed("This key is older than the account's second step. Get another one.")
    note_use(key, at=now)
    return key.account, key
