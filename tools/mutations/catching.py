"""Applies the deliberate bugs to a copy, runs the tests that should notice, and keeps which test did."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.mutations.bugs import BUGS, Bug

ROOT = Path(__file__).parent.parent.parent
RESULTS = Path(__file__).parent / "caught.json"
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".hypothesis", "var", "node_modules", ".*_cache")
MAX_SECONDS = 900
CAUGHT, CLEAN = 1, 0
"""The exit codes of pytest: some test failed, and all passed. Any other one means that it could not run."""

FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/\S+?\.py::\w+(?:\[.*?\])?)(?= - |$)", re.MULTILINE)
OPTIONS = ("-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:schemathesis", "--tb=no")


class CannotRun(Exception):
    """The tests could not be run at all, so nothing is known about the bug."""


def text_with(bug: Bug, text: str) -> str:
    """:raises ValueError: the text to replace is not in the file exactly once"""
    count = text.count(bug.old)
    if not bug.old or count != 1:
        raise ValueError(f"{bug.name}: its old text is {count} times in {bug.file}; rewrite the bug.")
    return text.replace(bug.old, bug.new)


def catch(bug: Bug, copy: Path) -> str | None:
    """
    Return the test in which the bug shows, with its parameters, or None if it survives. The copy is then restored.

    :raises CannotRun: pytest ended with neither a pass nor a failure
    """
    file = copy / bug.file
    whole = file.read_text(encoding="utf-8")
    file.write_text(text_with(bug, whole), encoding="utf-8")
    try:
        return run(bug.noticed_by, copy)
    finally:
        file.write_text(whole, encoding="utf-8")


def run(tests: Iterable[str], copy: Path) -> str | None:
    """
    Run tests in the copy until one fails, and return that one.

    :raises CannotRun: pytest ended with neither a pass nor a failure
    """
    environment = {name: value for name, value in os.environ.items() if name not in {"DATA_DIR", "DATABASE_URL"}}
    environment["MIGRATED_DATABASE"] = str(copy.parent / "migrated.sqlite3")
    command = [sys.executable, "-m", "pytest", *OPTIONS, *tests]
    done = subprocess.run(  # noqa: S603 - our own interpreter
        command, cwd=copy, env=environment, capture_output=True, text=True, timeout=MAX_SECONDS, check=False
    )
    if done.returncode == CLEAN:
        return None
    failed = FAILED.search(done.stdout)
    if done.returncode != CAUGHT or failed is None:
        raise CannotRun(
            f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}"
        )
    return failed[1]


@contextmanager
def copied_project() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="switchyard-mutations-") as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        yield copy


def kept_results() -> dict[str, str]:
    """Return which test caught which bug when it was last tried."""
    results: dict[str, str] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    return results


def keep_results(results: dict[str, str]) -> None:
    in_order = {bug.name: results[bug.name] for bug in BUGS if bug.name in results}
    RESULTS.write_text(json.dumps(in_order, indent=2) + "\n", encoding="utf-8")


def problems() -> list[str]:
    """List what no longer fits: a bug that cannot be applied, an invariant without one, a test that is gone."""
    results = kept_results()
    found = []
    for bug in BUGS:
        try:
            text_with(bug, (ROOT / bug.file).read_text(encoding="utf-8"))
        except (ValueError, OSError) as problem:
            found.append(str(problem))
        if bug.name not in results:
            found.append(f"{bug.name}: no test is known to catch it; run `make test-mutations`.")
        named = [*bug.noticed_by, *([results[bug.name]] if bug.name in results else [])]
        found += [f"{bug.name}: there is no {test}" for test in named if not _exists(test)]
    known = {bug.name for bug in BUGS}
    found += [f"{name}: caught, and no bug of that name is left" for name in results if name not in known]
    without = {f"I{number}" for number in range(1, 13)} - {bug.invariant for bug in BUGS}
    found += [f"No bug is tried against {invariant}." for invariant in sorted(without)]
    return found


def _exists(test: str) -> bool:
    path, _, name = test.partition("::")
    file = ROOT / path
    if not file.exists():
        return False
    functions = (node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.FunctionDef))
    return not name or any(function.name == name for function in functions)
