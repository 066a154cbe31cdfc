"""Builds and runs the stand-in: in a thread for tests, otherwise in its own process."""

import socket
import threading
from dataclasses import dataclass

from flask import Flask, Response
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, ThreadedWSGIServer, WSGIRequestHandler

from simulator import enrollment
from simulator.account_endpoints import AccountEndpoints
from simulator.app_endpoints import AppEndpoints
from simulator.control_client import SimulatorControl
from simulator.control_endpoints import Control
from simulator.dialect import REFERENCE, Dialect
from simulator.fault_middleware import FaultMiddleware, should_reset
from simulator.hosted_pages import HostedPages
from simulator.responses import ApiError, json_response
from simulator.world import World

__all__ = [
    "DEFAULT_APP_TOKEN",
    "DEFAULT_WEBHOOK_SECRET",
    "RunningSimulator",
    "build_app",
    "start_simulator",
]

DEFAULT_APP_TOKEN = "sim-app-token"  # noqa: S105 - valid only at a stand-in on loopback
DEFAULT_WEBHOOK_SECRET = "sim-webhook-secret"  # noqa: S105 - signs only a stand-in's events

_HOST = "127.0.0.1"
_TICK_SECONDS = 0.25


class _QuietHandler(WSGIRequestHandler):
    """Keeps tokens of hosted pages out of the terminal. The stand-in has its own log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Print nothing."""


class _Server(ThreadedWSGIServer):
    """Closes a connection dropped by a fault with a reset instead of an orderly shutdown."""

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket) and should_reset(request):
            self.close_request(request)
        else:
            super().shutdown_request(request)


@dataclass
class RunningSimulator:
    """A running stand-in. `control` moves its clock, acts for customers and injects faults."""

    url: str
    app_token: str
    webhook_secret: str
    control: SimulatorControl
    world: World
    _server: BaseWSGIServer
    _middleware: FaultMiddleware
    _threads: tuple[threading.Thread, ...]
    _stopping: threading.Event

    def stop(self) -> None:
        self._stopping.set()
        self._middleware.stop()
        self._server.shutdown()
        for thread in self._threads:
            thread.join(timeout=5)
        self.world.webhooks.stop()
        self._server.server_close()
        self.control.close()


def start_simulator(
    *,
    port: int = 0,
    dialect: Dialect = REFERENCE,
    app_token: str = DEFAULT_APP_TOKEN,
    webhook_secret: str = DEFAULT_WEBHOOK_SECRET,
    webhook_url: str = "",
    public_url: str = "",
) -> RunningSimulator:
    """Start a stand-in on loopback; port 0 picks a free port. The caller must stop it."""
    world = World(
        app_token=app_token,
        webhook_secret=webhook_secret,
        webhook_url=webhook_url,
        dialect=dialect,
        public_url=public_url,
    )
    middleware = FaultMiddleware(world, build_app(world))
    server = _Server(_HOST, port, middleware, handler=_QuietHandler)
    url = f"http://{_HOST}:{server.server_port}"
    stopping = threading.Event()
    threads = (
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True),
        threading.Thread(target=_tick, args=(world, stopping), daemon=True),
    )
    for thread in threads:
        thread.start()
    world.webhooks.start()
    return RunningSimulator(
        url=url,
        app_token=app_token,
        webhook_secret=webhook_secret,
        control=SimulatorControl(url),
        world=world,
        _server=server,
        _middleware=middleware,
        _threads=threads,
        _stopping=stopping,
    )


def build_app(world: World) -> Flask:
    app = Flask("simulator")
    app_side = AppEndpoints(world)
    for part in (app_side, AccountEndpoints(world, app_side), Control(world), HostedPages(world)):
        part.add_to(app)

    def refuse(problem: ApiError) -> Response:
        return json_response(problem.body(world.dialect.error_body), problem.status)

    def refuse_http(problem: HTTPException) -> Response:
        reason = ApiError(problem.name)
        return json_response(reason.body(world.dialect.error_body), problem.code or 500)

    app.register_error_handler(ApiError, refuse)
    app.register_error_handler(HTTPException, refuse_http)
    return app


def _tick(world: World, stopping: threading.Event) -> None:
    while not stopping.wait(_TICK_SECONDS):
        with world.lock:
            enrollment.run_due_events(world)
