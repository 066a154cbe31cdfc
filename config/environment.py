"""
Every environment variable that Switchyard reads: its name, default, shape and meaning, in one table.

`docs/configuration.md` is made from this table, and `read` refuses a value of the wrong shape by naming the variable and
what it should look like, so that a process whose settings cannot work stops at its start.
"""

import base64
import binascii
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


class _WrongShape(Exception):
    pass


@dataclass(frozen=True)
class Variable:
    name: str
    default: str | None
    shape: str
    meaning: str
    parse: Callable[[str], Any]

    def value_from(self, environ: Mapping[str, str]) -> Any:
        """:raises ImproperlyConfigured: missing without a default, or of the wrong shape"""
        text = environ.get(self.name, self.default)
        if text is None:
            raise ImproperlyConfigured(f"{self.name} is not set. It should be {self.shape}.")
        try:
            return self.parse(text)
        except (_WrongShape, ValueError) as problem:
            raise ImproperlyConfigured(f"{self.name} cannot be used. It should be {self.shape}.") from problem


def text(value: str) -> str:
    return value.strip()


def words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def switch(value: str) -> bool:
    lowered = value.strip().lower()
    if lowered not in {"0", "1", "true", "false", "yes", "no", "on", "off"}:
        raise _WrongShape
    return lowered in {"1", "true", "yes", "on"}


def whole_number(value: str) -> int:
    number = int(value)
    if number < 0:
        raise _WrongShape
    return number


def host_url(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/") or parts.query:
        raise _WrongShape
    return f"{parts.scheme}://{parts.netloc}"


def secret(value: str) -> str:
    if len(value) < 32:
        raise _WrongShape
    return value


def encryption_keys(value: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for word in words(value):
        key_id, _, encoded = word.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error as problem:
            raise _WrongShape from problem
        if not re.fullmatch(r"[a-z0-9-]{1,20}", key_id) or len(key) != 32:
            raise _WrongShape
        keys[key_id] = key
    if not keys:
        raise _WrongShape
    return keys


def one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.strip().upper() not in allowed:
            raise _WrongShape
        return value.strip().upper()

    return parse


_TABLE = (
    Variable(
        "SECRET_KEY",
        None,
        "a random text of at least 32 characters",
        "Signs sessions and forms. Keep it secret.",
        secret,
    ),
    Variable("SITE_URL", "http://127.0.0.1:8000", "a URL without a path", "Start of every link we send.", host_url),
    Variable("ALLOWED_HOSTS", "127.0.0.1,localhost", "host names parted by commas", "Names we answer to.", words),
    Variable("DATABASE_URL", "", "postgres://… or sqlite:///…", "Database; empty means SQLite under DATA_DIR.", text),
    Variable("DATA_DIR", "var", "a folder", "Where the embedded parts keep database, files and mail.", text),
    Variable("CELERY_BROKER_URL", "memory://", "redis://… or memory://", "Queue between web and workers.", text),
    Variable(
        "FIELD_ENCRYPTION_KEYS",
        None,
        "name:base64-of-32-bytes, several parted by commas, the first one encrypts",
        "Keys of encrypted fields (birth dates, signatures).",
        encryption_keys,
    ),
    Variable(
        "EMAIL_URL", "", "smtp://…, consolemail:// or filemail:///…", "Mail; empty means files under DATA_DIR.", text
    ),
    Variable("MAIL_FROM", "Switchyard <no-reply@localhost>", "a mail address", "Sender of our mails.", text),
    Variable("LIGHT_API_URL", "http://127.0.0.1:8001", "Light's host, without /v1", "Where Light is.", host_url),
    Variable("LIGHT_APP_TOKEN", "sim-app-token", "the App's token", "Light's long-lived secret; server only.", text),
    Variable(
        "LIGHT_WEBHOOK_SECRET",
        "",
        "the secret from Light's dashboard; two parted by a comma while it is rotated",
        "Verifies webhooks; empty switches the endpoint off, and polling does the work.",
        words,
    ),
    Variable("STORAGE_S3_BUCKET", "", "a bucket's name", "Private bucket; empty means files under DATA_DIR.", text),
    Variable("STORAGE_S3_ENDPOINT_URL", "", "a URL", "S3 server, when it is not Amazon's.", text),
    Variable("STORAGE_S3_REGION", "us-east-1", "a region's name", "Region of the bucket.", text),
    Variable("AWS_ACCESS_KEY_ID", "", "an access key", "Identity at the S3 server.", text),
    Variable("AWS_SECRET_ACCESS_KEY", "", "a secret key", "Secret at the S3 server.", text),
    Variable("ORGANIZATION_NAME", "Lone Star Home Energy", "a name", "The installer, as customers know it.", text),
    Variable("ORGANIZATION_CONTACT", "(512) 555-0100, help@example.com", "a line of text", "How to reach us.", text),
    Variable("BROKER_REGISTRATION_NUMBER", "BR000000", "the PUCT broker registration", "Shown to customers.", text),
    Variable(
        "GO_LIVE_CONFIRMATION",
        "WITHOUT_PROOF",
        "WITHOUT_PROOF, ALWAYS or NEVER",
        "Which go-live reports wait for the office before they count.",
        one_of("WITHOUT_PROOF", "ALWAYS", "NEVER"),
    ),
    Variable("START_DATE_EDGES_ALLOWED", "no", "yes or no", "Whether days 7 and 30 may be used as well.", switch),
    Variable("POA_LINK_DAYS", "30", "a whole number", "Days for which a signing link is valid.", whole_number),
    Variable(
        "DOUBT_SETTLING_SECONDS",
        "600",
        "a whole number",
        "How long a lost answer is looked for by reading before it counts as not having happened.",
        whole_number,
    ),
    Variable("SWEEP_SECONDS", "5", "a whole number", "How often the sweeps look for due work.", whole_number),
)

VARIABLES: dict[str, Variable] = {variable.name: variable for variable in _TABLE}


def read(name: str) -> Any:
    """Give the parsed value of a variable in the table, from the process's environment."""
    return VARIABLES[name].value_from(os.environ)
