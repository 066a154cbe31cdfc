"""The security page names tests that exist, and has a promise of each kind."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROW = re.compile(r"^\| (?!Promise|-)(.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def names_in(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_named_on_the_page_exists() -> None:
    missing = [f"{file}::{name}" for file, name in NAMED_TEST.findall(PAGE) if name not in names_in(file)]

    assert missing == []


def test_every_promise_has_its_number_and_test() -> None:
    rows = ROW.findall(PAGE)
    bare = [promise for promise, number, shown in rows if not re.match(r"\d+\.\d+\.\d+", number) or "::" not in shown]

    assert len(rows) >= 30
    assert bare == []
