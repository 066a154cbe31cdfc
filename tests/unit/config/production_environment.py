"""An environment with which production starts: the one that `make check` uses."""

import atexit
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from poa_documents.seal.keys import make_key, write_key

ROOT = Path(__file__).resolve().parents[3]


def production_environment() -> dict[str, str]:
    lines = (ROOT / ".ci" / "production.env").read_text().splitlines()
    named = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {**named, "POA_SEAL_KEY_FILE": _seal_key()}


@cache
def _seal_key() -> str:
    folder = Path(tempfile.mkdtemp(prefix="switchyard-seal-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "seal.p12"
    now = datetime.now(tz=UTC)
    write_key(make_key("Check", starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=900)), file)
    return str(file)
