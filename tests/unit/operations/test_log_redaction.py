import io
import logging
import re
import sys
import time
from typing import Any, cast

import pytest
from django.conf import settings
from django.test import Client
from gunicorn.config import Config

from operations.gunicorn_log import GunicornLogger
from operations.log_redaction import (
    LINE_FORMAT,
    MAX_LINE_LENGTH,
    REDACTED,
    RedactingFormatter,
    SuspiciousRequestFilter,
    without_secrets,
)

API_KEY = "swy_4kq9ZrT7mLw2KcB8nHj5YsD1f0xBtYuW3mKpHgRLaEo"
LINK = "Zq3Nf0xB-_uYt7WmKc2HgRLpEo8SdVjA5iTlXyQwM4b"


def escaped(text: str) -> str:
    return "".join(f"%{ord(character):02X}" for character in text)


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("Not Found: /portal/sign/3q9ZrT7mLw2KcB8nHj5YsD1f/", "3q9ZrT7mLw2KcB8nHj5YsD1f"),
        ("Bad Request: /portal/3q9ZrT7mLw2KcB8nHj5YsD1f?step=2", "3q9ZrT7mLw2KcB8nHj5YsD1f"),
        ("headers {'Authorization': 'Bearer abc.def.ghi'}", "abc.def.ghi"),
        ("Authorization: Token 0123456789abcdef0123456789abcdef01234567", "0123456789abcdef0123456789abcdef01234567"),
        (f"Authorization: Token {API_KEY}", API_KEY[4:]),
        (f"{API_KEY} was sent as a name", API_KEY[4:]),
        (f"Not Found: /api/v1/{API_KEY}/", API_KEY[4:]),
        (f"Not Found: /?key={API_KEY.replace('_', '%5F')}", API_KEY[4:]),
        (f"Not Found: /{API_KEY.upper()}", API_KEY[4:].upper()),
        (f"{{'authorization': b'{API_KEY[:20]}'}}", API_KEY[4:20]),
        ("GET https://flow.light.dev/?token=0123456789abcdef&scope=enrollment", "0123456789abcdef"),
        ("could not connect to postgres://switchyard:hunter22@db:5432/switchyard", "hunter22"),
        ("KeyError: 'x' in {'token': '3q9ZrT7mLw2KcB8nHj5YsD1f'}", "3q9ZrT7mLw2KcB8nHj5YsD1f"),
        ('{"token": "3q9ZrT7mLw2KcB8nHj5YsD1f"}', "3q9ZrT7mLw2KcB8nHj5YsD1f"),
        ("redis://:hunter22@redis:6379/0 refused", "hunter22"),
        (f"Not Found: /portal/ {LINK}/", LINK),
        (f"Not Found: /portal/%20{LINK}/", LINK),
        (f"Not Found: /Portal/{LINK}/", LINK),
        (f"Not Found: /portal%2F{LINK}/", LINK),
        (f"Not Found: /{LINK}", LINK),
        (f"Not Found: //switchyard.example/x/{LINK}.", LINK),
        (f"Not Found: /portal/3D{LINK}/", LINK),
        (f"Not Found: /portal/{LINK[:20]} {LINK[20:]}/", LINK[20:]),
        (f"Not Found: /portal/{LINK[:20]} {LINK[20:]}/", LINK[:20]),
        (f"Not Found: /nowhere/{escaped(LINK)}/", escaped(LINK)),
        (f"'click <{LINK}>'", LINK),
    ],
)
def test_secret_does_not_reach_the_log(line: str, secret: str) -> None:
    shown = without_secrets(line)

    assert secret not in shown
    assert REDACTED in shown


@pytest.mark.parametrize(
    "line",
    [
        "Not Found: /portal/help/",
        "The key swy_4kq9Zr… of Sales CRM was revoked",
        "enrollment 12 is due",
        "GET /v1/app/accounts 200",
        "account 0f8fad5b-d9cb-469f-a165-70867728950e was read",
        "sealed as e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "poa_documents.actions.lifecycle.check_authority_before_each_and_every_acceptance failed",
        "https://light.example/@someone",
    ],
)
def test_ordinary_line_is_unchanged(line: str) -> None:
    assert without_secrets(line) == line


@pytest.mark.parametrize(
    "part", ["a://:", ":", "/portal/", "portal/a", "%41", "token ", "://a", "bearer ", "A1b", "@", "swy_"]
)
def test_line_takes_time_proportional_to_its_length(part: str) -> None:
    """Anyone may write 64 kB of it, as an address or a host: measured against one simple pass over the line."""
    line = (part * 64_000)[:64_000]
    began = time.thread_time()
    re.sub(r"[a-z]+", lambda found: found[0], line)
    bare = time.thread_time() - began

    began = time.thread_time()
    without_secrets(line)

    assert time.thread_time() - began < 50 * max(bare, 0.005)


def test_long_line_is_cut_in_the_middle() -> None:
    record = logging.LogRecord("switchyard", logging.ERROR, __file__, 1, f"begin {'x' * 200_000} end", None, None)

    shown = RedactingFormatter().format(record)

    assert shown.startswith("begin x")
    assert shown.endswith("x end")
    assert len(shown) < MAX_LINE_LENGTH + 100


def test_traceback_is_filtered_too() -> None:
    try:
        int("Bearer abc.def.ghi")
    except ValueError:
        record = logging.LogRecord("switchyard", logging.ERROR, __file__, 1, "failed", None, sys.exc_info())

    shown = RedactingFormatter().format(record)

    assert "ValueError" in shown
    assert "abc.def.ghi" not in shown


def test_every_line_passes_through_the_filter() -> None:
    formatters = cast("dict[str, dict[str, Any]]", settings.LOGGING["formatters"])

    assert {formatter["()"] for formatter in formatters.values()} == {"operations.log_redaction.RedactingFormatter"}


def test_every_line_has_its_time_with_an_offset() -> None:
    record = logging.LogRecord("web", logging.INFO, "", 0, "Ready", (), None)
    record.created = 1_794_052_800.25  # the second hour of 01:00 in Chicago's night with two of them

    line = RedactingFormatter(LINE_FORMAT, style="{").format(record)

    assert line == "2026-11-07T12:00:00.250+00:00 INFO web: Ready"


def test_gunicorn_writes_the_same_lines(capfd: pytest.CaptureFixture[str]) -> None:
    log = GunicornLogger(Config())

    log.info("Listening at: %s", "http://0.0.0.0:8000")

    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00 INFO gunicorn\.error: Listening at: ", capfd.readouterr().err)


def test_suspicious_request_is_logged_as_one_line() -> None:
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    handler.setFormatter(RedactingFormatter(LINE_FORMAT, style="{"))
    handler.addFilter(SuspiciousRequestFilter())
    logger = logging.getLogger("django.security.DisallowedHost")
    logger.addHandler(handler)
    try:
        answer = Client().get("/field/sign-in/", headers={"host": "elsewhere.example"})
    finally:
        logger.removeHandler(handler)

    assert answer.status_code == 400
    assert len(shown.getvalue().splitlines()) == 1, shown.getvalue()


def test_filter_is_installed_where_lines_are_written() -> None:
    assert cast(Any, settings.LOGGING)["handlers"]["terminal"]["filters"] == ["refusals"]
