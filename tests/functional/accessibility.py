"""What axe-core finds on a page in the browser, by the rules of WCAG 2.2 AA."""

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[1] / "vendor" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
PICTURES = os.environ.get("LOOK_AT_PAGES", "")
"""Set to a folder to save a picture of every checked page there."""


@cache
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")


def violations_on(page: Page, name: str = "") -> list[str]:
    """List the violations, each with the rule and the elements; empty if there are none."""
    _take_picture(page, name)
    page.evaluate(_axe())
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})", RULES
    )
    return [
        f"{page.url.rpartition('/portal/')[2]}: {violation['id']}: {violation['help']}: "
        + "; ".join(
            f"{node['html'][:160]} ({node['any'][:1] and node['any'][0]['message']})" for node in violation["nodes"][:3]
        )
        for violation in found["violations"]
    ]


def _take_picture(page: Page, name: str) -> None:
    if PICTURES:
        size = page.viewport_size or {"width": 0}
        file = re.sub(r"[^a-z0-9]+", "-", (name or page.url.split("/", 3)[-1]).lower()).strip("-")[:80]
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(PICTURES) / f"{file}-{size['width']}.png"), full_page=True)
