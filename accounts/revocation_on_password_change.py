"""Revokes personal API keys when a password changes."""

from typing import TYPE_CHECKING

from django.utils import timezone

if TYPE_CHECKING:
    from accounts.models import User


class PersonalKeyRevoker:
    """
    Listed as a password validator, because Django notifies validators of every password change.

    A password is often changed because it leaked. A personal key obtained with the old password must stop working too.
    """

    def validate(self, password: str, user: "User | None" = None) -> None:
        """Accept any password."""

    def password_changed(self, _password: str, user: "User") -> None:
        from accounts.api_client_actions import (
            revoke_personal_keys,  # this module may be imported before models are loaded
        )

        revoke_personal_keys(user, at=timezone.now())

    def get_help_text(self) -> str:
        return "A new password also revokes the account's personal API keys."
