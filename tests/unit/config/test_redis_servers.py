from pathlib import Path

import pytest

from config.redis_servers import redis_server


def test_url_without_tls_is_unchanged() -> None:
    server = redis_server("redis://:secret@redis:6379/2")

    assert (server.url, server.tls, server.is_unverified) == ("redis://:secret@redis:6379/2", {}, False)


def test_tls_is_verified_by_default(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("certificates")

    server = redis_server("rediss://redis/0?client_name=web", ca_file=str(authority))

    assert server.url == "rediss://redis/0?client_name=web"
    assert server.tls == {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": str(authority)}
    assert not server.is_unverified


@pytest.mark.parametrize("option", ["ssl_cert_reqs=CERT_NONE", "ssl_cert_reqs=none", "ssl_check_hostname=false"])
def test_unverified_connection_is_reported(option: str) -> None:
    assert redis_server(f"rediss://redis/0?{option}").is_unverified


@pytest.mark.parametrize(
    "url",
    [
        "rediss://redis/0?ssl_cert_reqs=perhaps",
        "rediss://redis/0?ssl_cert_req=none",
        "rediss://redis/0?ssl_ca_certs=/missing/ca.pem",
        "redis://redis/0?ssl_cert_reqs=required",
        "redis:///0",
        "http://redis/0",
    ],
)
def test_setting_neither_library_understands_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        redis_server(url)
