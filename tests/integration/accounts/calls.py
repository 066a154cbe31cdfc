"""Calls of the API with a key, as another system makes them."""

import uuid
from typing import Any

from django.test import Client

CUSTOMER = {"first_name": "Carmen", "last_name": "Reyes", "email": "carmen@example.com"}
PASSWORD = "a long enough password"


def read(key: str, *, scheme: str = "Token", path: str = "customers/") -> Any:
    return Client().get(f"/api/v1/{path}", headers={"Authorization": f"{scheme} {key}"})


def write(key: str, path: str = "customers/", body: dict[str, Any] | None = None) -> Any:
    headers = {"Authorization": f"Token {key}", "Idempotency-Key": str(uuid.uuid4())}
    said = CUSTOMER if body is None else body
    return Client().post(f"/api/v1/{path}", said, content_type="application/json", headers=headers)


def sign_in(username: str, password: str = PASSWORD) -> Any:
    said = {"username": username, "password": password}
    return Client().post("/api/v1/token/", said, content_type="application/json")
