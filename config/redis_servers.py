"""
Connection options of a Redis server, parsed once from its URL for Celery's broker and the cache.

Celery and redis-py spell the same options differently and have different defaults. With `rediss://` the server's
certificate and host name are verified, unless the URL has `ssl_cert_reqs=none`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

REQUIREMENTS = {
    "required": "required",
    "cert_required": "required",
    "optional": "optional",
    "cert_optional": "optional",
    "none": "none",
    "cert_none": "none",
}
FILES = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
SCHEMES = frozenset({"redis", "rediss"})


@dataclass(frozen=True)
class RedisServer:
    """The URL without TLS options, and those options as redis-py takes them; empty without TLS."""

    url: str
    tls: dict[str, Any]

    @property
    def is_unverified(self) -> bool:
        return self.tls.get("ssl_cert_reqs") in {"none", "optional"} or self.tls.get("ssl_check_hostname") is False


def redis_server(url: str, *, ca_file: str = "") -> RedisServer:
    """
    Parse a URL. `ca_file` applies where the URL has no `ssl_ca_certs`; empty means the authorities of the machine.

    :raises ValueError: not a Redis URL, an unknown TLS option or one without TLS, or a file that does not exist
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname or parts.port == 0:
        raise ValueError("not a Redis URL")
    options = parse_qsl(parts.query, keep_blank_values=True)
    tls: dict[str, Any] = dict(_tls_option(name, value) for name, value in options if name.startswith("ssl"))
    rest = urlencode([(name, value) for name, value in options if not name.startswith("ssl")])
    plain = urlunsplit((parts.scheme, parts.netloc, parts.path, rest, ""))
    if parts.scheme == "redis":
        if tls:
            raise ValueError("TLS options without rediss://")
        return RedisServer(plain, {})
    tls = {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **tls}
    if ca_file and "ssl_ca_certs" not in tls:
        tls["ssl_ca_certs"] = ca_file
    if tls["ssl_cert_reqs"] == "none":
        tls["ssl_check_hostname"] = False
    for name in FILES & tls.keys():
        if not Path(tls[name]).is_file():
            raise ValueError(f"{name} is not an existing file")
    return RedisServer(plain, tls)


def _tls_option(name: str, value: str) -> tuple[str, Any]:
    """:raises ValueError: unknown, or with an unknown value"""
    if name == "ssl_cert_reqs" and value.lower() in REQUIREMENTS:
        return name, REQUIREMENTS[value.lower()]
    if name == "ssl_check_hostname" and value.lower() in {"true", "false"}:
        return name, value.lower() == "true"
    if name in FILES and value:
        return name, value
    raise ValueError(f"{name} is not a known TLS option or has an unknown value")
