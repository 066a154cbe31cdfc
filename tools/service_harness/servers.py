"""PostgreSQL and Redis of this test process alone, which may be killed at any time; and the shared S3 server."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".ci" / "services.sh"
MAX_START_SECONDS = 120


class NoServers(Exception):
    """Something that the tests need is missing. The text says what to do."""


@dataclass(frozen=True)
class S3Server:
    endpoint_url: str
    access_key_id: str
    secret_access_key: str


@dataclass(frozen=True)
class Servers:
    """Servers in `folder`, started, killed and stopped by the project's own script."""

    folder: Path

    def start(self, *parts: str) -> None:
        self._tell("start", *parts)

    def kill(self, *parts: str) -> None:
        """End them as a power failure would: what was only in memory is lost."""
        self._tell("kill", *parts)

    def stop(self) -> None:
        self._tell("stop")

    @property
    def postgres_url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self._port('postgres')}"

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self._port('redis')}/0"

    def _port(self, part: str) -> int:
        return int((self.folder / f"{part}.port").read_text())

    def _tell(self, command: str, *parts: str) -> None:
        """:raises NoServers: with the script's last output"""
        with (self.folder / "services.log").open("a+") as log:
            finished = subprocess.run(  # noqa: S603 - our own script
                [str(SCRIPT), command, str(self.folder), *parts],
                cwd=ROOT,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=MAX_START_SECONDS,
            )
            if finished.returncode != 0:
                log.seek(0)
                raise NoServers(f"{SCRIPT.name} {command} {' '.join(parts)} failed: {log.read()[-2000:]}")


def s3_server() -> S3Server:
    """
    Return the S3 server that `.ci/services.sh run` started.

    :raises NoServers: none was started
    """
    names = ("TEST_S3_ENDPOINT_URL", "TEST_S3_ACCESS_KEY_ID", "TEST_S3_SECRET_ACCESS_KEY")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise NoServers(f"{', '.join(missing)} not set. Start these tests with: make test-services")
    return S3Server(*(os.environ[name] for name in names))
