"""Every environment variable that Switchyard reads, in one table: name, default, shape and meaning."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.environment.shapes import (
    MIN_SECRET_LENGTH,
    WrongShape,
    broker_url,
    certificates_file,
    database_url,
    encryption_keys,
    existing_file,
    host_names,
    host_url,
    mail_address,
    mail_url,
    matching,
    one_of,
    optional_host_url,
    origins,
    proxy_url,
    rate,
    redis_url,
    required_text,
    secret,
    secret_words,
    switch,
    text,
    url_with,
    whole_number,
    words,
)


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
        Return the parsed value; a variable that is set but empty counts as not set.

        :raises ImproperlyConfigured: missing without a default, or of the wrong shape
        """
        default = self.production_default if in_production and self.production_default is not None else self.default
        value = environment.get(self.name, "").strip() or default
        if value is None:
            raise ImproperlyConfigured(f"{self.name} is not set. It should be {self.shape}.")
        try:
            return self.parse(value)
        except (WrongShape, ValueError):
            # Without the cause: it may quote a part of the value, such as half a password.
            raise ImproperlyConfigured(f"{self.name} cannot be used. It should be {self.shape}.") from None


_WEB = "Pages and links"
_SECRETS = "Secrets"
_SIGN_IN = "Signing in"
_PARTS = "Database, queue and data folder"
_FILES = "Signed documents and photos"
_MAIL = "Mail"
_LIGHT = "Light"

_TABLE = (
    Variable(
        "SITE_URL",
        "http://127.0.0.1:8000",
        "a URL without a path, such as https://switchyard.example.com",
        "The address of this installation. Every link in a mail begins with it.",
        host_url,
        _WEB,
    ),
    Variable(
        "ALLOWED_HOSTS",
        "127.0.0.1,localhost",
        "comma-separated host names",
        "Host names under which the pages may be requested. A request for any other name gets 400.",
        host_names,
        _WEB,
    ),
    Variable(
        "TRUST_PROXY_HEADERS",
        "no",
        "yes or no",
        "Whether to trust `X-Forwarded-Proto` and the last address in `X-Forwarded-For`. Set it to yes only behind a "
        "proxy that always sets both headers.",
        switch,
        _WEB,
    ),
    Variable(
        "SECRET_KEY",
        None,
        f"a random text of at least {MIN_SECRET_LENGTH} characters",
        "Signs sessions and forms. Changing it signs everyone out.",
        secret,
        _SECRETS,
    ),
    Variable(
        "FIELD_ENCRYPTION_KEYS",
        None,
        "name:base64-of-32-bytes, several separated by commas; names differ and the first key encrypts",
        "Keys that encrypt birth dates and signatures in the database. Keep an old key until `rotate_field_keys` says "
        "that nothing needs it.",
        encryption_keys,
        _SECRETS,
    ),
    Variable(
        "METRICS_TOKEN",
        "",
        f"a random text of at least {MIN_SECRET_LENGTH} characters",
        "Bearer token required by `/metrics` and by the details of `/readyz`. Empty: only requests from this machine "
        "that came through no proxy may read them.",
        lambda value: value and secret(value),
        _SECRETS,
    ),
    Variable(
        "STAFF_MFA_REQUIRED",
        "auto",
        "yes, no or auto",
        "Whether everyone who signs in to `/admin/` needs a code from an authenticator app besides the password. "
        "`auto` means yes in production and no elsewhere. Anyone who has set one up is always asked for it.",
        one_of("YES", "NO", "AUTO"),
        _SIGN_IN,
    ),
    Variable(
        "TECHNICIAN_MFA_REQUIRED",
        "no",
        "yes or no",
        "Whether technicians need such a code at `/field/`. They may set one up either way.",
        switch,
        _SIGN_IN,
    ),
    Variable(
        "SESSION_HOURS",
        "12",
        "a whole number from 1 to 168",
        "Hours after which everyone must sign in again, however busy they are. Someone who does nothing is signed out "
        "sooner: the office after an hour, a technician after ten.",
        whole_number(1, 168),
        _SIGN_IN,
    ),
    Variable(
        "API_REQUESTS_PER_MINUTE",
        "1200",
        "a whole number from 1 to 1000000",
        "How many API calls one token may make per minute before it gets 429.",
        whole_number(1, 1_000_000),
        _SIGN_IN,
    ),
    Variable(
        "DATABASE_URL",
        "",
        "postgres://user:password@host:5432/name or sqlite:///absolute/path",
        "The database. Empty: SQLite in `DATA_DIR`.",
        database_url,
        _PARTS,
    ),
    Variable(
        "DATA_DIR",
        "var",
        "a folder that this process may write to",
        "Folder for the SQLite database, files and mails of the embedded mode.",
        required_text,
        _PARTS,
    ),
    Variable(
        "CELERY_BROKER_URL",
        "memory://",
        "redis://host:6379/0, rediss://host:6379/0 for TLS, or memory://",
        "The queue between web and workers. `memory://` works only inside `manage.py up`. With `rediss://` the "
        "server's certificate is verified. Options in the URL, also in `CACHE_URL`: `ssl_ca_certs`, `ssl_certfile`, "
        "`ssl_keyfile`, `ssl_check_hostname`, and `ssl_cert_reqs=none` to turn verification off.",
        broker_url,
        _PARTS,
    ),
    Variable(
        "CELERY_KEY_PREFIX",
        "switchyard:",
        "a text of letters, digits and :._- that is not empty",
        "Prefix of every key in Redis, so that two installations can share one server.",
        lambda value: matching(value, r"[A-Za-z0-9:._-]{1,60}"),
        _PARTS,
    ),
    Variable(
        "CACHE_URL",
        "",
        "redis://host:6379/1 or rediss://host:6379/1",
        "The cache that counts sign-in attempts and API calls across all processes. Empty: the Redis of "
        "`CELERY_BROKER_URL`, or with `memory://` a table in the database.",
        redis_url,
        _PARTS,
    ),
    Variable(
        "REDIS_CA_FILE",
        "",
        "an existing PEM file with certificates",
        "Certificate authorities accepted for a Redis at `rediss://` whose URL has no `ssl_ca_certs`. Empty: those "
        "that this machine trusts.",
        existing_file,
        _PARTS,
    ),
    Variable(
        "BACKUP_ALARM_DAYS",
        "0",
        "a whole number from 0 to 365",
        "Days without a complete `manage.py backup` after which the alarm `NO_BACKUP` is raised. 0: never, for a "
        "database whose provider takes the backups.",
        whole_number(0, 365),
        _PARTS,
        production_default="2",
    ),
    Variable(
        "STORAGE_S3_BUCKET",
        "",
        "a bucket's name",
        "Private, versioned S3 bucket for signed documents and photos. Empty: files in `DATA_DIR`.",
        lambda value: value and matching(value, r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
        _FILES,
    ),
    Variable(
        "STORAGE_S3_ENDPOINT_URL",
        "",
        "a URL without a path",
        "Address of the S3 server. Empty: Amazon S3.",
        optional_host_url,
        _FILES,
    ),
    Variable(
        "STORAGE_S3_REGION",
        "us-east-1",
        "a region's name",
        "Region of the S3 bucket.",
        required_text,
        _FILES,
    ),
    Variable(
        "STORAGE_S3_OBJECT_LOCK_DAYS",
        "0",
        "a whole number from 0 to 3650",
        "Days during which nobody can change or delete a new sealed document. 0: no lock. The bucket must have been "
        "created with object lock, and the lock should not outlast the retention of records.",
        whole_number(0, 3650),
        _FILES,
    ),
    Variable(
        "STORAGE_S3_OBJECT_LOCK_MODE",
        "GOVERNANCE",
        "GOVERNANCE or COMPLIANCE",
        "Who may bypass the lock: with COMPLIANCE nobody, with GOVERNANCE those with a special permission.",
        one_of("GOVERNANCE", "COMPLIANCE"),
        _FILES,
    ),
    Variable(
        "AWS_ACCESS_KEY_ID",
        "",
        "an access key",
        "Access key for the S3 server. It needs s3:ListBucket on the bucket, and to get, put and delete objects and "
        "their versions.",
        text,
        _FILES,
    ),
    Variable("AWS_SECRET_ACCESS_KEY", "", "a secret key", "Secret key for the S3 server.", text, _FILES),
    Variable(
        "POA_SEAL_KEY_FILE",
        "",
        "a PKCS#12 file with a P-256 key and its certificate",
        "The key that seals signed documents. Empty: a development key in `DATA_DIR`.",
        text,
        _FILES,
    ),
    Variable("POA_SEAL_PASSPHRASE", "", "a text", "The passphrase of `POA_SEAL_KEY_FILE`.", text, _FILES),
    Variable(
        "POA_SEAL_TIMESTAMP_URL",
        "",
        "an http or https URL",
        "Time-stamping authority (RFC 3161) for sealed documents. Empty: no time stamps. While it cannot be reached, "
        "documents are sealed without a time stamp and stamped later.",
        url_with("http", "https"),
        _FILES,
    ),
    Variable(
        "POA_SEAL_TIMESTAMP_CA_FILE",
        "",
        "a PEM file with certificates",
        "Certificate authorities accepted for time stamps. Empty: any server that answers at the URL is trusted.",
        text,
        _FILES,
    ),
    Variable(
        "POA_SEAL_LONG_TERM",
        "no",
        "yes or no",
        "Whether sealed documents include the revocation status (OCSP or CRL) of the seal's certificate, so that they "
        "can still be verified when its issuer is gone. For a purchased certificate, with its chain in "
        "`POA_SEAL_KEY_FILE`. The status is fetched in advance: no signature waits for it.",
        switch,
        _FILES,
    ),
    Variable(
        "EMAIL_URL",
        "",
        "smtp://…, smtp+tls://…, smtp+ssl://…, consolemail:// or filemail:///…",
        "The mail server. Empty: files in `DATA_DIR`, and a line on the terminal. In user name and password, write / "
        "as %2F, @ as %40, # as %23, ? as %3F and % as %25.",
        mail_url,
        _MAIL,
    ),
    Variable(
        "MAIL_CATCHER_ALLOWED",
        "no",
        "yes or no",
        "Whether production may start although `EMAIL_URL` is a mail catcher, which shows mails and sends none. For a "
        "trial without customers.",
        switch,
        _MAIL,
    ),
    Variable(
        "MAIL_FROM",
        "Switchyard <no-reply@localhost>",
        "a mail address, with or without a name before it",
        "The sender of our mails. Put a name with a character such as @ or a comma in quotation marks: "
        '`"Sun@Home" <no-reply@example.com>`.',
        mail_address,
        _MAIL,
    ),
    Variable(
        "MAIL_WEBHOOK_SECRET",
        "",
        f"one or two random texts of at least {MIN_SECRET_LENGTH} characters, separated by a comma",
        "Verifies the mail provider's bounce reports. Two while it is being rotated. Empty: the endpoint is off.",
        secret_words,
        _MAIL,
    ),
    Variable(
        "LIGHT_API_URL",
        "http://127.0.0.1:8001",
        "Light's host without a path, such as https://api.light.dev",
        "The address of Light's API, or of the stand-in for it.",
        host_url,
        _LIGHT,
    ),
    Variable(
        "LIGHT_APP_TOKEN",
        "sim-app-token",
        "the app token from Light's dashboard",
        "The secret that identifies us to Light. It also decides between sandbox and live.",
        required_text,
        _LIGHT,
    ),
    Variable(
        "LIGHT_WEBHOOK_SECRET",
        "",
        "the secret from Light's dashboard; two separated by a comma while it is being rotated",
        "Verifies Light's webhooks. Empty: the endpoint is off, and polling finds the news.",
        words,
        _LIGHT,
    ),
    Variable(
        "LIGHT_DIALECT",
        "reference",
        "reference, alternate, or the path of a TOML file",
        "How Light's API is spoken where its documentation leaves questions open. See "
        "[light-dialect.md](light-dialect.md).",
        required_text,
        _LIGHT,
    ),
    Variable(
        "LIGHT_PROXY_URL",
        "",
        "a URL such as http://proxy.example:3128, with user:password@ where the proxy asks for them",
        "Proxy for all calls to Light and for plan documents. Empty: no proxy. `HTTPS_PROXY` and similar variables "
        "have no effect.",
        proxy_url,
        _LIGHT,
    ),
    Variable(
        "LIGHT_CA_FILE",
        "",
        "a PEM file with certificates",
        "Certificate authorities accepted for Light and for plan documents, where a proxy inspects TLS connections. "
        "Empty: the usual ones.",
        certificates_file,
        _LIGHT,
    ),
    Variable(
        "LIGHT_CALLS_PER_SECOND",
        "0",
        "a number from 0 to 1000, such as 5 or 0.5",
        "How many calls per second Light allows our app, over all processes together. Calls are then spaced evenly, "
        "the most urgent case first, and slow down for a while after a 429. 0: no known limit.",
        rate(1000),
        _LIGHT,
    ),
    Variable(
        "LIGHT_HOSTED_ORIGINS",
        "https://flow.light.dev",
        "comma-separated URLs without a path",
        "Where customers may be sent for Light's own pages (identity, credit, card), besides the host of "
        "`LIGHT_API_URL`.",
        origins,
        _LIGHT,
    ),
    Variable(
        "LIGHT_DOCUMENT_ORIGINS",
        "",
        "comma-separated URLs without a path",
        "Where plan documents (EFL, TOS, YRAC) may be downloaded from, besides the host of `LIGHT_API_URL`. A document "
        "from anywhere else is not downloaded, and its case says so.",
        origins,
        _LIGHT,
    ),
    Variable(
        "LIGHT_WRITES_ALLOWED_FOR",
        "",
        "a database's location, as the alarm `WRITES_OFF` shows it",
        "The one database that may write to Light. Empty: the location where it was first used. A copy anywhere else "
        "only reads.",
        text,
        _LIGHT,
    ),
    Variable(
        "STRICT_ESI_IDS",
        "no",
        "yes or no",
        "Whether to refuse ESI IDs that do not begin with 10, such as Light's test numbers.",
        switch,
        _LIGHT,
        production_default="yes",
    ),
)

VARIABLES: dict[str, Variable] = {variable.name: variable for variable in _TABLE}
