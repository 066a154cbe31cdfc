"""The documentation matches the code: links have targets, names exist, tables are complete, commands work."""

import inspect
import re
import tomllib
from functools import reduce
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.apps import apps

from enrollments.decision.steps import CONSENT_HOLDS
from enrollments.states import HoldCode, HoldOwner

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OUR_PACKAGES = (
    "accounts",
    "config",
    "core",
    "demo",
    "enrollments",
    "installations",
    "operations",
    "poa_documents",
    "simulator",
    "tools",
)
MAX_PICTURE_BYTES = 200_000

FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
DOTTED_NAME = re.compile(rf"(?:{'|'.join(OUR_PACKAGES)})(?:\.\w+)+")
OUR_PATH = re.compile(
    r"(?:tests|tools|docs|accounts|config|core|demo|operations|enrollments|installations|poa_documents|simulator)/[\w./]*"
)
TYPED_MAKE = re.compile(r"^(?:[A-Z_]+=\S+ )*make ([a-z-]+)", re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def codes_of(page: Path) -> list[str]:
    return CODE.findall(FENCED.sub("", page.read_text()))


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub and similar sites make of the headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(page.read_text())}


def named(dotted: str) -> Any:
    """
    Return what a dotted name refers to.

    :raises AttributeError: nothing has that name
    """
    parts = dotted.split(".")
    module: ModuleType = import_module(parts[0])
    for count in range(2, len(parts) + 1):
        try:
            module = import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            return reduce(getattr, parts[count - 1 :], module)
    return module


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@page
def test_links_have_a_target(page: Path) -> None:
    broken = []
    for target in LINK.findall(FENCED.sub("", page.read_text())):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in anchors_of(found)):
            broken.append(target)

    assert broken == []


@page
def test_dotted_names_exist(page: Path) -> None:
    missing = []
    for dotted in filter(DOTTED_NAME.fullmatch, codes_of(page)):
        try:
            named(dotted)
        except (AttributeError, ModuleNotFoundError):
            missing.append(dotted)

    assert missing == []


@page
def test_paths_exist(page: Path) -> None:
    assert [code for code in codes_of(page) if OUR_PATH.fullmatch(code) and not (ROOT / code).exists()] == []


@page
def test_make_commands_exist(page: Path) -> None:
    code = "\n".join([*codes_of(page), *FENCED.findall(page.read_text())])

    assert set(TYPED_MAKE.findall(code)) <= make_targets()


def test_architecture_names_code_where_it_is_defined() -> None:
    told = {code: named(code) for code in codes_of(ROOT / "docs/architecture.md") if DOTTED_NAME.fullmatch(code)}
    written = {code: each for code, each in told.items() if inspect.isfunction(each) or inspect.isclass(each)}

    assert len(written) > 50
    assert [code for code, each in written.items() if code != f"{each.__module__}.{each.__qualname__}"] == []


def test_missing_name_would_be_found() -> None:
    with pytest.raises(AttributeError):
        named("enrollments.decision.decide.decide_otherwise")


def test_architecture_names_every_record() -> None:
    ours = {app_label for app_label in OUR_PACKAGES if apps.is_installed(app_label)} | {"core"}
    records = {
        f"{model.__module__}.{model.__name__}"
        for model in apps.get_models()
        if model._meta.app_label in ours and not model._meta.auto_created
    }

    assert records <= set(codes_of(ROOT / "docs/architecture.md"))


def test_architecture_states_every_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    text = " ".join((ROOT / "docs/architecture.md").read_text().split())
    apps_look_down = next(contract for contract in contracts if contract["id"] == "apps")

    assert [contract["name"] for contract in contracts if f"**{contract['name']}" not in text] == []
    assert ", ".join(f"`{layer}`" for layer in apps_look_down["layers"]) in text


def test_runbook_covers_every_hold() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.+)\|$", (ROOT / "docs/runbooks/holds.md").read_text(), re.MULTILINE)
    owners = {HoldOwner.OFFICE.label, HoldOwner.OPERATIONS.label}

    assert [code for code, _ in rows] == list(HoldCode.values)
    for code, cells in rows:
        meaning, owner, action = (cell.strip() for cell in cells.split("|"))
        assert meaning, code
        assert set(owner.split(", ")) <= owners, code
        assert action, code


def test_runbook_says_which_holds_nobody_can_release() -> None:
    text = " ".join((ROOT / "docs/runbooks/holds.md").read_text().split())

    assert {HoldCode.AUTHORITY_ENDED} == CONSENT_HOLDS
    assert "Nobody can release `AUTHORITY_ENDED` by hand" in text


def test_glossary_terms_are_in_the_code() -> None:
    table = re.findall(r"^\| .+ \| .+ \| (.*)\|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    spelled = {code for cell in table for code in CODE.findall(cell)}
    source = " ".join(path.read_text() for package in OUR_PACKAGES for path in (ROOT / package).rglob("*.py"))

    assert len(spelled) > 30
    assert [code for code in spelled if not re.search(rf"\b{re.escape(code)}\b", source)] == []


def test_readme_pictures_load_quickly() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())

    assert {Path(picture).name for picture in shown} >= {"work-queue.png", "signing.png", "field.png"}
    for picture in shown:
        assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")
        assert (ROOT / picture).stat().st_size < MAX_PICTURE_BYTES


def test_readme_explains_the_product_in_six_points() -> None:
    assert len(re.findall(r"^\d+\. ", (ROOT / "README.md").read_text(), re.MULTILINE)) == 6


def test_no_page_names_a_path_on_one_machine() -> None:
    assert [page.name for page in PAGES if re.search(r"(?<![\w.])/(?:home|root|work|Users)/", page.read_text())] == []
