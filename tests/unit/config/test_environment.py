import ast
import traceback
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage

from config.dialect_and_seal_checks import read_light_dialect, seal_key_problems
from config.environment import VARIABLES, check_environment, check_production, read
from tests.unit.config.production_environment import ROOT, production_environment

WRONG_VALUES = [
    ("SITE_URL", "switchyard.example.com"),
    ("SITE_URL", "https://switchyard.example.com/office"),
    ("SITE_URL", "ftp://switchyard.example.com"),
    ("SITE_URL", "https://user:secret@switchyard.example.com"),
    ("SITE_URL", "http://127.0.0.1:99999"),
    ("ALLOWED_HOSTS", ","),
    ("ALLOWED_HOSTS", "https://switchyard.example.com"),
    ("TRUST_PROXY_HEADERS", "perhaps"),
    ("SECRET_KEY", "short"),
    ("FIELD_ENCRYPTION_KEYS", "one:c2hvcnQ="),
    ("FIELD_ENCRYPTION_KEYS", "not base64 at all"),
    ("FIELD_ENCRYPTION_KEYS", f"one:{'A' * 43}=,one:{'B' * 43}="),
    ("DATABASE_URL", "mysql://root@127.0.0.1/switchyard"),
    ("DATABASE_URL", "postgres://127.0.0.1:5432"),
    ("CELERY_BROKER_URL", "amqp://127.0.0.1"),
    ("CELERY_KEY_PREFIX", "has spaces"),
    ("SESSION_HOURS", "0"),
    ("SESSION_HOURS", "5.5"),
    ("SESSION_HOURS", "often"),
    ("SESSION_HOURS", "99999999999999999999"),
    ("STORAGE_S3_BUCKET", "Not A Bucket"),
    ("STORAGE_S3_ENDPOINT_URL", "s3:7070"),
    ("EMAIL_URL", "imap://mail.example.com"),
    ("EMAIL_URL", "smtp+tls://office:pa/ss-hush@mail.example.com:587"),
    ("EMAIL_URL", "smtp://office:pa#ss-hush@mail.example.com:587"),
    ("EMAIL_URL", "smtp://office:pa?ss-hush@mail.example.com:587"),
    ("EMAIL_URL", "smtp://office:hush@mail.example.com:mail"),
    ("EMAIL_URL", "smtp://office:hush@mail.example.com:99999"),
    ("EMAIL_URL", "smtp://"),
    ("EMAIL_URL", "smtp://[::1"),
    ("DATABASE_URL", "postgres://office:pa/ss-hush@127.0.0.1:5432/switchyard"),
    ("DATABASE_URL", "postgres://office:pa#ss-hush@127.0.0.1:5432/switchyard"),
    ("DATABASE_URL", "postgres://office:hush@127.0.0.1:port/switchyard"),
    ("CELERY_BROKER_URL", "redis://:pa/ss-hush@127.0.0.1:6379/0"),
    ("CELERY_BROKER_URL", "redis://:hush@127.0.0.1:port/0"),
    ("CELERY_BROKER_URL", "redis://"),
    ("CACHE_URL", "redis://:pa/ss-hush@127.0.0.1:6379/0"),
    ("POA_SEAL_TIMESTAMP_URL", "https://office:pa/ss-hush@tsa.example.com"),
    ("POA_SEAL_TIMESTAMP_URL", "https://"),
    ("MAIL_FROM", "nobody"),
    ("MAIL_FROM", "Sun@Home <no-reply@example.com>"),
    ("MAIL_FROM", "Sun, Inc. <no-reply@example.com>"),
    ("MAIL_FROM", "no-reply@example.com <office>"),
    ("MAIL_FROM", "Sun <no-reply@example.com> office"),
    ("MAIL_FROM", "Sun <no-reply@example..com>"),
    ("LIGHT_API_URL", "https://api.light.dev/v1"),
    ("LIGHT_HOSTED_ORIGINS", "flow.light.dev"),
]


@pytest.mark.parametrize(("name", "value"), WRONG_VALUES)
def test_wrong_value_is_refused_by_name_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ImproperlyConfigured) as refusal:
        check_environment()

    assert str(refusal.value).startswith(f"{name} cannot be used. It should be {VARIABLES[name].shape}.")
    assert "hush" not in "".join(traceback.format_exception(refusal.value))
    assert "'pa'" not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EMAIL_URL", "smtp+tls://office:pa%2Fss@mail.example.com:587"),
        ("EMAIL_URL", "smtp+ssl://office%40example.com:secret@mail.example.com"),
        ("EMAIL_URL", "smtp://mail.example.com:25"),
        ("EMAIL_URL", "filemail:///var/mail"),
        ("DATABASE_URL", "postgres://office:pa%2Fss@127.0.0.1:5432/switchyard"),
        ("DATABASE_URL", "postgres:///switchyard"),
        ("CELERY_BROKER_URL", "rediss://:pa%2Fss@127.0.0.1:6379/0"),
        ("CELERY_BROKER_URL", "memory://"),
        ("MAIL_FROM", '"Sun@Home" <no-reply@example.com>'),
        ("MAIL_FROM", "Sún Home <no-reply@example.com>"),
        ("MAIL_FROM", "no-reply@localhost"),
    ],
)
def test_valid_value_is_accepted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    assert read(name) == value


@pytest.mark.parametrize("value", ['"Sun@Home" <no-reply@example.com>', "Sún Home <no-reply@example.com>"])
def test_accepted_sender_can_send(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MAIL_FROM", value)

    message = EmailMessage("subject", "body", read("MAIL_FROM"), ["carmen@example.com"]).message()

    assert message["From"].endswith("<no-reply@example.com>")


@pytest.mark.parametrize("name", ["SECRET_KEY", "FIELD_ENCRYPTION_KEYS"])
def test_missing_secret_is_requested(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)

    with pytest.raises(ImproperlyConfigured, match=f"{name} is not set. It should be"):
        check_environment()


def test_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESSION_HOURS", "")

    assert read("SESSION_HOURS") == 12


def test_all_errors_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESSION_HOURS", "often")
    monkeypatch.setenv("BACKUP_ALARM_DAYS", "many")

    with pytest.raises(ImproperlyConfigured) as refusal:
        check_environment()

    assert [line.split()[0] for line in str(refusal.value).splitlines()] == ["SESSION_HOURS", "BACKUP_ALARM_DAYS"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("LIGHT_APP_TOKNE", "LIGHT_APP_TOKEN"),
        ("LIGHT_WEBHOOK_SECRETS", "LIGHT_WEBHOOK_SECRET"),
        ("STORAGE_S3_BUKET", "STORAGE_S3_BUCKET"),
        ("CELERY_BROKER", "CELERY_BROKER_URL"),
    ],
)
def test_misspelled_variable_is_named_with_the_intended_one(
    monkeypatch: pytest.MonkeyPatch, typed: str, meant: str
) -> None:
    monkeypatch.setenv(typed, "something")

    with pytest.raises(ImproperlyConfigured, match=rf"{typed} is not a setting of Switchyard. Did you mean {meant}\?"):
        check_environment()


def test_unrelated_variable_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHT_THEME_COLORS_OF_THE_TERMINAL", "dark")

    check_environment()


def test_wrong_dialect_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHT_DIALECT_FINALIZE_TOKEN", "both")

    with pytest.raises(ImproperlyConfigured, match="LIGHT_DIALECT_FINALIZE_TOKEN"):
        check_environment(read_light_dialect)


def test_dialect_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHT_DIALECT_PAGE_SIZE", "7")

    assert read_light_dialect().page_size == 7


def refuse_what_production_cannot_use() -> None:
    check_production(read_light_dialect, further_rules=[seal_key_problems])


def production_with(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    for name, value in (production_environment() | changes).items():
        monkeypatch.setenv(name, value)


def test_production_starts_with_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    production_with(monkeypatch)

    refuse_what_production_cannot_use()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SITE_URL", "http://switchyard.test"),
        ("LIGHT_API_URL", "http://light.test"),
        ("ALLOWED_HOSTS", "*,switchyard.test"),
        ("ALLOWED_HOSTS", "other.test"),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "sqlite:////tmp/switchyard.sqlite3"),
        ("CELERY_BROKER_URL", ""),
        ("CELERY_BROKER_URL", "memory://"),
        ("STORAGE_S3_BUCKET", ""),
        ("EMAIL_URL", ""),
        ("EMAIL_URL", "consolemail://"),
        ("EMAIL_URL", "smtp://mail:1025"),
        ("EMAIL_URL", "smtp://mailpit.internal:25"),
        ("MAIL_FROM", ""),
        ("SECRET_KEY", "django-insecure-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789"),
        ("SECRET_KEY", "a" * 64),
        ("SECRET_KEY", "0123456789abcdefghijklmnopqrstuvwxyz"),
        ("SECRET_KEY", "only-for-tests-and-worth-nothing-at-all-0123456789-0123456789"),
        ("FIELD_ENCRYPTION_KEYS", f"one:{'A' * 43}="),
        ("LIGHT_APP_TOKEN", ""),
        ("LIGHT_APP_TOKEN", "sim-app-token-long-enough-to-pass"),
        ("LIGHT_WEBHOOK_SECRET", "short"),
    ],
)
def test_production_refuses_single_machine_and_guessable_settings(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    production_with(monkeypatch, **{name: value})

    with pytest.raises(ImproperlyConfigured, match=f"{name} cannot be used in production: ") as refusal:
        refuse_what_production_cannot_use()

    assert value == "" or value not in str(refusal.value) or value in {"memory://", "*,switchyard.test"}


def test_environment_is_read_in_one_place() -> None:
    allowed = {
        "config/environment/__init__.py",
        "config/local_secrets.py",
        "config/celery.py",
        "config/wsgi.py",
        "manage.py",
    }
    sources = [
        file
        for folder in ("config", "core", "enrollments", "installations", "poa_documents")
        for file in (ROOT / folder).rglob("*.py")
    ]

    readers = {str(file.relative_to(ROOT)) for file in [*sources, ROOT / "manage.py"] if _reads_environment(file)}

    not_in_production = ("config/settings/test.py", "config/settings/demo.py", "demo/")
    assert {reader for reader in readers if not reader.startswith(not_in_production)} <= allowed


def _reads_environment(file: Path) -> bool:
    names = {"environ", "getenv", "putenv"}
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in names
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        for node in ast.walk(ast.parse(file.read_text()))
    )
