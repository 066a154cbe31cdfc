"""JSON responses, and API errors as exceptions."""

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify

__all__ = ["UNLISTED_KEY", "ApiError", "Conflict", "Forbidden", "Invalid", "NotAuthorized", "NotFound", "json_response"]

UNLISTED_KEY = "unlisted_key"
"""Part of every response, because a client must ignore unknown keys."""


class ApiError(Exception):
    """An error response with its reason."""

    status = 400

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field

    def body(self, mode: str) -> dict[str, Any]:
        """Return the error body in one of three formats."""
        if mode == "error":
            return {"error": self.reason}
        if mode == "message":
            return {"message": self.reason, "errors": [{"field": self.field, "message": self.reason}]}
        if self.field is not None:
            return {"detail": [{"type": "value_error", "loc": ["body", self.field], "msg": self.reason}]}
        return {"detail": self.reason}


class NotAuthorized(ApiError):
    """The token is missing, wrong or expired."""

    status = 401


class Forbidden(ApiError):
    """This App may not make the call."""

    status = 403


class NotFound(ApiError):
    """The record does not exist or belongs to another App."""

    status = 404


class Conflict(ApiError):
    """The state does not allow the call."""

    status = 409


class Invalid(ApiError):
    """A field is invalid."""

    status = 422


def json_response(body: Mapping[str, Any] | list[Any], status: int = 200) -> Response:
    """Return a JSON response with one unexpected key added, in each row if it is a list."""
    note = "clients must ignore keys they do not know"
    marked = [{**row, UNLISTED_KEY: note} for row in body] if isinstance(body, list) else {**body, UNLISTED_KEY: note}
    response = jsonify(marked)
    response.status_code = status
    return response
