"""A system of the installer's, authenticated with its token."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client

from tests.factories.accounts import personal_key


class Api:
    """Speaks to the API as another system would: JSON, token, and a key with every write."""

    def __init__(self, token: str) -> None:
        self.client = Client(headers={"Authorization": f"Token {token}"})

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query)

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        return self.client.post(
            f"/api/v1/{path}",
            {} if body is None else body,
            content_type="application/json",
            headers={"Idempotency-Key": key or str(uuid.uuid4())},
        )

    def post_form(self, path: str, body: dict[str, Any], *, key: str | None = None) -> Any:
        return self.client.post(f"/api/v1/{path}", body, headers={"Idempotency-Key": key or str(uuid.uuid4())})


@pytest.fixture
def api(db: None) -> Api:
    return Api(personal_key())


@pytest.fixture
def one_connection() -> Iterator[None]:
    """As in Django's test client: the connection with the test's transaction outlives a request over WSGI."""
    for moment in (request_started, request_finished):
        moment.disconnect(close_old_connections)
    yield
    for moment in (request_started, request_finished):
        moment.connect(close_old_connections)
