"""The key that seals signed documents: look at it, or make one."""

import getpass
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core import clock
from poa_documents.models import PoaDocument
from poa_documents.seal.keys import WARN_BEFORE_END, SealKey, SealKeyUnusable, current_key, make_key, write_key

LONGEST_DAYS = 3660


class Command(BaseCommand):
    help = (
        "“seal check” looks at the key of POA_SEAL_KEY_FILE; “seal new” makes a key with a certificate that it signs "
        "itself; “seal keys” lists the certificates that stored documents were sealed with."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["check", "new", "keys"])
        parser.add_argument("--to", type=Path, help="new: the file to write; one that exists stays as it is")
        parser.add_argument("--name", default=settings.ORGANIZATION_NAME, help="new: who seals")
        parser.add_argument("--days", type=int, default=1095, help="new: how long the certificate counts")
        parser.add_argument(
            "--no-passphrase", action="store_true", help="new: ask for none; POA_SEAL_PASSPHRASE counts if it is set"
        )

    def handle(self, *_args: Any, what: str, **options: Any) -> None:
        match what:
            case "check":
                self._check()
            case "new":
                self._new(**options)
            case _:
                self._keys()

    def _check(self) -> None:
        now = clock.now()
        try:
            key = current_key(settings.POA_SEAL_KEY_FILE, settings.POA_SEAL_PASSPHRASE)
            self._tell(key)
            key.check_in_force(now)
        except SealKeyUnusable as problem:
            raise CommandError(str(problem)) from problem
        if key.ends_at - now <= WARN_BEFORE_END:
            raise CommandError(f"It ends in {(key.ends_at - now).days} days: get the next one now.")
        if key.is_for_development:
            self.stdout.write("This is the key of the embedded mode. Production refuses it.")

    def _new(self, *, to: Path | None, name: str, days: int, no_passphrase: bool, **_options: Any) -> None:
        if to is None:
            raise CommandError("Say where the key goes: --to FILE.")
        if not 1 <= days <= LONGEST_DAYS:
            raise CommandError(f"--days must be from 1 to {LONGEST_DAYS}.")
        passphrase: str = settings.POA_SEAL_PASSPHRASE
        if not passphrase and not no_passphrase:
            passphrase = getpass.getpass("Passphrase, to be set as POA_SEAL_PASSPHRASE: ")
        now = clock.now()
        key = make_key(name, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(days=days))
        try:
            written = write_key(key, to, passphrase)
        except OSError as problem:
            raise CommandError(f"{to} cannot be written ({problem.strerror}).") from problem
        if not written:
            raise CommandError(f"{to} exists and stays as it is. Name a new file.")
        self._tell(key)
        self.stdout.write(f"Wrote {to}. Keep a copy of it and of its passphrase where only few can reach them.")

    def _keys(self) -> None:
        used = (
            PoaDocument.objects.exclude(pdf_storage_key="").order_by().values_list("seal_certificate_sha256", flat=True)
        )
        for fingerprint in sorted(set(used)):
            count = PoaDocument.objects.filter(seal_certificate_sha256=fingerprint).exclude(pdf_storage_key="").count()
            self.stdout.write(f"{fingerprint or 'without a seal, by their hash alone':64}  {count} documents")

    def _tell(self, key: SealKey) -> None:
        self.stdout.write(f"{key.owner}, counts from {key.starts_at:%Y-%m-%d} until {key.ends_at:%Y-%m-%d}")
        self.stdout.write(f"SHA-256 of the certificate: {key.fingerprint}")
