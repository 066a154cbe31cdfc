"""What production refuses: settings that work on one machine only, and secrets that anyone could guess."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from config.environment.shapes import MIN_SECRET_LENGTH
from config.environment.variables import VARIABLES

Read = Callable[[str], Any]
Problem = tuple[str, str]
"""The name of a variable, and what is wrong with it: "it must …"."""

MAIL_CATCHERS = frozenset({"mailpit", "mailhog", "mailcatcher", "maildev", "inbucket", "smtp4dev"})
MAIL_CATCHER_PORTS = frozenset({1025, 2525})


def production_problems(read: Read) -> Iterator[Problem]:
    yield from _addresses(read)
    yield from _services(read)
    yield from _mail(read)
    yield from _defaults_left(read, "MAIL_FROM")
    yield from _guessable_secrets(read)


def _addresses(read: Read) -> Iterator[Problem]:
    hosts = read("ALLOWED_HOSTS")
    return _broken(
        ("SITE_URL", read("SITE_URL").startswith("https://"), "it must begin with https://"),
        ("LIGHT_API_URL", read("LIGHT_API_URL").startswith("https://"), "it must begin with https://"),
        ("ALLOWED_HOSTS", urlsplit(read("SITE_URL")).hostname in hosts, "it must contain the host of SITE_URL"),
        ("ALLOWED_HOSTS", "*" not in hosts, "it must name the hosts, not *"),
    )


def _services(read: Read) -> Iterator[Problem]:
    return _broken(
        (
            "DATABASE_URL",
            read("DATABASE_URL").startswith("postgres"),
            "it must be postgres://user:password@host:5432/name",
        ),
        (
            "CELERY_BROKER_URL",
            read("CELERY_BROKER_URL").startswith("redis"),
            "it must be redis://host:6379/0 or rediss://…, because web and workers are separate processes",
        ),
        (
            "STORAGE_S3_BUCKET",
            bool(read("STORAGE_S3_BUCKET")),
            "it must name a private bucket, because signed documents must not be on one machine's disk only",
        ),
        (
            "POA_SEAL_KEY_FILE",
            bool(read("POA_SEAL_KEY_FILE")),
            f"it must be {VARIABLES['POA_SEAL_KEY_FILE'].shape}; “manage.py seal new” makes one",
        ),
    )


def _mail(read: Read) -> Iterator[Problem]:
    return _broken(
        (
            "EMAIL_URL",
            read("EMAIL_URL").startswith("smtp"),
            "it must be smtp://user:password@host:port, smtp+tls://… or smtp+ssl://…",
        ),
        (
            "EMAIL_URL",
            read("MAIL_CATCHER_ALLOWED") or not _is_mail_catcher(read("EMAIL_URL")),
            "it is a mail catcher, which sends nothing; use a real server, or for a trial MAIL_CATCHER_ALLOWED=yes",
        ),
    )


def _is_mail_catcher(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.port in MAIL_CATCHER_PORTS or not MAIL_CATCHERS.isdisjoint((parts.hostname or "").split("."))
    except ValueError:
        return False  # the shape of EMAIL_URL has been reported already


def _defaults_left(read: Read, *names: str) -> Iterator[Problem]:
    for name in names:
        if read(name) == VARIABLES[name].default:
            yield name, f"it still has the default; it must be {VARIABLES[name].shape} of the installer"


def _guessable_secrets(read: Read) -> Iterator[Problem]:
    return _broken(
        (
            "SECRET_KEY",
            not _is_guessable(read("SECRET_KEY"), min_length=50),
            "it must be a random text of at least 50 characters",
        ),
        (
            "FIELD_ENCRYPTION_KEYS",
            all(len(set(key)) >= 16 for key in read("FIELD_ENCRYPTION_KEYS").values()),
            "each key must be base64 of 32 random bytes",
        ),
        (
            "LIGHT_APP_TOKEN",
            not _is_guessable(read("LIGHT_APP_TOKEN"), min_length=16),
            "it must be the app token from Light's dashboard",
        ),
        (
            "MAIL_WEBHOOK_SECRET",
            not any(_is_guessable(secret, min_length=MIN_SECRET_LENGTH) for secret in read("MAIL_WEBHOOK_SECRET")),
            f"it must be a random text of at least {MIN_SECRET_LENGTH} characters",
        ),
        (
            "LIGHT_WEBHOOK_SECRET",
            not any(_is_guessable(secret, min_length=16) for secret in read("LIGHT_WEBHOOK_SECRET")),
            "it must be the secret from Light's dashboard",
        ),
    )


def _is_guessable(secret: str, *, min_length: int) -> bool:
    lowered = secret.lower()
    return (
        len(secret) < min_length
        or len(set(secret)) < 10
        or any(
            word in lowered for word in ("insecure", "change-me", "changeme", "example", "nothing", "password", "sim-")
        )
    )


def _broken(*rules: tuple[str, bool, str]) -> Iterator[Problem]:
    """Yield the rules that do not hold, each given as variable, whether it holds, and what it must be."""
    return ((name, problem) for name, holds, problem in rules if not holds)
