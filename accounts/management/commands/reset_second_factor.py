"""`manage.py reset_second_factor`: for people who lost their phone and recovery codes."""

import logging
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from accounts import second_factor, sessions
from accounts.api_client_actions import revoke_personal_keys
from accounts.models import User
from core.actors import Actor

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Remove a person's second step and recovery codes. They set up a new one at the next sign-in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="whose second step to remove")
        parser.add_argument(
            "--by", required=True, help="username of the staff member who verified the person's identity"
        )
        parser.add_argument("--reason", required=True, help="why, such as: lost phone, called back at 512 555 0100")

    @transaction.atomic
    def handle(self, *_args: object, **options: Any) -> None:
        user, by = _find(options["username"]), _find(options["by"])
        if not by.is_active or not by.is_staff or by == user:
            raise CommandError("--by must be another person, who is active and staff.")
        if not options["reason"].strip():
            raise CommandError("Enter a --reason. It is kept.")
        if not second_factor.remove(user):
            raise CommandError(f"{user.get_username()} has no second step.")
        sessions.end_sessions_of(user)
        revoke_personal_keys(user, by=Actor.staff(by.public_id), at=timezone.now())
        LogEntry.objects.log_actions(
            user_id=by.pk,
            queryset=[user],
            action_flag=CHANGE,
            change_message=f"Second step reset: {options['reason'].strip()}",
            single_object=True,
        )
        logger.warning("The second step of user %s was reset by user %s.", user.pk, by.pk)
        self.stdout.write(
            f"Done: {user.get_username()} is signed out everywhere and sets up a new second step at the next sign-in. "
            "Anyone who knows the password can do that, so have it changed now if it may have leaked."
        )


def _find(username: str) -> User:
    try:
        return User.objects.get(username=username)
    except User.DoesNotExist:
        raise CommandError(f"There is no user {username!r}.") from None
