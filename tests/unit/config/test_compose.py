"""
No container engine runs where the tests do, so this checks what can be checked without one: the shape of

`docker-compose.yml`, and that every name in it and in the `Dockerfile` exists.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import redis
import yaml
from django.core.management import get_commands, load_command_class

from config.celery import app
from config.environment import VARIABLES

ROOT = Path(__file__).resolve().parents[3]
IMAGE_OWN_VARIABLES = {"DJANGO_SETTINGS_MODULE", "PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
TEXTS = {"type": "array", "items": TEXT}
DURATION = {"type": "string", "pattern": r"^([0-9]+(ms|s|m|h))+$"}
SERVICE_NAME = r"^[a-z][a-z0-9_-]*$"
HEALTH_CHECK = {
    "type": "object",
    "additionalProperties": False,
    "oneOf": [{"required": ["test"]}, {"required": ["disable"]}],
    "properties": {
        "test": {
            "type": "array",
            "minItems": 2,
            "items": TEXT,
            "prefixItems": [{"enum": ["CMD", "CMD-SHELL"]}],
        },
        "disable": {"const": True},
        "interval": DURATION,
        "timeout": DURATION,
        "start_period": DURATION,
        "retries": {"type": "integer", "minimum": 1},
    },
}
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["healthcheck", "restart", "image"],
    "properties": {
        "build": {"const": "."},
        "image": {"type": "string", "pattern": r"^(switchyard|[a-z0-9./-]+:[a-z0-9.-]*[0-9][a-z0-9.-]*)$"},
        "command": TEXTS,
        "entrypoint": TEXTS,
        "env_file": TEXTS,
        "environment": {"type": "object", "additionalProperties": TEXT},
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^127\.0\.0\.1:[0-9]+:[0-9]+$"}},
        "volumes": {"type": "array", "items": {"type": "string", "pattern": r"^[a-z0-9]+:/[a-z0-9/]+$"}},
        "tmpfs": TEXTS,
        "cap_drop": TEXTS,
        "security_opt": TEXTS,
        "read_only": {"type": "boolean"},
        "restart": {"enum": ["no", "unless-stopped"]},
        "shm_size": {"type": "string", "pattern": "^[0-9]+mb$"},
        "stop_grace_period": DURATION,
        "healthcheck": HEALTH_CHECK,
        "profiles": TEXTS,
        "depends_on": {
            "type": "object",
            "propertyNames": {"pattern": SERVICE_NAME},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["condition"],
                "properties": {
                    "condition": {"enum": ["service_started", "service_healthy", "service_completed_successfully"]}
                },
            },
        },
    },
}
COMPOSE_FILE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "services", "volumes"],
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": TEXT,
        "services": {"type": "object", "propertyNames": {"pattern": SERVICE_NAME}, "additionalProperties": SERVICE},
        "volumes": {"type": "object", "additionalProperties": {"type": "null"}},
    },
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def test_compose_file_matches_the_compose_schema(compose: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(COMPOSE_FILE)

    jsonschema.Draft202012Validator(COMPOSE_FILE).validate(compose)


def test_every_production_service_is_defined(services: dict[str, dict[str, Any]]) -> None:
    ours = {"roles", "migrate", "web", "worker", "scheduler", "backup"}
    assert set(services) == ours | {"postgres", "redis", "s3", "mail"}


def test_services_wait_only_for_existing_services(services: dict[str, dict[str, Any]]) -> None:
    awaited = {name for service in services.values() for name in service.get("depends_on", {})}

    assert awaited <= set(services)


def test_services_use_only_named_volumes(compose: dict[str, Any]) -> None:
    used = {volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", [])}

    assert used == set(compose["volumes"])


def test_redis_persists_its_data(services: dict[str, dict[str, Any]]) -> None:
    command = " ".join(services["redis"]["command"])

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_our_services_run_without_privileges(services: dict[str, dict[str, Any]]) -> None:
    ours = [service for service in services.values() if service["image"] == "switchyard"]

    assert len(ours) == 6
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in ours)


def test_every_started_manage_command_exists(services: dict[str, dict[str, Any]]) -> None:
    commands = [" ".join(service["command"]) for service in services.values() if "command" in service]

    started = {name for command in commands for name in re.findall(r"manage\.py (\w+)", command)}

    assert started == {"backup", "load_poa_wording", "migrate", "prepare_storage"}
    assert started <= set(get_commands())


@pytest.mark.parametrize(("service", "subcommand"), [("worker", "worker"), ("scheduler", "beat")])
def test_celery_accepts_its_command_line(services: dict[str, dict[str, Any]], service: str, subcommand: str) -> None:
    from celery.bin.celery import celery as celery_command

    program, option, where, name, *arguments = services[service]["command"]

    assert (program, option, where, name) == ("celery", "--app", "config", subcommand)
    context = celery_command.commands[name].make_context(name, list(arguments), resilient_parsing=False, obj=_Obj())
    assert not context.args


class _Obj:
    """What Celery's command line passes to its subcommands, as far as parsing their options needs it."""

    app = app
    quiet = True
    no_color = True


def test_gunicorn_accepts_its_command_line() -> None:
    from gunicorn.config import Config

    program, *arguments = _image_command()
    parsed = Config().parser().parse_args(arguments)

    assert program == "gunicorn"
    assert parsed.args == ["config.wsgi"]
    assert parsed.bind == ["0.0.0.0:8000"]
    assert (ROOT / "config" / "wsgi.py").exists()


def test_every_compose_setting_is_one_of_ours(services: dict[str, dict[str, Any]]) -> None:
    ours = [service for service in services.values() if service["image"] == "switchyard"]

    of_psql = {"PGHOST", "PGUSER", "PGDATABASE", "PGPASSWORD", "POSTGRES_OWNER_PASSWORD", "POSTGRES_APP_PASSWORD"}
    assert {name for service in ours for name in service["environment"]} <= set(VARIABLES) | of_psql


def test_example_settings_all_exist(compose: dict[str, Any]) -> None:
    named = set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    asked_for = set(re.findall(r"\$\{([A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))

    of_services = {"POSTGRES_PASSWORD", "POSTGRES_OWNER_PASSWORD", "POSTGRES_APP_PASSWORD", "REDIS_PASSWORD"}
    assert named <= set(VARIABLES) | of_services
    assert asked_for <= named


def test_image_copies_existing_files_without_tests_or_simulator() -> None:
    copied = [
        line.split()[1:-1] for line in _dockerfile() if line.startswith("COPY ") and not line.startswith("COPY --from")
    ]
    sources = {source for line in copied for source in line}
    admitted = set(re.findall(r"^!([\w./-]+?)/?$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))

    assert all((ROOT / source).exists() for source in sources)
    assert sources == admitted
    assert sources.isdisjoint({"tests", "simulator", "."})


def test_image_runs_as_an_unprivileged_user() -> None:
    assert "USER switchyard" in _dockerfile()


def test_image_database_programs_match_the_server_version(services: dict[str, dict[str, Any]]) -> None:
    [server] = re.findall(r"^postgres:([0-9]+)", services["postgres"]["image"])
    [client] = re.findall(r"postgresql-client-([0-9]+)", "\n".join(_dockerfile()))
    bases = {line.split()[1] for line in _dockerfile() if line.startswith("FROM ")}

    assert client == server
    assert bases == {"python:3.13-slim-trixie"}, "Debian 13 has PostgreSQL 17; another Debian has another one"


def test_backup_folder_is_writable_for_the_service(services: dict[str, dict[str, Any]]) -> None:
    [made] = [line for line in _dockerfile() if "install --directory" in line]

    for name in ("backup", "migrate"):
        assert "backups:/backups" in services[name]["volumes"]
    assert re.search(r"--owner switchyard --mode 0700 .*/backups", made)


def test_backup_command_line_is_valid(services: dict[str, dict[str, Any]]) -> None:
    program, script, name, *arguments = services["backup"]["command"]

    parsed = load_command_class("operations", name).create_parser(script, name).parse_args(arguments)

    assert program == "python"
    assert (parsed.into, parsed.every, parsed.keep) == (Path("/backups"), 24, 14)


def test_only_migrate_and_restore_own_the_tables(services: dict[str, dict[str, Any]]) -> None:
    roles = {
        name: urlsplit(service["environment"]["DATABASE_URL"].replace(":?", "")).username
        for name, service in services.items()
        if service["image"] == "switchyard"
    }

    assert roles.pop("migrate") == "switchyard_owner"
    assert set(roles.values()) == {"switchyard_app"}
    assert services["postgres"]["environment"]["POSTGRES_USER"] not in {"switchyard_owner", "switchyard_app"}


def test_mail_catcher_starts_only_for_a_trial(services: dict[str, dict[str, Any]]) -> None:
    assert services["mail"]["profiles"] == ["trial"]
    assert all("profiles" not in service for name, service in services.items() if name != "mail")


def test_temporary_files_are_bounded(services: dict[str, dict[str, Any]]) -> None:
    ours = [service for service in services.values() if service["image"] == "switchyard"]

    assert all(re.search(r"^/tmp:.*\bsize=[0-9]+m", service["tmpfs"][0]) for service in ours)


def test_pages_answer_local_health_checks_and_collectors(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        if service["image"] == "switchyard":
            assert service["environment"]["ALLOWED_HOSTS"].endswith(",localhost,web")


def test_compose_redis_requires_its_password(services: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("There is no redis-server here. Debian: apt install redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    entrypoint = tmp_path / "docker-entrypoint.sh"
    entrypoint.write_text(f'#!/bin/sh\nexec "$@" --bind 127.0.0.1 --port {port} --dir {tmp_path}\n')
    entrypoint.chmod(0o755)
    started = [each.replace("$$", "$") for each in (*services["redis"]["entrypoint"], *services["redis"]["command"])]
    check = services["redis"]["healthcheck"]["test"][1].replace("$$", "$").replace("redis-cli", f"redis-cli -p {port}")
    path = f"{tmp_path}:{os.environ['PATH']}"
    process = subprocess.Popen(  # noqa: S603 - the command of our own file
        started,
        env={"PATH": path, "REDIS_PASSWORD": "opens-a-test"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # a shell in front of the server ends without it
    )

    def is_healthy(password: str) -> bool:
        done = subprocess.run(  # noqa: S603
            ["sh", "-c", check],  # noqa: S607
            env={"PATH": path, "REDIS_PASSWORD": password},
            check=False,
            capture_output=True,
        )
        return done.returncode == 0

    try:
        deadline = time.monotonic() + 30
        while not is_healthy("opens-a-test"):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        assert not is_healthy("another")
        arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"opens-a-test" not in arguments
        with redis.Redis(port=int(port)) as nobody, pytest.raises(redis.exceptions.AuthenticationError):
            nobody.ping()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def _dockerfile() -> list[str]:
    return (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()


def _image_command() -> list[str]:
    (line,) = [line for line in _dockerfile() if line.startswith("CMD [")]
    parsed: list[str] = yaml.safe_load(line.removeprefix("CMD "))
    assert shlex.join(parsed)
    return parsed
