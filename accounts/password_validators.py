"""What a new password ends."""

from typing import TYPE_CHECKING

from django.utils import timezone

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class KeysEndWithPassword:
    """
    Stands among the validators of passwords, because Django tells those about every new one, wherever it was set.

    Anyone who changes a password that became known means to shut the account to those who know it; a personal key that
    they may have got with it would stay valid.
    """

    def validate(self, password: str, user: "User | None" = None) -> None:
        """Any password will do, as far as keys go."""

    def password_changed(self, _password: str, user: "User") -> None:
        from accounts.actions import revoke_personal_keys  # models may not be loaded when this module is

        revoke_personal_keys(user, at=timezone.now())

    def get_help_text(self) -> str:
        return "A new password also ends the personal API keys of the account."
