"""An environment with which production starts: the one that `make check` uses."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def production_environment() -> dict[str, str]:
    lines = (ROOT / ".ci" / "production.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
