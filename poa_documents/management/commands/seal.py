"""Checks or creates the key that seals signed documents."""

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

MAX_DAYS = 3660
_MESSAGES = {
    AskOutcome.KEPT: "Not revoked. Documents signed from now on carry this answer.",
    AskOutcome.NOT_DUE: "Asked recently; not asked again.",
    AskOutcome.NO_ANSWER: "An issuer gave no valid answer; see the log. Documents are still sealed.",
    AskOutcome.REVOKED: "A certificate was revoked; see the log. Install a new key now.",
    AskOutcome.NOTHING_TO_ASK: (
        "There is no issuer to ask: POA_SEAL_LONG_TERM is off, or the certificate is self-signed."
    ),
}


class Command(BaseCommand):
    help = (
        "“seal check” checks the key in POA_SEAL_KEY_FILE. “seal new” creates a key with a self-signed certificate. "
        "“seal keys” lists the certificates that documents were sealed with. “seal ask” asks the issuers now whether "
        "our certificates are revoked (POA_SEAL_LONG_TERM)."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["check", "new", "keys", "ask"])
        parser.add_argument("--to", type=Path, help="new: the file to write; an existing file is not overwritten")
        parser.add_argument("--name", default="", help="new: name of the company that seals")
        parser.add_argument("--days", type=int, default=1095, help="new: days the certificate is valid")
        parser.add_argument(
            "--no-passphrase", action="store_true", help="new: do not ask for one; POA_SEAL_PASSPHRASE is used if set"
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
            raise CommandError(f"It expires in {(key.ends_at - now).days} days. Get the next one now.")
        if key.is_for_development:
            self.stdout.write("This is the key of the embedded mode. Production does not accept it.")
        if reason := why_unanswered(key, at=now):
            raise CommandError(f"Documents sealed now carry no issuer answer: {reason}. Try “manage.py seal ask”.")

    def _ask(self) -> None:
        try:
            outcome = ask_issuers(at=clock.now(), is_urgent=True)
        except SealKeyUnusable as problem:
            raise CommandError(str(problem)) from problem
        message = _MESSAGES[outcome]
        if outcome in {AskOutcome.NO_ANSWER, AskOutcome.REVOKED}:
            raise CommandError(message)
        self.stdout.write(message)

    def _new(self, *, to: Path | None, name: str, days: int, no_passphrase: bool, **_options: Any) -> None:
        if to is None:
            raise CommandError("Name the file to write: --to FILE.")
        if not name.strip():
            raise CommandError("Name the company that seals: --name “Your Company”.")
        if not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--days must be from 1 to {MAX_DAYS}.")
        passphrase: str = settings.POA_SEAL_PASSPHRASE
        if not passphrase and not no_passphrase:
            passphrase = self._ask_passphrase()
        now = clock.now()
        key = make_key(name, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(days=days))
        try:
            written = write_key(key, to, passphrase)
        except OSError as problem:
            raise CommandError(f"Could not write {to} ({problem.strerror}).") from problem
        if not written:
            raise CommandError(f"{to} already exists. Name a new file.")
        self._tell(key)
        self.stdout.write(f"Wrote {to}. Keep a copy of it and of its passphrase in a safe place with limited access.")

    def _ask_passphrase(self) -> str:
        if not sys.stdin.isatty():
            raise CommandError(
                "There is no terminal to type a passphrase in. Set POA_SEAL_PASSPHRASE in .env first, or use "
                "--no-passphrase."
            )
        return getpass.getpass("Passphrase, to be set as POA_SEAL_PASSPHRASE: ")

    def _check_migrated(self) -> None:
        """The issuers' answers are in the database. The key itself needs no database."""
        try:
            is_ready = PoaDocument._meta.db_table in connection.introspection.table_names()
        except DatabaseError as problem:
            raise CommandError(f"The database does not answer: {problem}") from problem
        if not is_ready:
            raise CommandError(
                "The database is empty, so there are no issuer answers. Run “manage.py migrate” first, then run this "
                "again."
            )

    def _keys(self) -> None:
        used = (
            PoaDocument.objects.exclude(pdf_storage_key="").order_by().values_list("seal_certificate_sha256", flat=True)
        )
        for fingerprint in sorted(set(used)):
            count = PoaDocument.objects.filter(seal_certificate_sha256=fingerprint).exclude(pdf_storage_key="").count()
            self.stdout.write(f"{fingerprint or 'not sealed, verified by hash only':64}  {count} documents")

    def _tell(self, key: SealKey) -> None:
        self.stdout.write(f"{key.owner}, valid from {key.starts_at:%Y-%m-%d} until {key.ends_at:%Y-%m-%d}")
        self.stdout.write(f"SHA-256 of the certificate: {key.fingerprint}")
