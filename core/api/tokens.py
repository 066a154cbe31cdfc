"""Signing in with a token of the API."""

from typing import TYPE_CHECKING

from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from core import second_factor

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.authtoken.models import Token


class TokenWithItsSecondStep(TokenAuthentication):
    """A token is worth the second step that it was given for: once that is reset or replaced, it opens nothing."""

    def authenticate_credentials(self, key: str) -> "tuple[User, Token]":
        user, token = super().authenticate_credentials(key)
        if second_factor.is_owed_since(user, token.created):
            raise AuthenticationFailed("This token is older than the account's second step. Replace it.")
        return user, token
