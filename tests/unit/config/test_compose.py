"""
No container engine runs where the tests do, so what can be said of the files without one is said here: the shape of
`docker-compose.yml`, and that every name in it and in the `Dockerfile` leads to something.
"""

import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from django.core.management import get_commands

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


def test_the_compose_file_has_the_shape_that_compose_reads(compose: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(COMPOSE_FILE)

    jsonschema.Draft202012Validator(COMPOSE_FILE).validate(compose)


def test_every_part_of_production_is_there(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {"migrate", "web", "worker", "scheduler", "postgres", "redis", "s3", "mail"}


def test_services_wait_only_for_services_that_exist(services: dict[str, dict[str, Any]]) -> None:
    awaited = {name for service in services.values() for name in service.get("depends_on", {})}

    assert awaited <= set(services)


def test_volumes_that_services_use_are_the_named_ones(compose: dict[str, Any]) -> None:
    used = {volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", [])}

    assert used == set(compose["volumes"])


def test_redis_keeps_what_it_was_given(services: dict[str, dict[str, Any]]) -> None:
    command = " ".join(services["redis"]["command"])

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_our_services_run_without_privileges(services: dict[str, dict[str, Any]]) -> None:
    ours = [service for service in services.values() if service["image"] == "switchyard"]

    assert len(ours) == 4
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in ours)


def test_every_manage_command_that_is_started_exists(services: dict[str, dict[str, Any]]) -> None:
    commands = [" ".join(service["command"]) for service in services.values() if "command" in service]

    started = {name for command in commands for name in re.findall(r"manage\.py (\w+)", command)}

    assert started == {"load_poa_wording", "migrate", "prepare_storage"}
    assert started <= set(get_commands())


@pytest.mark.parametrize(("service", "subcommand"), [("worker", "worker"), ("scheduler", "beat")])
def test_celery_understands_how_it_is_started(
    services: dict[str, dict[str, Any]], service: str, subcommand: str
) -> None:
    from celery.bin.celery import celery as celery_command

    program, option, where, name, *arguments = services[service]["command"]

    assert (program, option, where, name) == ("celery", "--app", "config", subcommand)
    context = celery_command.commands[name].make_context(name, list(arguments), resilient_parsing=False, obj=_Obj())
    assert not context.args


class _Obj:
    """What Celery's command line hands to its subcommands, as far as reading their options needs it."""

    app = app
    quiet = True
    no_color = True


def test_gunicorn_understands_how_it_is_started() -> None:
    from gunicorn.config import Config

    program, *arguments = _image_command()
    parsed = Config().parser().parse_args(arguments)

    assert program == "gunicorn"
    assert parsed.args == ["config.wsgi"]
    assert parsed.bind == ["0.0.0.0:8000"]
    assert (ROOT / "config" / "wsgi.py").exists()


def test_every_setting_in_the_compose_file_is_one_of_ours(services: dict[str, dict[str, Any]]) -> None:
    ours = [service for service in services.values() if service["image"] == "switchyard"]

    assert {name for service in ours for name in service["environment"]} <= set(VARIABLES)


def test_the_example_of_settings_names_only_settings_that_exist(compose: dict[str, Any]) -> None:
    named = set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    asked_for = set(re.findall(r"\$\{([A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))

    assert named <= set(VARIABLES) | {"POSTGRES_PASSWORD"}
    assert asked_for <= named


def test_what_the_image_copies_is_there_and_leaves_out_tests_and_stand_in() -> None:
    copied = [
        line.split()[1:-1] for line in _dockerfile() if line.startswith("COPY ") and not line.startswith("COPY --from")
    ]
    sources = {source for line in copied for source in line}
    admitted = set(re.findall(r"^!([\w./-]+?)/?$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))

    assert all((ROOT / source).exists() for source in sources)
    assert sources == admitted
    assert sources.isdisjoint({"tests", "simulator", "."})


def test_the_image_runs_as_nobody_special() -> None:
    assert "USER switchyard" in _dockerfile()


def _dockerfile() -> list[str]:
    return (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()


def _image_command() -> list[str]:
    (line,) = [line for line in _dockerfile() if line.startswith("CMD [")]
    parsed: list[str] = yaml.safe_load(line.removeprefix("CMD "))
    assert shlex.join(parsed)
    return parsed
