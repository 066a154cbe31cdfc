"""Broker and cache connect to a real Redis over TLS by the same rules: verified unless the operator says otherwise."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tls_redis import TlsRedis, tls_redis
from tests.unit.config.production_environment import ROOT, production_environment

pytestmark = pytest.mark.services
SECRETS = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "LIGHT_WEBHOOK_SECRET")
SECONDS_TO_WAIT = 180
TRY_BOTH = """
import json, django
django.setup()
from django.core.cache import cache
from config.celery import app

def outcome(act):
    try:
        return act()
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"

def send():
    app.send_task("config.sweep_files", retry=False)
    return "ok"

def count():
    cache.set("tries", 1, 60)
    return "ok" if cache.incr("tries") == 2 else "lost"

print(json.dumps({"broker": outcome(send), "cache": outcome(count)}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsRedis]:
    with tls_redis(tmp_path_factory.mktemp("tls-redis")) as started:
        yield started


def environment(folder: Path, **settings: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    secrets = {name: value for name, value in production_environment().items() if name in SECRETS}
    own = {"DJANGO_SETTINGS_MODULE": "config.settings.local", "DATA_DIR": str(folder / "data")}
    return inherited | secrets | own | settings


def python(folder: Path, program: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment(folder, **settings),
        check=False,
        capture_output=True,
        text=True,
    )


def outcomes(folder: Path, **settings: str) -> dict[str, str]:
    done = python(folder, TRY_BOTH, **settings)
    assert done.returncode == 0, done.stderr
    told: dict[str, str] = json.loads(done.stdout)
    return told


WELL = {"broker": "ok", "cache": "ok"}


def test_server_with_a_trusted_certificate_is_used(server: TlsRedis, tmp_path: Path) -> None:
    assert outcomes(tmp_path, CELERY_BROKER_URL=server.url(), REDIS_CA_FILE=str(server.ca_file)) == WELL


@pytest.mark.parametrize("required", ["CERT_REQUIRED", "required"])
def test_both_libraries_read_their_spellings_alike(server: TlsRedis, tmp_path: Path, required: str) -> None:
    url = server.url(options=f"?ssl_cert_reqs={required}&ssl_ca_certs={server.ca_file}")

    assert outcomes(tmp_path, CELERY_BROKER_URL=url) == WELL
    assert outcomes(tmp_path, CELERY_BROKER_URL=url, CACHE_URL=url) == WELL


def test_untrusted_certificate_is_refused_by_broker_and_cache(server: TlsRedis, tmp_path: Path) -> None:
    found = outcomes(tmp_path, CELERY_BROKER_URL=server.url())

    assert all("CERTIFICATE_VERIFY_FAILED" in told for told in found.values()), found


def test_certificate_for_another_host_is_refused(server: TlsRedis, tmp_path: Path) -> None:
    url = server.url("127.0.0.1")

    found = outcomes(tmp_path, CELERY_BROKER_URL=url, REDIS_CA_FILE=str(server.ca_file))

    assert all("not valid for" in told for told in found.values()), found


@pytest.mark.parametrize("none", ["CERT_NONE", "none"])
def test_operator_can_disable_verification_with_a_warning(server: TlsRedis, tmp_path: Path, none: str) -> None:
    url = server.url(options=f"?ssl_cert_reqs={none}")

    assert outcomes(tmp_path, CELERY_BROKER_URL=url) == WELL
    warned = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--tag", "security"],
        cwd=ROOT,
        env=environment(tmp_path, CELERY_BROKER_URL=url),
        check=False,
        capture_output=True,
        text=True,
    )
    assert "switchyard.W003" in warned.stderr


def test_worker_receives_messages_over_tls(server: TlsRedis, tmp_path: Path) -> None:
    celery = str(Path(sys.executable).with_name("celery"))
    own = environment(tmp_path, CELERY_BROKER_URL=server.url(), REDIS_CA_FILE=str(server.ca_file))
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=own, check=True)
    log = tmp_path / "worker.log"
    with log.open("ab") as written:
        worker = subprocess.Popen(  # noqa: S603 - found beside our own interpreter
            [celery, "--app", "config", "worker", "--concurrency", "1", "--loglevel", "INFO"],
            cwd=ROOT,
            env=own,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        python(tmp_path, TRY_BOTH, CELERY_BROKER_URL=server.url(), REDIS_CA_FILE=str(server.ca_file))
        deadline = time.monotonic() + SECONDS_TO_WAIT
        while "config.sweep_files" not in log.read_text():
            assert worker.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait(timeout=SECONDS_TO_WAIT)
