"""WSGI middleware: one call at a time, injected faults, and the request log."""

import io
import json
import re
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flask import Flask, Response
from werkzeug.test import run_wsgi_app

from simulator import enrollment
from simulator.account_endpoints import CALL_NOTES, DROP_ANSWER, MISUNDERSTANDINGS
from simulator.clock import iso_instant
from simulator.control_endpoints import CONTROL_PREFIX
from simulator.faults import Fault, operation_of
from simulator.responses import UNLISTED_KEY, ApiError
from simulator.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["BAD_IDENTIFIER", "DroppedResponse", "FaultMiddleware", "should_reset"]

_ACCOUNT_IN_PATH = re.compile(r"/v1/app/accounts/([0-9a-fA-F-]{36})(?:/|$)")
AVERAGE_PRICE_FIELDS = ("avg_cents_per_kwh_500", "avg_cents_per_kwh_1000", "avg_cents_per_kwh_2000")
PlanChange = Callable[[dict[str, Any], datetime], object]
PLAN_CHANGES: dict[str, dict[str, PlanChange]] = {
    "plans_expired": {"expires_at": lambda _plan, now: iso_instant(now)},
    "plans_short_lived": {"expires_at": lambda _plan, now: iso_instant(now + timedelta(seconds=30))},
    "plans_in_dollars": {
        name: lambda plan, _now, name=name: str(Decimal(plan[name]) / 100)  # type: ignore[misc]
        for name in AVERAGE_PRICE_FIELDS
    },
    "plans_free": {name: lambda _plan, _now: "0" for name in AVERAGE_PRICE_FIELDS},
    "plans_below_their_rate": {
        name: lambda plan, _now: str(Decimal(plan["energy_rate_cents_per_kwh"]) - 1) for name in AVERAGE_PRICE_FIELDS
    },
}
"""What each fault changes in every plan of a list."""

_DECIMAL_TEXT = re.compile(r"-?\d+\.\d+")
_REFUSAL_STATUS = {"unauthorized": 401, "forbidden": 403, "not_found": 404, "conflict": 409, "unprocessable": 422}
_RESET_SECONDS = 5.0
_REDIRECT_TARGET = "https://elsewhere.invalid"
BAD_IDENTIFIER = "plan-7"
_UNCHANGED_KEYS = {UNLISTED_KEY}
_LINGER_NO_TIME = struct.pack("ii", 1, 0)


class DroppedResponse(ConnectionError):
    """The connection was closed on purpose. The server has nothing left to send."""


class FaultMiddleware:
    """Passes calls to the Flask app under the world's lock. Delays happen outside the lock."""

    def __init__(self, world: World, app: Flask) -> None:
        self.world = world
        self.app = app
        self._recent: deque[float] = deque()
        self._stopping = threading.Event()
        self._slots = threading.Condition()
        self._served = 0

    def stop(self) -> None:
        """End all waits, so that stopping does not hang on a slow response."""
        self._stopping.set()
        with self._slots:
            self._slots.notify_all()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        if not path.startswith("/v1/"):
            return self._run_unlogged(environ, path)(environ, start_response)
        environ[CALL_NOTES] = set()
        _read_body(environ)
        operation = operation_of(str(environ["REQUEST_METHOD"]), path)
        account_uuid = self._account_uuid(environ, path)
        with self._slot():
            with self.world.lock:
                fault = None if self._is_over_limit() else self.world.faults.take(operation, account_uuid)
                response = self._answer(environ, fault)
                account_uuid = account_uuid or _created_uuid(operation, response)
                self._log(environ, path, operation, account_uuid, response, fault)
            self._wait(fault, account_uuid)
        return self._send(response, fault, environ, start_response)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """Wait for one of the `max_concurrent_calls` slots."""
        with self._slots:
            self._slots.wait_for(self._has_free_slot)
            self._served += 1
        try:
            yield
        finally:
            with self._slots:
                self._served -= 1
                self._slots.notify()

    def _has_free_slot(self) -> bool:
        limit = self.world.settings.max_concurrent_calls
        return not limit or self._served < limit or self._stopping.is_set()

    def _run_unlogged(self, environ: "WSGIEnvironment", path: str) -> Response:
        if path == f"{CONTROL_PREFIX}/webhooks/wait":
            return self._run(environ)
        with self.world.lock:
            enrollment.run_due_events(self.world)
            response = self._run(environ)
        if path == f"{CONTROL_PREFIX}/reset":
            # Outside the lock, because a receiver may call back before it responds to an event.
            self.world.webhooks.wait_until_quiet(_RESET_SECONDS)
        return response

    def _answer(self, environ: "WSGIEnvironment", fault: Fault | None) -> Response:
        if self._is_over_limit(counts=True):
            return self._refusal(
                429, "Too many requests", retry_after=self.world.dialect.rate_limit_retry_after or None
            )
        enrollment.run_due_events(self.world)
        if fault is None:
            return self._run(environ)
        instead = self._response_without_work(fault)
        if instead is not None:
            return instead
        if fault.kind in MISUNDERSTANDINGS:
            environ[CALL_NOTES].add(fault.kind)
        return self._response_after_work(self._run(environ), fault)

    def _response_without_work(self, fault: Fault) -> Response | None:
        if fault.kind in ("drop_before", "hang"):
            return self._refusal(499, "no answer")
        if fault.kind == "error_before":
            return self._refusal(fault.status, "Something went wrong")
        if fault.kind == "rate_limit":
            return self._refusal(429, "Too many requests", retry_after=fault.retry_after)
        if fault.kind in _REFUSAL_STATUS:
            return self._refusal(_REFUSAL_STATUS[fault.kind], "Refused on order")
        if fault.kind == "redirect":
            response = self._refusal(fault.status, "Moved")
            response.headers["Location"] = f"{_REDIRECT_TARGET}/v1/moved"
            return response
        return _FALSE_SUCCESSES[fault.kind]() if fault.kind in _FALSE_SUCCESSES else None

    def _response_after_work(self, response: Response, fault: Fault) -> Response:
        if fault.kind == "empty_after":
            return Response(status=204)
        if fault.kind == "error_after":
            return self._refusal(fault.status, "Something went wrong")
        if fault.kind == "malformed":
            body = response.get_data()
            return Response(body[: len(body) // 2] or b'{"uuid": ', mimetype="application/json")
        if fault.kind == "another_email" and response.is_json:
            return self._under_another_email(response)
        if fault.kind in PLAN_CHANGES and response.is_json:
            return self._with_changed_plans(response, fault.kind)
        if fault.kind == "bad_identifier" and response.status_code < 300:
            corrupted = _with_bad_identifier(json.loads(response.get_data()))
            return Response(json.dumps(corrupted), status=response.status_code, mimetype="application/json")
        if fault.kind in ("nulls", "numbers_as_text") and response.get_data():
            corrupted = _corrupted(json.loads(response.get_data()), fault.kind)
            return Response(json.dumps(corrupted), status=response.status_code, mimetype="application/json")
        return response

    def _under_another_email(self, response: Response) -> Response:
        body = json.loads(response.get_data())
        body["email"] = self.world.accounts[body["uuid"]].email = "someone.else@example.com"
        return Response(json.dumps(body), status=response.status_code, mimetype="application/json")

    def _with_changed_plans(self, response: Response, kind: str) -> Response:
        body = json.loads(response.get_data())
        for plan in body["plans"] if isinstance(body, dict) else body:
            for name, change in PLAN_CHANGES[kind].items():
                plan[name] = change(plan, self.world.now())
        return Response(json.dumps(body), status=response.status_code, mimetype="application/json")

    def _wait(self, fault: Fault | None, account_uuid: str | None) -> None:
        if fault is not None and fault.kind in ("delay", "hang"):
            self._stopping.wait(fault.seconds)
        account = self.world.accounts.get(account_uuid or "")
        if account is not None and account.scenario.has("slow"):
            self._stopping.wait(self.world.settings.slow_seconds)

    def _send(
        self, response: Response, fault: Fault | None, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        kind = fault.kind if fault else ""
        if kind in ("drop_before", "drop_after", "hang") or DROP_ANSWER in environ[CALL_NOTES]:
            _reset_connection(environ)
            raise DroppedResponse
        if kind == "drip" and fault is not None:
            self._drip(response, environ, pause_seconds=fault.seconds)
            raise DroppedResponse
        if kind == "truncate_after":
            body = response.get_data()
            start_response(response.status, [*response.headers.items()])
            return [body[: len(body) // 2]]
        return response(environ, start_response)

    def _drip(self, response: Response, environ: "WSGIEnvironment", *, pause_seconds: float) -> None:
        """Send the whole response byte by byte, until the caller disconnects."""
        connection = environ["werkzeug.socket"]
        lines = [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in response.headers.items())]
        for byte in "\r\n".join([*lines, "Connection: close", "", ""]).encode() + response.get_data():
            if self._stopping.wait(pause_seconds):
                return
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                return

    def _run(self, environ: "WSGIEnvironment") -> Response:
        body, status, headers = run_wsgi_app(self.app, environ, buffered=True)
        return Response(b"".join(body), status=status, headers=headers)

    def _refusal(self, status: int, reason: str, *, retry_after: str | None = None) -> Response:
        body = {**ApiError(reason).body(self.world.dialect.error_body), UNLISTED_KEY: "x"}
        response = Response(json.dumps(body), status=status, mimetype="application/json")
        if retry_after is not None:
            response.headers["Retry-After"] = retry_after
        return response

    def _is_over_limit(self, *, counts: bool = False) -> bool:
        limit = self.world.dialect.rate_limit_per_second
        if not limit:
            return False
        now = time.monotonic()
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        is_over = len(self._recent) >= limit
        if counts and not is_over:
            self._recent.append(now)
        return is_over

    def _account_uuid(self, environ: "WSGIEnvironment", path: str) -> str | None:
        if match := _ACCOUNT_IN_PATH.match(path):
            return match[1].lower()
        token = str(environ.get("HTTP_AUTHORIZATION", "")).removeprefix("Bearer ").strip()
        held = self.world.account_tokens.get(token)
        return held.account_uuid if held else None

    def _log(
        self,
        environ: "WSGIEnvironment",
        path: str,
        operation: str,
        account_uuid: str | None,
        response: Response,
        fault: Fault | None,
    ) -> None:
        is_dropped = fault is not None and fault.kind in ("drop_before", "drop_after", "hang")
        self.world.log_request(
            method=environ["REQUEST_METHOD"],
            path=path,
            operation=operation,
            account_uuid=account_uuid,
            status=response.status_code,
            fault=fault.kind if fault else None,
            answered=not (is_dropped or DROP_ANSWER in environ[CALL_NOTES]),
        )


def _json(status: int, body: dict[str, object]) -> Response:
    return Response(json.dumps({**body, UNLISTED_KEY: "x"}), status=status, mimetype="application/json")


def _html_page() -> Response:
    return Response("<!doctype html><title>Please wait</title><h1>Please wait</h1>", mimetype="text/html")


_FALSE_SUCCESSES: dict[str, Callable[[], Response]] = {
    "says_error": lambda: _json(200, {"error": "could not process", "success": False}),
    "queued": lambda: _json(202, {"detail": "queued"}),
    "empty_before": lambda: Response(status=204),
    "html": _html_page,
}
"""Responses that look like a success although nothing was done."""


def _created_uuid(operation: str, response: Response) -> str | None:
    if operation != "create" or not response.is_json:
        return None
    try:
        body = json.loads(response.get_data())
    except ValueError:
        return None
    uuid = body.get("uuid") if isinstance(body, dict) else None
    return uuid if isinstance(uuid, str) else None


def _with_bad_identifier(body: Any) -> Any:
    """Insert an entry with a bad identifier at the start of a list, or replace a single object's identifier."""
    if isinstance(body, list):
        return [{**(body[0] if body else {}), "uuid": BAD_IDENTIFIER}, *body]
    for key in ("plans", "data"):
        if key in body:
            return {**body, key: _with_bad_identifier(body[key])}
    return {**body, "uuid": BAD_IDENTIFIER}


def _corrupted(value: Any, kind: str) -> Any:
    """Corrupt every value of a body, keeping its structure."""
    if isinstance(value, dict):
        return {key: item if key in _UNCHANGED_KEYS else _corrupted(item, kind) for key, item in value.items()}
    if isinstance(value, list):
        return [_corrupted(item, kind) for item in value]
    if kind == "nulls":
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return float(value) if isinstance(value, str) and _DECIMAL_TEXT.fullmatch(value) else value


def _read_body(environ: "WSGIEnvironment") -> None:
    """Read the body now. An error response would leave it unread, and it would be parsed as the next request."""
    length = str(environ.get("CONTENT_LENGTH") or "")
    body = environ["wsgi.input"].read(int(length)) if length.isdecimal() else b""
    environ["wsgi.input"] = io.BytesIO(body)


def _reset_connection(environ: "WSGIEnvironment") -> None:
    connection = environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NO_TIME)
        connection.shutdown(socket.SHUT_RD)


def should_reset(connection: socket.socket) -> bool:
    """Whether a connection was marked to end with a reset."""
    linger = connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_LINGER_NO_TIME))
    return linger == _LINGER_NO_TIME
