"""What every benchmark needs: its own database, processes that end with it, and medians."""

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[2]
WEBHOOK_SECRET = "webhook-secret-of-the-benchmarks"
MAX_WAIT_SECONDS = 60.0


class NeverCame(Exception):
    """What a benchmark waited for did not happen; nothing was measured."""


@contextmanager
def own_database() -> Iterator[str]:
    """Return the URL of a new database on the server of `TEST_POSTGRES_URL`; it is dropped at the end."""
    server = os.environ["TEST_POSTGRES_URL"]
    name = f"bench_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield f"{server.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def own_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="switchyard-bench-") as folder:
        yield Path(folder)


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """The environment of a process: settings as `make run` has them, and nothing else of the caller's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "tools.benchmarks.settings",
        "DATA_DIR": str(folder),
        "LIGHT_WEBHOOK_SECRET": WEBHOOK_SECRET,
        **changes,
    }


def run(*arguments: str, environ: dict[str, str]) -> None:
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environ, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own commands


@contextmanager
def process(*arguments: str, environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in its own process group, killed at the end."""
    with log.open("ab") as output:
        running = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield running
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def until(holds: Callable[[], object], wish: str, *, seconds: float = MAX_WAIT_SECONDS) -> None:
    """:raises NeverCame: it did not happen in time"""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise NeverCame(f"Waited {seconds:.0f} s in vain until {wish}.")
        time.sleep(0.02)


def listens(port: int) -> bool:
    with ExitStack() as stack:
        try:
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=1))
        except OSError:
            return False
        return True


def compare(ours: Sequence[float], bare: Sequence[float]) -> dict[str, object]:
    """Medians of rounds run in turn, and the median of their ratios, which the machine's load affects least."""
    ratios = [our / their for our, their in zip(ours, bare, strict=True)]
    return {
        "ours": round(statistics.median(ours), 1),
        "bare": round(statistics.median(bare), 1),
        "ratio": round(statistics.median(ratios), 2),
        "rounds": [[round(our, 1), round(their, 1)] for our, their in zip(ours, bare, strict=True)],
    }
