"""Runs the stand-in for Light as a process: `python -m simulator --port 8001`."""

import argparse
import signal
import sys
import threading

from simulator.dialect import DIALECTS
from simulator.server import DEFAULT_APP_TOKEN, DEFAULT_WEBHOOK_SECRET, start_simulator

__all__ = ["main"]

_DEFAULT_PORT = 8001
_MAX_PORT = 65_535


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    options = _parser().parse_args(arguments)
    stop_asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop_asked.set())
    running = start_simulator(
        port=options.port,
        dialect=DIALECTS[options.dialect],
        app_token=options.app_token,
        webhook_secret=options.webhook_secret,
        webhook_url=options.webhook_url,
        public_url=options.public_url.rstrip("/"),
    )
    print(f"Light stand-in listening on {running.url}", flush=True)
    stop_asked.wait()
    running.stop()
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port. Use a number from 0 to {_MAX_PORT}.")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator", description="A stand-in for Light on loopback.")
    parser.add_argument("--port", type=_port, default=_DEFAULT_PORT, help="0 picks a free port")
    parser.add_argument("--app-token", default=DEFAULT_APP_TOKEN, help="required token of /v1/app calls")
    parser.add_argument("--webhook-secret", default=DEFAULT_WEBHOOK_SECRET, help="signs outgoing webhooks")
    parser.add_argument("--webhook-url", default="", help="where to send webhooks; empty sends none")
    parser.add_argument("--public-url", default="", help="URL for browsers, if it differs from the stand-in's own")
    parser.add_argument(
        "--dialect", choices=sorted(DIALECTS), default="reference", help="how to behave where Light's API is uncertain"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
