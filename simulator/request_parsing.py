"""Parsing of requests: tokens, JSON bodies and fields."""

import re
from datetime import UTC, date, datetime
from typing import Any

from flask import request

from simulator.accounts import Account
from simulator.meters import InvalidEsiId, Meter, UnknownMeter, find_meter
from simulator.responses import Invalid, NotAuthorized, NotFound
from simulator.world import World

__all__ = [
    "account_of_app",
    "authenticated_account",
    "authenticated_app",
    "check_known_keys",
    "instant_field",
    "json_object",
    "meter_field",
    "optional_text",
    "start_date_field",
    "text_field",
]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def authenticated_app(world: World) -> str:
    """
    Return the UUID of the App that the bearer token belongs to.

    :raises NotAuthorized: no token, an unknown one, or an account's token
    """
    app_uuid = world.app_of_token(_bearer_token())
    if app_uuid is None:
        raise NotAuthorized("Unauthorized")
    return app_uuid


def authenticated_account(world: World) -> Account:
    """
    Return the account that the bearer token belongs to.

    :raises NotAuthorized: no token, an unknown or expired one, or an App's token
    """
    token = world.live_account_token(_bearer_token())
    if token is None:
        raise NotAuthorized("Unauthorized")
    return world.account(token.account_uuid)


def account_of_app(world: World, account_uuid: str) -> Account:
    """Return an account of the authenticated App. Other Apps' accounts are not found."""
    app_uuid = authenticated_app(world)
    account = world.account(account_uuid)
    if account.app_uuid != app_uuid:
        raise NotFound("Account not found.")
    return account


def json_object() -> dict[str, Any]:
    """
    Parse the body. No body counts as an empty object.

    :raises Invalid: not JSON, or not an object
    """
    if not request.get_data(cache=True):
        return {}
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise Invalid("The body must be a JSON object.", field="__root__")
    return body


def check_known_keys(body: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(body) - known)
    if unknown:
        raise Invalid(f"{unknown[0]} is not permitted here", field=unknown[0])


def text_field(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value.strip():
        raise Invalid(f"{key} is required", field=key)
    return value


def optional_text(body: dict[str, Any], key: str) -> str | None:
    value = body.get(key)
    if value is not None and not isinstance(value, str):
        raise Invalid(f"{key} must be text", field=key)
    return value


def meter_field(body: dict[str, Any]) -> Meter:
    try:
        return find_meter(body.get("esi_id"))
    except InvalidEsiId as problem:
        raise Invalid(str(problem), field="esi_id") from problem
    except UnknownMeter as problem:
        raise NotFound(str(problem)) from problem


def instant_field(body: dict[str, Any], key: str, *, default: datetime, latest: datetime) -> datetime:
    """Parse an ISO 8601 time with a time zone that is not in the future; absent means the default."""
    if key not in body:
        return default
    value = body[key]
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Invalid(f"{key} must be an ISO 8601 instant with a zone", field=key)
    if at > latest:
        raise Invalid(f"{key} must not be in the future", field=key)
    return at.astimezone(UTC)


def start_date_field(body: dict[str, Any]) -> date:
    value = body.get("service_start_date")
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise Invalid("service_start_date must be YYYY-MM-DD", field="service_start_date")
    try:
        return date.fromisoformat(value)
    except ValueError as problem:
        raise Invalid("service_start_date is not a day", field="service_start_date") from problem


def _bearer_token() -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise NotAuthorized("Unauthorized")
    return token.strip()
