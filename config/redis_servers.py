"""
How a Redis is reached: read once from its URL, for Celery's broker, the cache and whatever else speaks to one.

Celery and redis-py spell the same options differently and have different defaults. Over `rediss://` a server is
verified, authority and host name, unless the URL says `ssl_cert_reqs=none`.
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
    """The URL without options of TLS, and those options as redis-py's connections take them; none without TLS."""

    url: str
    tls: dict[str, Any]

    @property
    def is_unverified(self) -> bool:
        return self.tls.get("ssl_cert_reqs") in {"none", "optional"} or self.tls.get("ssl_check_hostname") is False


def redis_server(url: str, *, ca_file: str = "") -> RedisServer:
    """
    Read a URL; `ca_file` names the authorities where the URL names none, and empty means those of the machine.

    :raises ValueError: no URL of a Redis, an option of TLS that is unknown or without TLS, or a file that is not there
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname or parts.port == 0:
        raise ValueError("not a URL of a Redis")
    options = parse_qsl(parts.query, keep_blank_values=True)
    tls: dict[str, Any] = dict(_tls_option(name, value) for name, value in options if name.startswith("ssl"))
    rest = urlencode([(name, value) for name, value in options if not name.startswith("ssl")])
    plain = urlunsplit((parts.scheme, parts.netloc, parts.path, rest, ""))
    if parts.scheme == "redis":
        if tls:
            raise ValueError("options of TLS without rediss://")
        return RedisServer(plain, {})
    tls = {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **tls}
    if ca_file and "ssl_ca_certs" not in tls:
        tls["ssl_ca_certs"] = ca_file
    if tls["ssl_cert_reqs"] == "none":
        tls["ssl_check_hostname"] = False
    for name in FILES & tls.keys():
        if not Path(tls[name]).is_file():
            raise ValueError(f"{name} names no file")
    return RedisServer(plain, tls)


def _tls_option(name: str, value: str) -> tuple[str, Any]:
    """:raises ValueError: unknown, or with an unknown value"""
    if name == "ssl_cert_reqs" and value.lower() in REQUIREMENTS:
        return name, REQUIREMENTS[value.lower()]
    if name == "ssl_check_hostname" and value.lower() in {"true", "false"}:
        return name, value.lower() == "true"
    if name in FILES and value:
        return name, value
    raise ValueError(f"{name} is not understood")
