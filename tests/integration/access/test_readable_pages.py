"""No page for people shows a stored code, a UUID, a brace or an ISO instant."""

import re
from html.parser import HTMLParser

import pytest
from django.http import HttpResponse

from config.environment import VARIABLES
from tests.integration.access.company import Company
from tests.integration.access.table import PORTAL, Endpoint, endpoints
from tests.integration.access.test_access import asked

pytestmark = pytest.mark.django_db

_NOT_SHOWN = frozenset({"script", "style", "title", "template", "pre", "textarea"})
"""Raw data that is labeled as such is in `pre`."""
_IDENTIFIED_AT_LIGHT = ("/planoffer/", "/envelope/", "/difference/", "/webhookdelivery/")
"""Records whose pages show Light's identifier of a plan or account, by which it is found there."""
_UNREADABLE = {
    "code": re.compile(r"\b[A-Z]{3,}_[A-Z_]+\b"),
    "UUID": re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE),
    "brace": re.compile(r"[{}]"),
    "instant": re.compile(r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"),
}


class _Text(HTMLParser):
    """Collects the text that a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in _NOT_SHOWN

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _NOT_SHOWN

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _visible_text(response: HttpResponse) -> str:
    page = _Text()
    page.feed(response.content.decode())
    return " ".join(" ".join(page.parts).split())


def _unreadable_parts(company: Company, role: str, pages: list[Endpoint]) -> dict[str, list[str]]:
    found = {}
    for page in pages:
        address = page.address(company, role)
        response = asked(company, role, "get", address)
        if response.status_code != 200 or not response["Content-Type"].startswith("text/html"):
            continue
        text = _visible_text(response)
        parts = [
            f"{kind}: {text[max(0, match.start() - 40) : match.end() + 20]}"
            for kind, pattern in _UNREADABLE.items()
            if not (kind in {"UUID", "brace"} and any(part in address for part in _IDENTIFIED_AT_LIGHT))
            for match in pattern.finditer(text)
            if match.group() not in VARIABLES
        ]
        if parts:
            found[address] = parts
    return found


@pytest.mark.parametrize(
    ("role", "surface"), [("office", "admin/"), ("superuser", "admin/"), ("technician", "field/"), ("office", "field/")]
)
def test_staff_and_technicians_see_no_stored_values(company: Company, role: str, surface: str) -> None:
    pages = [page for page in endpoints() if page.route.startswith(surface)]

    assert _unreadable_parts(company, role, pages) == {}


def test_customers_see_no_stored_values(company: Company) -> None:
    assert _unreadable_parts(company, "customer with own link", list(PORTAL)) == {}


def test_patterns_find_forbidden_values() -> None:
    text = "OUTSIDE_LIMITS 00000000-0000-4000-8000-000000000000 {'a': 1} 2026-03-05T16:00:00+00:00"

    assert all(pattern.search(text) for pattern in _UNREADABLE.values())
    assert not any(pattern.search("PTO, POA, ESI ID 1044372, Mar 5, 2026, 16:00") for pattern in _UNREADABLE.values())
