from datetime import date

import pytest
from django.conf import LazySettings
from django.core.files.storage import storages
from django.db import OperationalError
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from config.celery import app
from enrollments.actions.system_holds import hold_writes
from operations import health
from tests.factories.installations import AT, OFFICE, customer

pytestmark = pytest.mark.django_db


def refuse_to_work() -> None:
    raise OSError("The storage is away.")


def test_process_reports_it_is_alive(client: Client) -> None:
    response = client.get("/healthz")

    assert response.status_code == 200
    assert response.content == b"ok\n"


def test_ready_when_every_part_answers(client: Client) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {
        "ready": True,
        "parts": {"database": "ok", "storage": "ok", "broker": "ok", "keys": "ok", "cache": "ok"},
        "alarms": [],
    }


def test_answer_is_not_cached(client: Client) -> None:
    assert "no-store" in client.get("/readyz")["Cache-Control"]


def test_failing_part_is_named_without_its_secrets(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("password authentication failed for postgres://switchyard:hunter22@db")

    monkeypatch.setitem(health.CHECKS, "database", fail)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {
        "ready": False,
        "parts": {"database": "failing", "storage": "ok", "broker": "ok", "keys": "ok", "cache": "ok"},
        "alarms": [],
    }
    assert b"hunter22" not in response.content


def test_refusing_storage_makes_us_unready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str) -> bool:
        raise PermissionError("no")

    monkeypatch.setattr(storages["default"], "exists", refuse)

    assert client.get("/readyz").json()["parts"]["storage"] == "failing"


def test_missing_field_keys_make_us_unready(client: Client, settings: Settings) -> None:
    customer(date_of_birth=date(1984, 5, 17))
    settings.FIELD_ENCRYPTION_KEYS = {"new": b"n" * 32}

    response = client.get("/readyz")

    assert response.status_code == 503
    assert "lacks key 'test'" in response.json()["parts"]["keys"]


def test_missing_queue_makes_us_unready_within_seconds(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    unreachable = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(app.conf, "broker_url", unreachable)
    monkeypatch.setattr(app.conf, "broker_write_url", unreachable)

    assert client.get("/readyz").json()["parts"]["broker"] == "failing"


def test_pending_migrations_make_us_unready_with_instructions(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.health.MigrationExecutor.migration_plan", lambda *_: ["one"])

    assert "manage.py migrate" in client.get("/readyz").json()["parts"]["database"]


@pytest.fixture
def stranger() -> Client:
    health._last.forget()
    return Client(REMOTE_ADDR="203.0.113.9")


def test_anonymous_callers_learn_only_readiness(stranger: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(health.CHECKS, "storage", refuse_to_work)

    answer = stranger.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {"ready": False}


def test_frequent_anonymous_requests_check_the_parts_once(
    stranger: Client, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    stranger.get("/readyz")
    monkeypatch.setitem(health.CHECKS, "storage", refuse_to_work)

    with django_assert_num_queries(0):
        answers = [stranger.get("/readyz").status_code for _ in range(5)]

    assert answers == [200] * 5


def test_outdated_answer_is_not_returned(stranger: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger.get("/readyz")
    monkeypatch.setitem(health.CHECKS, "storage", refuse_to_work)
    monkeypatch.setattr(health._last, "_until", 0.0)  # some seconds later

    assert stranger.get("/readyz").status_code == 503


def test_operator_is_recognized_by_the_token(stranger: Client, settings: LazySettings) -> None:
    settings.METRICS_TOKEN = "a-token-of-operators-with-enough-letters"

    known = stranger.get("/readyz", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"})

    assert known.json()["parts"]["database"] == "ok"
    assert stranger.get("/readyz").json() == {"ready": True}


def test_asking_changes_nothing(client: Client) -> None:
    assert client.post("/readyz").status_code == 405


def test_process_alarms_are_reported_and_leave_us_ready(client: Client) -> None:
    hold_writes(reason="A move.", by=OFFICE, at=AT)

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json()["alarms"] == ["WRITES_STOPPED"]
