"""
Every environment variable that Switchyard reads: its name, default, shape and meaning, in one table.

`docs/configuration.md` is made from this table, and `read` refuses a value of the wrong shape by naming the variable
and what it should look like, so that a process whose settings cannot work stops at its start.
"""

import base64
import binascii
import difflib
import os
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from email.utils import parseaddr
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.message import sanitize_address

from config.redis_servers import redis_server
from core.clock import SystemClock
from enrollments.light.dialect import DIALECT_VARIABLES, Dialect, DialectNotUnderstood
from poa_documents.seal.keys import SealKeyUnusable, read_key

OUR_PREFIXES = ("LIGHT_", "STORAGE_", "POA_", "ORGANIZATION_", "FIELD_ENCRYPTION_", "GO_LIVE_", "CELERY_")
SHORTEST_SECRET = 32


class _WrongShape(Exception):
    pass


@dataclass(frozen=True)
class Variable:
    name: str
    default: str | None
    shape: str
    meaning: str
    parse: Callable[[str], Any]
    group: str = ""
    production_default: str | None = None

    def value_from(self, environment: Mapping[str, str], *, in_production: bool = False) -> Any:
        """
        Give the parsed value; a variable that is set but empty counts as not set.

        :raises ImproperlyConfigured: missing without a default, or of the wrong shape
        """
        default = self.production_default if in_production and self.production_default is not None else self.default
        text = environment.get(self.name, "").strip() or default
        if text is None:
            raise ImproperlyConfigured(f"{self.name} is not set. It should be {self.shape}.")
        try:
            return self.parse(text)
        except (_WrongShape, ValueError):
            # Without the cause: it may quote a part of the value, such as half a password.
            raise ImproperlyConfigured(f"{self.name} cannot be used. It should be {self.shape}.") from None


def text(value: str) -> str:
    return value.strip()


def required_text(value: str) -> str:
    if not value.strip():
        raise _WrongShape
    return value.strip()


def words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def host_names(value: str) -> list[str]:
    names = words(value)
    if not names or not all(re.fullmatch(r"\*|\.?[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:]+\]", name) for name in names):
        raise _WrongShape
    return names


def switch(value: str) -> bool:
    lowered = value.strip().lower()
    if lowered not in {"0", "1", "true", "false", "yes", "no", "on", "off"}:
        raise _WrongShape
    return lowered in {"1", "true", "yes", "on"}


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value.strip()) or not lowest <= int(value) <= highest:
            raise _WrongShape
        return int(value)

    return parse


def rate(highest: int) -> Callable[[str], float]:
    def parse(value: str) -> float:
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,4})?", value.strip()) or float(value) > highest:
            raise _WrongShape
        return float(value)

    return parse


def host_url(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise _WrongShape
    if parts.path.strip("/") or parts.port == 0:
        raise _WrongShape
    return f"{parts.scheme}://{parts.netloc}"


def optional_host_url(value: str) -> str:
    return host_url(value) if value.strip() else ""


def proxy_url(value: str) -> str:
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as problem:
        raise _WrongShape from problem
    if parts.scheme not in {"http", "https"} or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise _WrongShape
    return value.rstrip("/")


def certificates_file(value: str) -> str:
    if value:
        try:
            certificates = ssl.create_default_context(cafile=value).get_ca_certs()
        except (OSError, ssl.SSLError) as problem:
            raise _WrongShape from problem
        if not certificates:
            raise _WrongShape
    return value


def origins(value: str) -> list[str]:
    return [host_url(word) for word in words(value)]


WITHOUT_HOST = frozenset({"memory", "sqlite", "postgres", "postgresql", "consolemail", "filemail"})


def _url_with(*schemes: str) -> Callable[[str], str]:
    """Take a URL that can be read whole: a / in a password that is not written as %2F would end the host early."""

    def parse(value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in schemes or parts.port == 0 or parts.fragment:
            raise _WrongShape
        if not parts.hostname and parts.scheme not in WITHOUT_HOST:
            raise _WrongShape
        return value

    return parse


def mail_url(value: str) -> str:
    """Take what the mail settings are made of, read by the parser that makes them."""
    checked = _url_with("smtp", "smtps", "smtp+tls", "smtp+ssl", "consolemail", "filemail")(value)
    if checked:
        environ.Env.email_url_config(checked)
    return checked


def database_url(value: str) -> str:
    checked = _url_with("postgres", "postgresql", "sqlite")(value)
    if checked and not environ.Env.db_url_config(checked).get("NAME"):
        raise _WrongShape
    return checked


def redis_url(value: str) -> str:
    if value:
        redis_server(value)
    return value


def broker_url(value: str) -> str:
    return value if urlsplit(value).scheme == "memory" else redis_url(value)


def existing_file(value: str) -> str:
    if value and not Path(value).is_file():
        raise _WrongShape
    return value


def mail_address(value: str) -> str:
    """Take a sender that Django can put into a mail; a name with signs such as @ or , needs quotation marks."""
    address = parseaddr(value)[1]
    if "\n" in value or not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)*", address):
        raise _WrongShape
    sanitize_address(value.strip(), "utf-8")  # a ValueError when the mail could not be made
    return value.strip()


def secret(value: str) -> str:
    if len(value) < SHORTEST_SECRET:
        raise _WrongShape
    return value


def secret_words(value: str) -> list[str]:
    return [secret(word) for word in words(value)]


def hours_of_a_day(value: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,2})-([0-9]{1,2})", value.strip())
    if not found or not 0 <= int(found[1]) < int(found[2]) <= 24:
        raise _WrongShape
    return int(found[1]), int(found[2])


def encryption_keys(value: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for word in words(value):
        key_id, _, encoded = word.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error as problem:
            raise _WrongShape from problem
        if not re.fullmatch(r"[a-z0-9-]{1,20}", key_id) or len(key) != 32 or key_id in keys:
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


_WEB = "Pages and links"
_SECRETS = "Secrets"
_SIGN_IN = "Signing in"
_PARTS = "Database, queue and data folder"
_FILES = "Signed documents and proofs"
_MAIL = "Mail"
_LIGHT = "Light"
_COMPANY = "The installer"
_RULES = "Rules of the house"
_DIALECT = "How Light's API is understood"

_TABLE = (
    Variable(
        "SITE_URL",
        "http://127.0.0.1:8000",
        "a URL without a path, such as https://switchyard.example.com",
        "Start of every link we send.",
        host_url,
        _WEB,
    ),
    Variable(
        "ALLOWED_HOSTS",
        "127.0.0.1,localhost",
        "host names parted by commas",
        "Names that the pages answer to.",
        host_names,
        _WEB,
    ),
    Variable(
        "TRUST_PROXY_HEADERS",
        "no",
        "yes or no",
        "Whether `X-Forwarded-Proto` and the last address of `X-Forwarded-For` are believed. Say yes only behind a "
        "proxy that always sets both.",
        switch,
        _WEB,
    ),
    Variable(
        "HSTS_SECONDS",
        "31536000",
        "a whole number of seconds, at most 63072000",
        "How long browsers insist on HTTPS (production only).",
        whole_number(0, 63_072_000),
        _WEB,
    ),
    Variable(
        "SECRET_KEY",
        None,
        f"a random text of at least {SHORTEST_SECRET} characters",
        "Signs sessions and forms.",
        secret,
        _SECRETS,
    ),
    Variable(
        "FIELD_ENCRYPTION_KEYS",
        None,
        "name:base64-of-32-bytes, several parted by commas; names differ and the first key encrypts",
        "Keys of encrypted fields (birth dates, signatures). An old key must stay until `rotate_field_keys` says that "
        "nothing needs it.",
        encryption_keys,
        _SECRETS,
    ),
    Variable(
        "METRICS_TOKEN",
        "",
        f"a random text of at least {SHORTEST_SECRET} characters",
        "Bearer token that `/metrics` and the details of `/readyz` ask for; empty means that only this machine may "
        "read them, past no proxy.",
        lambda value: value and secret(value),
        _SECRETS,
    ),
    Variable(
        "STAFF_MFA_REQUIRED",
        "auto",
        "yes, no or auto",
        "Whether everybody who enters `/admin/` needs a second step (a code of the phone's authenticator app) besides "
        "the password; `auto` means yes in production and no elsewhere. Who has set one up is always asked for it.",
        one_of("YES", "NO", "AUTO"),
        _SIGN_IN,
    ),
    Variable(
        "TECHNICIAN_MFA_REQUIRED",
        "no",
        "yes or no",
        "The same for technicians at `/field/`, who may set it up in any case.",
        switch,
        _SIGN_IN,
    ),
    Variable(
        "SESSION_HOURS",
        "12",
        "a whole number from 1 to 168",
        "Hours after which everybody must sign in again, however busy.",
        whole_number(1, 168),
        _SIGN_IN,
    ),
    Variable(
        "SESSION_IDLE_MINUTES",
        "60",
        "a whole number from 5 to 1440",
        "Minutes without a page after which the office must sign in again.",
        whole_number(5, 1440),
        _SIGN_IN,
    ),
    Variable(
        "FIELD_SESSION_IDLE_MINUTES",
        "600",
        "a whole number from 5 to 10080",
        "The same for technicians, who are often without a signal for hours.",
        whole_number(5, 10_080),
        _SIGN_IN,
    ),
    Variable(
        "API_REQUESTS_PER_MINUTE",
        "1200",
        "a whole number from 1 to 1000000",
        "Calls of the API that one token may make in a minute before it is asked to wait.",
        whole_number(1, 1_000_000),
        _SIGN_IN,
    ),
    Variable(
        "DATABASE_URL",
        "",
        "postgres://user:password@host:5432/name or sqlite:///absolute/path",
        "Database; empty means SQLite under `DATA_DIR`.",
        database_url,
        _PARTS,
    ),
    Variable(
        "DATA_DIR",
        "var",
        "a folder that this process may write to",
        "Where the embedded parts keep database, files and mail.",
        required_text,
        _PARTS,
    ),
    Variable(
        "CELERY_BROKER_URL",
        "memory://",
        "redis://host:6379/0, rediss://host:6379/0 for TLS, or memory://",
        "Queue between web and workers; `memory://` works only inside `manage.py up`. Over `rediss://` the server is "
        "verified. Options in the URL, for `CACHE_URL` too: `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`, "
        "`ssl_check_hostname`, and `ssl_cert_reqs=none` to verify nothing.",
        broker_url,
        _PARTS,
    ),
    Variable(
        "CELERY_KEY_PREFIX",
        "switchyard:",
        "a text of letters, digits and :._- that is not empty",
        "Begins every key in Redis, so that two installations may share one.",
        lambda value: _matching(value, r"[A-Za-z0-9:._-]{1,60}"),
        _PARTS,
    ),
    Variable(
        "CACHE_URL",
        "",
        "redis://host:6379/1 or rediss://host:6379/1",
        "What all processes count tries in. Empty means the Redis of `CELERY_BROKER_URL`, and with `memory://` a table "
        "of the database.",
        redis_url,
        _PARTS,
    ),
    Variable(
        "REDIS_CA_FILE",
        "",
        "a PEM file with certificates that is there",
        "Authorities that a Redis at `rediss://` must be certified by, where its URL names none (`ssl_ca_certs`); "
        "empty means those that this machine trusts.",
        existing_file,
        _PARTS,
    ),
    Variable(
        "SWEEP_SECONDS",
        "5",
        "a whole number from 1 to 3600",
        "How often the sweeps look for due work.",
        whole_number(1, 3600),
        _PARTS,
    ),
    Variable(
        "BACKUP_ALARM_DAYS",
        "0",
        "a whole number from 0 to 365",
        "After how many days without a complete backup by `manage.py backup` the alarm `NO_BACKUP` is raised. 0: "
        "never, for a database whose provider takes the backups.",
        whole_number(0, 365),
        _PARTS,
        production_default="2",
    ),
    Variable(
        "STORAGE_S3_BUCKET",
        "",
        "a bucket's name",
        "Private, versioned bucket; empty means files under `DATA_DIR`.",
        lambda value: value and _matching(value, r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
        _FILES,
    ),
    Variable(
        "STORAGE_S3_ENDPOINT_URL",
        "",
        "a URL without a path",
        "S3 server, when not Amazon's.",
        optional_host_url,
        _FILES,
    ),
    Variable(
        "STORAGE_S3_OBJECT_LOCK_DAYS",
        "0",
        "a whole number from 0 to 3650",
        "Days for which nobody can change or remove a new sealed document or anchor; 0 means no lock. The bucket must "
        "have been made with object lock, and no lock should outlast how long records are kept.",
        whole_number(0, 3650),
        _FILES,
    ),
    Variable(
        "STORAGE_S3_OBJECT_LOCK_MODE",
        "GOVERNANCE",
        "GOVERNANCE or COMPLIANCE",
        "COMPLIANCE lets nobody past the lock; GOVERNANCE those with a right of their own to it.",
        one_of("GOVERNANCE", "COMPLIANCE"),
        _FILES,
    ),
    Variable("STORAGE_S3_REGION", "us-east-1", "a region's name", "Region of the bucket.", required_text, _FILES),
    Variable(
        "AWS_ACCESS_KEY_ID",
        "",
        "an access key",
        "Identity at the S3 server. It needs s3:ListBucket on the bucket, and to get, put and delete objects and their "
        "versions.",
        text,
        _FILES,
    ),
    Variable("AWS_SECRET_ACCESS_KEY", "", "a secret key", "Secret at the S3 server.", text, _FILES),
    Variable(
        "POA_SEAL_KEY_FILE",
        "",
        "a PKCS#12 file with a P-256 key and its certificate",
        "Key that seals signed documents; empty means a development key under `DATA_DIR`.",
        text,
        _FILES,
    ),
    Variable("POA_SEAL_PASSPHRASE", "", "a text", "Opens `POA_SEAL_KEY_FILE`.", text, _FILES),
    Variable(
        "POA_SEAL_TIMESTAMP_URL",
        "",
        "an http or https URL",
        "Time-stamping authority (RFC 3161); empty means seals without time stamps. When it fails, documents are "
        "sealed without and stamped later.",
        _url_with("http", "https"),
        _FILES,
    ),
    Variable(
        "POA_SEAL_TIMESTAMP_CA_FILE",
        "",
        "a PEM file with certificates",
        "Certificates that a time stamp must lead up to; empty means that whoever answers at the URL is believed.",
        text,
        _FILES,
    ),
    Variable(
        "POA_SEAL_LONG_TERM",
        "no",
        "yes or no",
        "Whether sealed documents carry what the issuer of the seal's certificate says about it (OCSP or CRL), so that "
        "they can be judged when the issuer is gone. For a bought certificate, with those above it in "
        "`POA_SEAL_KEY_FILE`. It is asked ahead: no signature waits for it.",
        switch,
        _FILES,
    ),
    Variable(
        "EMAIL_URL",
        "",
        "smtp://…, smtp+tls://…, smtp+ssl://…, consolemail:// or filemail:///…",
        "Mail server; empty means files under `DATA_DIR`, and a line on the terminal. In name and password, write / as "
        "%2F, @ as %40, # as %23, ? as %3F and % as %25.",
        mail_url,
        _MAIL,
    ),
    Variable(
        "MAIL_CATCHER_ALLOWED",
        "no",
        "yes or no",
        "Whether production may start although `EMAIL_URL` names a mail catcher, which shows mails and sends none. For "
        "a trial without customers.",
        switch,
        _MAIL,
    ),
    Variable(
        "MAIL_FROM",
        "Switchyard <no-reply@localhost>",
        "a mail address, with or without a name before it",
        "Sender of our mails. A name with signs such as @ or a comma stands in quotation marks: "
        '`"Sun@Home" <no-reply@example.com>`.',
        mail_address,
        _MAIL,
    ),
    Variable(
        "MAIL_WEBHOOK_SECRET",
        "",
        f"one or two random texts of at least {SHORTEST_SECRET} characters, parted by a comma",
        "Signs the mail provider's reports of what came back; empty switches the endpoint off. Two "
        "while it is rotated.",
        secret_words,
        _MAIL,
    ),
    Variable(
        "LIGHT_API_URL",
        "http://127.0.0.1:8001",
        "Light's host without a path, such as https://api.light.dev",
        "Where Light, or the stand-in for it, answers.",
        host_url,
        _LIGHT,
    ),
    Variable(
        "LIGHT_APP_TOKEN",
        "sim-app-token",
        "the App's token from Light's dashboard",
        "Light's long-lived secret. It decides between sandbox and live.",
        required_text,
        _LIGHT,
    ),
    Variable(
        "LIGHT_WEBHOOK_SECRET",
        "",
        "the secret from Light's dashboard; two parted by a comma while it is rotated",
        "Verifies webhooks; empty switches the endpoint off, and polling does the work.",
        words,
        _LIGHT,
    ),
    Variable(
        "LIGHT_PROXY_URL",
        "",
        "a URL such as http://proxy.example:3128, with user:password@ where the proxy asks for them",
        "The proxy through which Light and plan documents are reached; empty means directly. `HTTPS_PROXY` and similar "
        "variables have no effect.",
        proxy_url,
        _LIGHT,
    ),
    Variable(
        "LIGHT_CA_FILE",
        "",
        "a PEM file with certificates",
        "What the certificates of Light and of plan documents must lead up to, where a proxy looks into connections; "
        "empty means the usual authorities.",
        certificates_file,
        _LIGHT,
    ),
    Variable(
        "LIGHT_CALLS_PER_SECOND",
        "0",
        "a number from 0 to 1000, such as 5 or 0.5",
        "How many calls a second Light allows our app, over all processes together. They are then sent evenly, the "
        "most urgent case first, and more slowly for a while after a 429. 0: no limit is known.",
        rate(1000),
        _LIGHT,
    ),
    Variable(
        "LIGHT_HOSTED_ORIGINS",
        "https://flow.light.dev",
        "URLs without a path, parted by commas",
        "Where Light's own pages (identity, credit, card) live; the host of `LIGHT_API_URL` is always among them.",
        origins,
        _LIGHT,
    ),
    Variable(
        "LIGHT_DOCUMENT_ORIGINS",
        "",
        "URLs without a path, parted by commas",
        "Where plan documents (EFL, TOS, YRAC) may be fetched from; the host of `LIGHT_API_URL` is always among them. "
        "One from elsewhere is not fetched, and its case says so.",
        origins,
        _LIGHT,
    ),
    Variable(
        "LIGHT_WRITES_ALLOWED_FOR",
        "",
        "the place of a database, as the alarm names it",
        "The one database that may write to Light; empty means the place where it was first used. A copy elsewhere "
        "only reads.",
        text,
        _LIGHT,
    ),
    Variable(
        "ORGANIZATION_NAME",
        "Lone Star Home Energy",
        "a name",
        "The installer, as customers know it.",
        required_text,
        _COMPANY,
    ),
    Variable(
        "ORGANIZATION_CONTACT",
        "(512) 555-0100, help@example.com",
        "a line of text",
        "How customers reach the installer.",
        required_text,
        _COMPANY,
    ),
    Variable(
        "BROKER_REGISTRATION_NUMBER",
        "BR000000",
        "BR and six digits",
        "The installer's registration with the PUCT, shown to customers.",
        lambda value: _matching(value, r"BR[0-9]{6}"),
        _COMPANY,
    ),
    Variable(
        "GO_LIVE_CONFIRMATION",
        "WITHOUT_PROOF",
        "WITHOUT_PROOF, ALWAYS or NEVER",
        "Which go-live reports wait for the office before they count. Nobody confirms a report of their own, and "
        "what the office reports without proof waits for a second person.",
        one_of("WITHOUT_PROOF", "ALWAYS", "NEVER"),
        _RULES,
    ),
    Variable(
        "START_DATE_EDGES_ALLOWED", "no", "yes or no", "Whether days 7 and 30 may be used as well.", switch, _RULES
    ),
    Variable(
        "POA_LINK_DAYS",
        "30",
        "a whole number from 1 to 365",
        "Days for which a signing link is valid.",
        whole_number(1, 365),
        _RULES,
    ),
    Variable(
        "POA_REMINDER_FIRST_DAYS",
        "3",
        "a whole number from 0 to 60",
        "Days after the invitation on which an unsigned customer is reminded first; 0: never.",
        whole_number(0, 60),
        _RULES,
    ),
    Variable(
        "POA_REMINDER_EVERY_DAYS",
        "7",
        "a whole number from 1 to 60",
        "Days from one reminder to the next.",
        whole_number(1, 60),
        _RULES,
    ),
    Variable(
        "POA_REMINDERS_MOST",
        "3",
        "a whole number from 0 to 20",
        "How many reminders follow one invitation at the most; then they stop.",
        whole_number(0, 20),
        _RULES,
    ),
    Variable(
        "POA_REMINDER_HOURS",
        "9-19",
        "two hours of the day such as 9-19, the second later than the first",
        "Between which hours, Chicago time, reminders are sent.",
        hours_of_a_day,
        _RULES,
    ),
    Variable(
        "POA_CODE_MINUTES",
        "10",
        "a whole number from 2 to 60",
        "Minutes for which a code counts that was mailed to open a link.",
        whole_number(2, 60),
        _RULES,
    ),
    Variable(
        "POA_IDLE_MINUTES",
        "30",
        "a whole number from 5 to 240",
        "Minutes without a click after which a customer's pages ask for a new code.",
        whole_number(5, 240),
        _RULES,
    ),
    Variable(
        "CALL_BACK_FOR_FIRST_ADDRESS",
        "no",
        "yes or no",
        "Whether a second person must call the customer also where the first e-mail address on file was used to sign. "
        "Without it Light's own check of the customer's identity is the second proof.",
        switch,
        _RULES,
    ),
    Variable(
        "COMPANY_MAIL_DOMAINS",
        "",
        "mail domains, comma-separated",
        "Domains of the company's own mailboxes: a customer with such an address is called back before anything is "
        "opened at Light. Empty: the domain of `MAIL_FROM`.",
        words,
        _RULES,
    ),
    Variable(
        "STRICT_ESI_IDS",
        "no",
        "yes or no",
        "Whether ESI IDs that do not begin with 10, such as Light's test numbers, are refused.",
        switch,
        _RULES,
        production_default="yes",
    ),
    Variable(
        "SALE_EMBARGO_KINDS",
        "SOLAR",
        "some of SOLAR, BATTERY and EV_CHARGER, parted by commas",
        "Hardware whose buyer may cancel the sale for some days.",
        words,
        _RULES,
    ),
    Variable(
        "SALE_EMBARGO_BUSINESS_DAYS",
        "5",
        "a whole number from 0 to 60",
        "Business days in which the buyer may cancel the sale.",
        whole_number(0, 60),
        _RULES,
    ),
    Variable(
        "SALE_EMBARGO_SINCE_DATE",
        "2025-09-01",
        "a day as YYYY-MM-DD",
        "Contracts signed from this day on have days to cancel.",
        date.fromisoformat,
        _RULES,
    ),
    Variable(
        "ADVANCE_NOTICE_DAYS",
        "3",
        "a whole number from 0 to 14",
        "Whole days that customers have to object to a chosen plan before it is accepted; 0 accepts it at once.",
        whole_number(0, 14),
        _RULES,
    ),
    Variable(
        "DOUBT_SETTLING_SECONDS",
        "600",
        "a whole number from 1 to 86400",
        "How long a lost answer is looked for by reading before it counts as not having happened.",
        whole_number(1, 86_400),
        _RULES,
    ),
    Variable(
        "LEASE_SECONDS",
        "20",
        "a whole number from 5 to 600",
        "How long a case stays in the hands of a worker that gives no sign of life; then another one takes it over.",
        whole_number(5, 600),
        _RULES,
    ),
    *(
        Variable(variable.name, variable.default, "one of what the meaning names", variable.meaning, text, _DIALECT)
        for variable in DIALECT_VARIABLES.values()
    ),
)


def _matching(value: str, pattern: str) -> str:
    if not re.fullmatch(pattern, value):
        raise _WrongShape
    return value


VARIABLES: dict[str, Variable] = {variable.name: variable for variable in _TABLE}


def read(name: str, *, in_production: bool = False) -> Any:
    """Give the parsed value of a variable in the table, from the process's environment."""
    return VARIABLES[name].value_from(os.environ, in_production=in_production)


def read_light_dialect() -> Dialect:
    """
    Give the reading of Light's API that the `LIGHT_DIALECT_…` variables describe.

    :raises ImproperlyConfigured: names the variable and what it should look like
    """
    try:
        return Dialect.from_environment(os.environ)
    except DialectNotUnderstood as problem:
        raise ImproperlyConfigured(str(problem)) from problem


def check_for_misspellings() -> None:
    """:raises ImproperlyConfigured: a variable is almost one of ours, so what was meant would be ignored in silence"""
    for name in sorted(os.environ):
        if name in VARIABLES or not name.startswith(OUR_PREFIXES):
            continue
        near = difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0.8)
        if near:
            raise ImproperlyConfigured(f"{name} is not a setting of Switchyard. Is {near[0]} meant?")


def check_production() -> None:
    """
    Refuse what works on one machine only, or what anybody could guess.

    :raises ImproperlyConfigured: one line per variable that must change
    """
    check_environment()
    problems = [f"{name} cannot be used in production: {why}." for name, why in _production_problems()]
    if problems:
        raise ImproperlyConfigured("\n".join(problems))


def _production_problems() -> Iterator[tuple[str, str]]:
    hosts = read("ALLOWED_HOSTS")
    yield from _complaints(
        ("SITE_URL", read("SITE_URL").startswith("https://"), "it must begin with https://"),
        ("LIGHT_API_URL", read("LIGHT_API_URL").startswith("https://"), "it must begin with https://"),
        ("ALLOWED_HOSTS", urlsplit(read("SITE_URL")).hostname in hosts, "it must contain the host of SITE_URL"),
        ("ALLOWED_HOSTS", "*" not in hosts, "it must name the hosts, not *"),
        (
            "DATABASE_URL",
            read("DATABASE_URL").startswith("postgres"),
            "it must be postgres://user:password@host:5432/name",
        ),
        (
            "CELERY_BROKER_URL",
            read("CELERY_BROKER_URL").startswith("redis"),
            "it must be redis://host:6379/0 or rediss://…, because web and workers are processes apart",
        ),
        (
            "STORAGE_S3_BUCKET",
            bool(read("STORAGE_S3_BUCKET")),
            "it must name a private bucket, because a signed document may not lie on one machine's disk",
        ),
        (
            "EMAIL_URL",
            read("EMAIL_URL").startswith("smtp"),
            "it must be smtp://user:password@host:port, smtp+tls://… or smtp+ssl://…",
        ),
        (
            "EMAIL_URL",
            read("MAIL_CATCHER_ALLOWED") or not _is_mail_catcher(read("EMAIL_URL")),
            "it names a mail catcher, which sends nothing; name a real server, or for a trial MAIL_CATCHER_ALLOWED=yes",
        ),
    )
    yield from _seal_key_problems()
    yield from _defaults_left("MAIL_FROM", "ORGANIZATION_NAME", "ORGANIZATION_CONTACT", "BROKER_REGISTRATION_NUMBER")
    yield from _guessable_secrets()


MAIL_CATCHERS = frozenset({"mailpit", "mailhog", "mailcatcher", "maildev", "inbucket", "smtp4dev"})
MAIL_CATCHER_PORTS = frozenset({1025, 2525})


def _is_mail_catcher(url: str) -> bool:
    """Whether the host is named as catchers are, or the port is the one on which they listen."""
    try:
        parts = urlsplit(url)
        return parts.port in MAIL_CATCHER_PORTS or not MAIL_CATCHERS.isdisjoint((parts.hostname or "").split("."))
    except ValueError:
        return False  # the shape of EMAIL_URL is complained about already


def _complaints(*rules: tuple[str, bool, str]) -> Iterator[tuple[str, str]]:
    return ((name, complaint) for name, holds, complaint in rules if not holds)


def _defaults_left(*names: str) -> Iterator[tuple[str, str]]:
    for name in names:
        if read(name) == VARIABLES[name].default:
            yield name, f"it still has the default; it must be {VARIABLES[name].shape} of the installer"


def _seal_key_problems() -> Iterator[tuple[str, str]]:
    file, passphrase = read("POA_SEAL_KEY_FILE"), read("POA_SEAL_PASSPHRASE")
    if not file:
        yield "POA_SEAL_KEY_FILE", f"it must be {VARIABLES['POA_SEAL_KEY_FILE'].shape}; “manage.py seal new” makes one"
        return
    try:
        key = read_key(Path(file), passphrase)
        key.check_in_force(SystemClock().now())
    except SealKeyUnusable as problem:
        yield "POA_SEAL_KEY_FILE", str(problem).rstrip(".")
    else:
        if key.is_for_development:
            yield "POA_SEAL_KEY_FILE", "it is the key of the embedded mode, which proves nothing to anybody else"


def _guessable_secrets() -> Iterator[tuple[str, str]]:
    return _complaints(
        (
            "SECRET_KEY",
            not _is_guessable(read("SECRET_KEY"), shortest=50),
            "it must be a random text of at least 50 characters",
        ),
        (
            "FIELD_ENCRYPTION_KEYS",
            all(len(set(key)) >= 16 for key in read("FIELD_ENCRYPTION_KEYS").values()),
            "each key must be base64 of 32 random bytes",
        ),
        (
            "LIGHT_APP_TOKEN",
            not _is_guessable(read("LIGHT_APP_TOKEN"), shortest=16),
            "it must be the App's token from Light's dashboard",
        ),
        (
            "MAIL_WEBHOOK_SECRET",
            not any(_is_guessable(secret, shortest=SHORTEST_SECRET) for secret in read("MAIL_WEBHOOK_SECRET")),
            f"it must be a random text of at least {SHORTEST_SECRET} characters",
        ),
        (
            "LIGHT_WEBHOOK_SECRET",
            not any(_is_guessable(secret, shortest=16) for secret in read("LIGHT_WEBHOOK_SECRET")),
            "it must be the secret from Light's dashboard",
        ),
    )


def _is_guessable(secret: str, *, shortest: int) -> bool:
    lowered = secret.lower()
    return (
        len(secret) < shortest
        or len(set(secret)) < 10
        or any(
            word in lowered for word in ("insecure", "change-me", "changeme", "example", "nothing", "password", "sim-")
        )
    )


def check_environment() -> None:
    """
    Look at every variable, also those that nothing has asked for yet, and name all that is wrong at once.

    :raises ImproperlyConfigured: one line per variable that cannot be used
    """
    problems: dict[str, None] = {}
    checks: list[Callable[[], Any]] = [partial(read, name) for name in VARIABLES]
    for check in [*checks, read_light_dialect, check_for_misspellings]:
        try:
            check()
        except ImproperlyConfigured as problem:
            problems[str(problem)] = None
    if problems:
        raise ImproperlyConfigured("\n".join(problems))
