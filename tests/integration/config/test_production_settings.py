"""What production's settings promise to browsers, read from a process that started with them."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests.unit.config.production_environment import ROOT, production_environment

NAMES = (
    "SESSION_COOKIE_NAME",
    "SESSION_COOKIE_SECURE",
    "SESSION_COOKIE_HTTPONLY",
    "SESSION_COOKIE_SAMESITE",
    "CSRF_COOKIE_NAME",
    "CSRF_COOKIE_SECURE",
    "CSRF_COOKIE_HTTPONLY",
    "SECURE_SSL_REDIRECT",
    "SECURE_HSTS_SECONDS",
    "SECURE_HSTS_INCLUDE_SUBDOMAINS",
    "STRICT_ESI_IDS",
    "DEBUG",
)
PROGRAM = f"""
import json
import django
from django.conf import settings
django.setup()
print(json.dumps({{name: getattr(settings, name) for name in {NAMES}}}))
"""


def started_with(**changes: str) -> dict[str, Any]:
    inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    told = subprocess.run(  # noqa: S603 - our own interpreter and settings
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=inherited | production_environment() | changes,
        check=True,
        capture_output=True,
        text=True,
    )
    settings: dict[str, Any] = json.loads(told.stdout)
    return settings


@pytest.fixture(scope="module")
def production() -> dict[str, Any]:
    return started_with()


def test_sign_in_page_cookies_are_secure_and_http_only(
    production: dict[str, Any], settings: Settings, client: Client
) -> None:
    for name, value in production.items():
        setattr(settings, name, value)

    cookies = client.get("/field/sign-in/", secure=True).cookies

    assert set(cookies) == {"__Host-csrf"}
    assert all(cookie["secure"] and cookie["httponly"] and cookie["samesite"] == "Lax" for cookie in cookies.values())
    assert all(cookie["path"] == "/" and not cookie["domain"] for cookie in cookies.values())


def test_session_cookie_is_secure_and_http_only(production: dict[str, Any]) -> None:
    assert production["SESSION_COOKIE_NAME"].startswith("__Host-")
    assert production["SESSION_COOKIE_SECURE"]
    assert production["SESSION_COOKIE_HTTPONLY"]
    assert production["SESSION_COOKIE_SAMESITE"] == "Lax"


def test_plain_http_redirects_to_https_with_hsts(
    production: dict[str, Any], settings: Settings, client: Client
) -> None:
    for name, value in production.items():
        setattr(settings, name, value)

    plain, safe = client.get("/field/sign-in/"), client.get("/field/sign-in/", secure=True)

    assert plain.status_code == 301
    assert plain["Location"].startswith("https://")
    assert safe["Strict-Transport-Security"].startswith("max-age=31536000; includeSubDomains")
    assert not production["DEBUG"]


def test_meters_are_checked_strictly_by_default(production: dict[str, Any]) -> None:
    assert production["STRICT_ESI_IDS"] is True
    assert started_with(STRICT_ESI_IDS="no")["STRICT_ESI_IDS"] is False
