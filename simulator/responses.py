"""Errors as exceptions, and the shapes of what the stand-in answers."""

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify

__all__ = ["UNLISTED_KEY", "Conflict", "Forbidden", "Invalid", "NotAuthorized", "NotFound", "Refusal", "answer"]

UNLISTED_KEY = "unlisted_key"
"""Stands in every answer: a client must ignore keys it does not know."""


class Refusal(Exception):
    """A call that gets an error status, with the reason."""

    status = 400

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field

    def body(self, mode: str) -> dict[str, Any]:
        """Say why in one of the three shapes of an error body."""
        if mode == "error":
            return {"error": self.reason}
        if mode == "message":
            return {"message": self.reason, "errors": [{"field": self.field, "message": self.reason}]}
        if self.field is not None:
            return {"detail": [{"type": "value_error", "loc": ["body", self.field], "msg": self.reason}]}
        return {"detail": self.reason}


class NotAuthorized(Refusal):
    """No token, a wrong one or one that is too old."""

    status = 401


class Forbidden(Refusal):
    """The right kind of token for a call that this App may not make."""

    status = 403


class NotFound(Refusal):
    """Nothing by that name, or somebody else's."""

    status = 404


class Conflict(Refusal):
    """Not in this state."""

    status = 409


class Invalid(Refusal):
    """A field cannot be what it is."""

    status = 422


def answer(body: Mapping[str, Any] | list[Any], status: int = 200) -> Response:
    """Answer with JSON that carries one key more than anybody expects, in each row if it is a list."""
    note = "clients must ignore keys they do not know"
    marked = [{**row, UNLISTED_KEY: note} for row in body] if isinstance(body, list) else {**body, UNLISTED_KEY: note}
    response = jsonify(marked)
    response.status_code = status
    return response
