"""API authentication by key, as `Authorization: Token …` or `Bearer …`."""

from typing import TYPE_CHECKING

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

from accounts import second_factor

if TYPE_CHECKING:  # the settings refer to this module, and these modules read the settings
    from rest_framework.request import Request

    from accounts.models import ApiKey, User

SCHEMES = frozenset({"token", "bearer"})
MAX_HEADER_LENGTH = 200


class KeyAuthentication(BaseAuthentication):
    """
    Looks up the key on every call, so that revoking a key or turning off a client takes effect immediately.

    A client's key depends on no person, neither on the second step nor the employment of the person who created it.
    """

    def authenticate(self, request: "Request") -> "tuple[User, ApiKey] | None":
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if len(header) > MAX_HEADER_LENGTH:
            raise AuthenticationFailed("The Authorization header is too long.")
        scheme, _, secret = header.partition(" ")
        if scheme.lower() not in SCHEMES:
            return None
        return _account_of(secret.strip())

    def authenticate_header(self, _request: "Request") -> str:
        return "Token"


def _account_of(secret: str) -> "tuple[User, ApiKey]":
    from accounts.api_client_actions import record_key_use  # this module may be imported before models are loaded
    from accounts.queries import find_key

    key, now = find_key(secret), timezone.now()
    if key is None:
        raise AuthenticationFailed("Unknown key.")
    if key.revoked_at is not None:
        raise AuthenticationFailed("This key was revoked. Use another one.")
    if key.expires_at <= now:
        raise AuthenticationFailed("This key has expired. Use another one.")
    if not key.account.is_active or (key.client is not None and not key.client.is_enabled):
        raise AuthenticationFailed("The account of this key is turned off.")
    if key.person is not None and second_factor.was_missing_at(key.person, key.created_at):
        raise AuthenticationFailed("This key is older than the account's two-step sign-in. Get a new one.")
    record_key_use(key, at=now)
    return key.account, key
