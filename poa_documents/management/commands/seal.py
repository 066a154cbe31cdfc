"""The key that seals signed documents: look at it, or make one."""

import getpass
import sys
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from core import clock
from poa_documents.actions import AskOutcome, ask_issuers, check_not_revoked, why_unanswered
from poa_documents.models import PoaDocument
from poa_documents.seal.keys import WARN_BEFORE_END, SealKey, SealKeyUnusable, current_key, make_key, write_key

LONGEST_DAYS = 3660
_TOLD = {
    AskOutcome.KEPT: "Not revoked. Documents signed from now on carry this answer.",
    AskOutcome.NOT_DUE: "Asked not long ago.",
    AskOutcome.NO_ANSWER: "An issuer gave no answer that holds; the log says why. Documents are sealed all the same.",
    AskOutcome.REVOKED: "A certificate was revoked; the log says which. Put a new key in place now.",
    AskOutcome.NOTHING_TO_ASK: (
        "There is nobody to ask: POA_SEAL_LONG_TERM is off, or the certificate of the seal is signed by itself."
    ),
}


class Command(BaseCommand):
    help = (
        "“seal check” looks at the key of POA_SEAL_KEY_FILE; “seal new” makes a key with a certificate that it signs "
        "itself; “seal keys” lists the certificates that documents were sealed with; “seal ask” asks issuers now "
        "what they say about our certificates (POA_SEAL_LONG_TERM)."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["check", "new", "keys", "ask"])
        parser.add_argument("--to", type=Path, help="new: the file to write; one that exists stays as it is")
        parser.add_argument("--name", default="", help="new: the company that seals")
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
            case "ask":
                self._check_migrated()
                self._ask()
            case _:
                self._check_migrated()
                self._keys()

    def _check(self) -> None:
        now = clock.now()
        try:
            key = current_key(settings.POA_SEAL_KEY_FILE, settings.POA_SEAL_PASSPHRASE)
            self._tell(key)
            key.check_in_force(now)
            self._check_migrated()
            check_not_revoked(key)
        except SealKeyUnusable as problem:
            raise CommandError(str(problem)) from problem
        if key.ends_at - now <= WARN_BEFORE_END:
            raise CommandError(f"It ends in {(key.ends_at - now).days} days: get the next one now.")
        if key.is_for_development:
            self.stdout.write("This is the key of the embedded mode. Production refuses it.")
        if reason := why_unanswered(key, at=now):
            raise CommandError(f"Documents sealed now say nothing of the issuer: {reason}. Try “manage.py seal ask”.")

    def _ask(self) -> None:
        try:
            outcome = ask_issuers(at=clock.now(), is_urgent=True)
        except SealKeyUnusable as problem:
            raise CommandError(str(problem)) from problem
        told = _TOLD[outcome]
        if outcome in {AskOutcome.NO_ANSWER, AskOutcome.REVOKED}:
            raise CommandError(told)
        self.stdout.write(told)

    def _new(self, *, to: Path | None, name: str, days: int, no_passphrase: bool, **_options: Any) -> None:
        if to is None:
            raise CommandError("Say where the key goes: --to FILE.")
        if not name.strip():
            raise CommandError("Say which company seals: --name “Your Company”.")
        if not 1 <= days <= LONGEST_DAYS:
            raise CommandError(f"--days must be from 1 to {LONGEST_DAYS}.")
        passphrase: str = settings.POA_SEAL_PASSPHRASE
        if not passphrase and not no_passphrase:
            passphrase = self._ask_passphrase()
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

    def _ask_passphrase(self) -> str:
        if not sys.stdin.isatty():
            raise CommandError(
                "There is no terminal to type a passphrase at. Set POA_SEAL_PASSPHRASE in .env first, or say "
                "--no-passphrase."
            )
        return getpass.getpass("Passphrase, to be set as POA_SEAL_PASSPHRASE: ")

    def _check_migrated(self) -> None:
        """What issuers said of the key is in the database; the key itself needs none."""
        try:
            is_ready = PoaDocument._meta.db_table in connection.introspection.table_names()
        except DatabaseError as problem:
            raise CommandError(f"The database does not answer: {problem}") from problem
        if not is_ready:
            raise CommandError(
                "The database is empty, and what issuers say of the key is kept there: run “manage.py migrate” first, "
                "then this again."
            )

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
