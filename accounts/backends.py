"""What keeps accounts of systems away from every place where people sign in."""

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied

from core.actors import is_service_account

if TYPE_CHECKING:  # the settings name this module, and these read the settings
    from django.http import HttpRequest


class NoServiceAccounts:
    """Stands first among the backends: what it refuses, no other is asked about, not even with a password set."""

    def authenticate(self, _request: "HttpRequest | None", username: str | None = None, **_said: object) -> None:
        if is_service_account(username or ""):
            raise PermissionDenied
