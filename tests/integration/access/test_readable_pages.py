"""No page for people shows a stored code, a UUID, a brace or an ISO date."""

import re
from datetime import date
from html.parser import HTMLParser

import pytest
from django.http import HttpResponse

from config.environment import VARIABLES
from core.dates import short_date
from installations.models import Language
from poa_documents.limits import format_date
from tests.integration.access.company import Company
from tests.integration.access.table import PORTAL, Endpoint, endpoints
from tests.integration.access.test_access import asked

pytestmark = pytest.mark.django_db

_NOT_SHOWN = frozenset({"script", "style", "title", "template", "pre", "textarea"})
"""Raw data that is labeled as such is in `pre`."""
_IDENTIFIED_AT_LIGHT = ("/planoffer/", "/envelope/", "/difference/", "/webhookdelivery/")
"""Records whose pages show Light's identifier of a plan or account, by which it is found there."""
_QUOTES_WHAT_WAS_SIGNED = "/poadocument/"
_UNREADABLE = {
    "code": re.compile(r"\b[A-Z]{3,}_[A-Z_]+\b"),
    "UUID": re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE),
    "name": re.compile(
        r"\b(?:enrollments?|installations?|poa_documents|config|core)\.[a-z_]+"
        r"|(?<!manage\.py )(?<!\$)\b[a-z]{2,}(?:_[a-z]+)+\b"
    ),
    "brace": re.compile(r"[{}]"),
    "ISO date": re.compile(r"\b\d{4}-\d{2}-\d{2}(?!\d)"),
}
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_LONG_DATE = re.compile(rf"\b(?:{_MONTHS}) \d{{1,2}}, \d{{4}}")
"""The format of dates for customers."""
_SHORT_DATE = re.compile(r"\b(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{1,2}, \d{4}")
"""The format of dates for staff."""


class _Text(HTMLParser):
    """Collects the text that a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0
        self._is_icon = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _NOT_SHOWN
        self._is_icon = "material-symbols" in (dict(attrs).get("class") or "")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _NOT_SHOWN
        self._is_icon = False

    def handle_data(self, data: str) -> None:
        if not (self._hidden or self._is_icon):
            self.parts.append(data)


def _visible_text(response: HttpResponse) -> str:
    page = _Text()
    page.feed(response.content.decode())
    return " ".join(" ".join(page.parts).split())


def _unreadable_parts(
    company: Company, role: str, pages: list[Endpoint], *, foreign_date: re.Pattern[str]
) -> dict[str, list[str]]:
    found = {}
    for page in pages:
        address = page.address(company, role)
        response = asked(company, role, "get", address)
        if response.status_code != 200 or not response["Content-Type"].startswith("text/html"):
            continue
        text = _visible_text(response)
        parts = [
            f"{kind}: {text[max(0, match.start() - 40) : match.end() + 20]}"
            for kind, pattern in [*_UNREADABLE.items(), ("date", foreign_date)]
            if not (kind in {"UUID", "brace"} and any(part in address for part in _IDENTIFIED_AT_LIGHT))
            if not (kind == "date" and _QUOTES_WHAT_WAS_SIGNED in address)
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

    assert _unreadable_parts(company, role, pages, foreign_date=_LONG_DATE) == {}


def test_customers_see_no_stored_values(company: Company) -> None:
    assert _unreadable_parts(company, "customer with own link", list(PORTAL), foreign_date=_SHORT_DATE) == {}


def test_each_audience_has_its_own_format_of_dates() -> None:
    assert _LONG_DATE.search(format_date(date(2026, 3, 5), Language.ENGLISH))
    assert _SHORT_DATE.search(short_date(date(2026, 3, 5)))
    assert not _LONG_DATE.search(short_date(date(2026, 3, 5)))
    assert not _SHORT_DATE.search(format_date(date(2026, 3, 5), Language.ENGLISH))


def test_patterns_find_forbidden_values() -> None:
    text = "OUTSIDE_LIMITS 00000000-0000-4000-8000-000000000000 enrollment.hold {'a': 1} 2026-03-05T16:00:00+00:00"

    assert all(pattern.search(text) for pattern in _UNREADABLE.values())
    assert not any(pattern.search("PTO, POA, ESI ID 1044372, Mar 5, 2026, 4:00 PM") for pattern in _UNREADABLE.values())
