"""Signing in with a token of the API, and what ends it."""

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


class TokenEndsWithPassword:
    """
    Stands among the validators of passwords, because Django tells those about every new one, wherever it was set.

    Whoever changes a password that got about means to shut the account to those who know it; a token that they may
    have fetched with it would stay open. The same token is given again and again, so it is nothing to keep.
    """

    def validate(self, password: str, user: "User | None" = None) -> None:
        """Any password will do, as far as tokens go."""

    def password_changed(self, _password: str, user: "User") -> None:
        from rest_framework.authtoken.models import Token  # models may not be loaded when this module is

        Token.objects.filter(user_id=user.pk).delete()

    def get_help_text(self) -> str:
        return "A new password also ends the API token of the account: fetch another."
