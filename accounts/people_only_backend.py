"""Authentication backend that keeps API clients' accounts from signing in."""

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied

from core.actors import is_service_account

if TYPE_CHECKING:  # the settings refer to this module, and these modules read the settings
    from django.http import HttpRequest


class RejectServiceAccounts:
    """Must be the first backend. Django asks no other backend after a refusal, even if the account has a password."""

    def authenticate(self, _request: "HttpRequest | None", username: str | None = None, **_credentials: object) -> None:
        if is_service_account(username or ""):
            raise PermissionDenied
