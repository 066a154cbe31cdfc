"""Parsers of the values of environment variables: each takes a text and raises `WrongShape` when it cannot be used."""

import base64
import binascii
import re
import ssl
from collections.abc import Callable
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.mail.message import sanitize_address

from config.redis_servers import redis_server

MIN_SECRET_LENGTH = 32


class WrongShape(Exception):
    """The value cannot be used as it is."""


def text(value: str) -> str:
    return value.strip()


def required_text(value: str) -> str:
    if not value.strip():
        raise WrongShape
    return value.strip()


def words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def host_names(value: str) -> list[str]:
    names = words(value)
    if not names or not all(re.fullmatch(r"\*|\.?[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:]+\]", name) for name in names):
        raise WrongShape
    return names


def switch(value: str) -> bool:
    lowered = value.strip().lower()
    if lowered not in {"0", "1", "true", "false", "yes", "no", "on", "off"}:
        raise WrongShape
    return lowered in {"1", "true", "yes", "on"}


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value.strip()) or not lowest <= int(value) <= highest:
            raise WrongShape
        return int(value)

    return parse


def rate(highest: int) -> Callable[[str], float]:
    def parse(value: str) -> float:
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,4})?", value.strip()) or float(value) > highest:
            raise WrongShape
        return float(value)

    return parse


def host_url(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise WrongShape
    if parts.path.strip("/") or parts.port == 0:
        raise WrongShape
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
        raise WrongShape from problem
    if parts.scheme not in {"http", "https"} or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise WrongShape
    return value.rstrip("/")


def certificates_file(value: str) -> str:
    if value:
        try:
            certificates = ssl.create_default_context(cafile=value).get_ca_certs()
        except (OSError, ssl.SSLError) as problem:
            raise WrongShape from problem
        if not certificates:
            raise WrongShape
    return value


def origins(value: str) -> list[str]:
    return [host_url(word) for word in words(value)]


WITHOUT_HOST = frozenset({"memory", "sqlite", "postgres", "postgresql", "consolemail", "filemail"})


def url_with(*schemes: str) -> Callable[[str], str]:
    """Accept a URL that parses as a whole: a / in a password that is not written as %2F would end the host early."""

    def parse(value: str) -> str:
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in schemes or parts.port == 0 or parts.fragment:
            raise WrongShape
        if not parts.hostname and parts.scheme not in WITHOUT_HOST:
            raise WrongShape
        return value

    return parse


def mail_url(value: str) -> str:
    """Check the URL with the same parser that the mail settings are built by."""
    checked = url_with("smtp", "smtps", "smtp+tls", "smtp+ssl", "consolemail", "filemail")(value)
    if checked:
        environ.Env.email_url_config(checked)
    return checked


def database_url(value: str) -> str:
    checked = url_with("postgres", "postgresql", "sqlite")(value)
    if checked and not environ.Env.db_url_config(checked).get("NAME"):
        raise WrongShape
    return checked


def redis_url(value: str) -> str:
    if value:
        redis_server(value)
    return value


def broker_url(value: str) -> str:
    return value if urlsplit(value).scheme == "memory" else redis_url(value)


def existing_file(value: str) -> str:
    if value and not Path(value).is_file():
        raise WrongShape
    return value


def mail_address(value: str) -> str:
    """Accept a sender that Django can put into a mail; a name with a character such as @ or , needs quotation marks."""
    address = parseaddr(value)[1]
    if "\n" in value or not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)*", address):
        raise WrongShape
    sanitize_address(value.strip(), "utf-8")  # a ValueError when the mail could not be made
    return value.strip()


def secret(value: str) -> str:
    if len(value) < MIN_SECRET_LENGTH:
        raise WrongShape
    return value


def secret_words(value: str) -> list[str]:
    return [secret(word) for word in words(value)]


def encryption_keys(value: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for word in words(value):
        key_id, _, encoded = word.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error as problem:
            raise WrongShape from problem
        if not re.fullmatch(r"[a-z0-9-]{1,20}", key_id) or len(key) != 32 or key_id in keys:
            raise WrongShape
        keys[key_id] = key
    if not keys:
        raise WrongShape
    return keys


def one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.strip().upper() not in allowed:
            raise WrongShape
        return value.strip().upper()

    return parse


def matching(value: str, pattern: str) -> str:
    if not re.fullmatch(pattern, value):
        raise WrongShape
    return value
