"""`manage.py rotate_field_keys`: re-encrypt stored fields with the newest key, so that an old key can be removed."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import second_factor
from core import encryption
from core.encryption import CannotDecrypt


class Command(BaseCommand):
    help = (
        "Re-encrypt all stored dates of birth, signatures and second-step secrets with the first key of "
        "FIELD_ENCRYPTION_KEYS. Safe to repeat and to run in production. Shows which keys are still needed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count the values by their key")

    def handle(self, *_args: Any, dry_run: bool, **_options: Any) -> None:
        if not dry_run:
            try:
                count = encryption.reencrypt() + second_factor.reencrypt()
            except CannotDecrypt as problem:
                raise CommandError(f"{problem} Add that key back after the others, and run this again.") from problem
            self.stdout.write(f"Re-encrypted: {count}.")
        for key_id, count in sorted((encryption.count_by_key() + second_factor.count_by_key()).items()):
            self.stdout.write(f"Values that need key {key_id}: {count}.")
