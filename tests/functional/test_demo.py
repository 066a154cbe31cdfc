"""
The whole story of `make demo`: the demo's own check compares our records with the simulator's acceptances

and decides the exit code.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from config.environment import VARIABLES

ROOT = Path(__file__).resolve().parent.parent.parent
FIRST_DAY = "2026-03-02"
SECONDS_ALLOWED = 1200

Demo = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.timeout(SECONDS_ALLOWED + 60)


@pytest.fixture
def run_demo(tmp_path: Path) -> Demo:
    """Run the demo up to its table, in its own data folder and on free ports."""

    def run(*options: str, first_day: str = FIRST_DAY) -> subprocess.CompletedProcess[str]:
        named = {name for name in os.environ if name in VARIABLES or name == "DJANGO_SETTINGS_MODULE"}
        environment = {name: value for name, value in os.environ.items() if name not in named}
        command = [
            *(sys.executable, "manage.py", "demo", "--settings", "config.settings.demo"),
            *("--exit", "--any-ports", "--begin", first_day, *options),
        ]
        process = subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
            command,
            cwd=ROOT,
            env={**environment, "DATA_DIR": str(tmp_path / "demo")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            output, _ = process.communicate(timeout=SECONDS_ALLOWED)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)  # so that it stops the servers it started
            output, _ = process.communicate(timeout=60)
            pytest.fail(f"The demo did not end in {SECONDS_ALLOWED} seconds.\n{output[-4000:]}")
        return subprocess.CompletedProcess(command, process.returncode, stdout=output)

    return run


def test_every_story_ends_well_in_the_alternate_dialect(run_demo: Demo) -> None:
    """The reference dialect is what `make demo EXIT=1` speaks in CI, and the test below."""
    told = run_demo("--dialect", "alternate")

    assert told.returncode == 0, told.stdout[-4000:]
    assert "All 8 cases ended as expected" in told.stdout
    assert "8 accounts read, 8 match our records." in told.stdout


def test_repeatedly_killing_the_process_changes_no_outcome(run_demo: Demo) -> None:
    told = run_demo("--kill", "7")

    assert told.returncode == 0, told.stdout[-4000:]
    assert "All 8 cases ended as expected" in told.stdout
    assert "were killed and restarted 0 times" not in told.stdout


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--dialect", "texan"], "There is no dialect 'texan'. Choose one of reference, alternate."),
        (["--kill", "often"], "'often' is not a seed. Use a whole number or 'random'."),
    ],
)
def test_unknown_option_is_refused_with_the_valid_ones(run_demo: Demo, options: list[str], complaint: str) -> None:
    told = run_demo(*options)

    assert told.returncode == 1
    assert complaint in told.stdout


def test_folder_with_other_files_is_not_used(run_demo: Demo, tmp_path: Path) -> None:
    kept = tmp_path / "demo" / "thesis.txt"
    kept.parent.mkdir()
    kept.write_text("Years of work.")

    told = run_demo()

    assert told.returncode == 1
    assert "holds other things than a demo's" in told.stdout
    assert kept.read_text() == "Years of work."
