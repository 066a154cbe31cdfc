import json
from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from django.db import InternalError, OperationalError
from django.test import Client
from psycopg.errors import ReadOnlySqlTransaction

from enrollments.webhooks import views as webhook_views
from tests.factories import installations as made
from tests.integration.webhooks.deliveries import ADDRESS, event, signature

pytestmark = pytest.mark.django_db


def failing_with(problem: Exception) -> Callable[..., None]:
    def fail(*_arguments: object, **_options: object) -> None:
        raise problem

    return fail


def post_webhook() -> tuple[int, str]:
    body = event("account.updated")
    client = Client(raise_request_exception=False)
    response = client.post(ADDRESS, data=body, content_type="application/json", headers=signature(body))
    return response.status_code, response.headers.get("Retry-After", "")


def test_webhook_is_refused_temporarily_while_database_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_views, "store_delivery", failing_with(OperationalError("connection refused")))

    status, try_again = post_webhook()

    assert status == 503
    assert int(try_again) > 0


def test_our_fault_stays_a_500(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_views, "store_delivery", failing_with(ValueError("our mistake")))

    status, try_again = post_webhook()

    assert status == 500
    assert try_again == ""


def test_customer_is_told_what_to_do_during_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("poa_documents.links.PoaDocument.objects", Unreachable())

    response = Client(raise_request_exception=False).get("/portal/a-link-that-may-be-one-of-ours/")

    assert response.status_code == 503
    assert "try again in a minute" in response.content.decode()
    assert "Inténtelo de nuevo" in response.content.decode()
    assert "connection refused" not in response.content.decode()


def test_api_clients_are_told_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "accounts.authentication.KeyAuthentication.authenticate",
        failing_with(OperationalError("connection refused")),
    )

    response = Client(raise_request_exception=False).get("/api/v1/enrollments/", headers={"Authorization": "Token x"})

    assert response.status_code == 503
    assert "Repeat the call" in json.loads(response.content)["detail"]


class Unreachable:
    def __getattr__(self, _name: str) -> object:
        raise OperationalError("connection refused")


def read_only() -> InternalError:
    """What Django raises when PostgreSQL is read-only."""
    problem = InternalError("cannot execute INSERT in a read-only transaction")
    problem.__cause__ = ReadOnlySqlTransaction()
    return problem


def test_webhook_is_refused_temporarily_while_database_is_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_views, "store_delivery", failing_with(read_only()))

    status, try_again = post_webhook()

    assert status == 503
    assert int(try_again) > 0


def test_another_internal_error_stays_a_500(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_views, "store_delivery", failing_with(InternalError("current transaction is aborted")))

    assert post_webhook() == (500, "")


def test_unwritable_session_is_no_bad_request(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(made.technician())
    monkeypatch.setattr(Session, "save", failing_with(read_only()))

    response = client.get("/field/")

    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0


def test_bad_request_stays_a_400() -> None:
    response = Client(raise_request_exception=False).get("/healthz", headers={"Host": "else.where"})

    assert response.status_code == 400
