"""What leaves the system names records by their public ID: no link of a page and no answer of the API has a number."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.core import mail
from django.http import HttpResponse

from installations.models import Customer
from tests.integration.access.company import Company
from tests.integration.access.table import PORTAL, endpoints
from tests.integration.access.test_access import asked

pytestmark = pytest.mark.django_db

_LINKS = {"href", "src", "action", "formaction", "hx-get", "hx-post", "data-session-url"}
_NUMBER = re.compile(r"(?<![\w-])\d+(?![\w-])")
_DJANGOS_OWN = ("/admin/auth/group/", "/admin/admin/logentry/")
"""Groups and the log of the admin have no public ID (`core.admin.links`)."""
_KEYS = re.compile(r"(^|_)(id|pk)(__\w+)?$|^(customer|site|poa|enrollment|technician|run|client)(__exact)?$")
"""Query parameters that choose records."""
_OF_DJANGO = ("groups__", "content_type__")
"""Query parameters that choose a group or a kind of record, which have no public ID."""
_REFERENCES = {
    "id",
    "customer",
    "site",
    "installation",
    "technician",
    "promise",
    "corrects",
    "compared_with",
    "accepted_offer",
}
_PUBLIC_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ACTORS = {"reported_by", "confirmed_by", "released_by", "started_by", "ended_by", "actor"}


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in _LINKS and value]


def numbers_in(address: str) -> list[str]:
    """Return the numbers in an address that could be primary keys."""
    parts = urlsplit(address)
    if parts.path.startswith(("/static/", *_DJANGOS_OWN)) or parts.scheme in {"tel", "mailto", "data"}:
        return []
    return [
        *_NUMBER.findall(parts.path),
        *(
            value
            for name, value in parse_qsl(parts.query)
            if value.isdecimal() and _KEYS.search(name) and not name.startswith(_OF_DJANGO)
        ),
    ]


def links_of(response: HttpResponse) -> list[str]:
    page = _Links()
    page.feed(response.content.decode())
    return page.found


def test_a_primary_key_in_an_address_is_noticed() -> None:
    assert numbers_in("/admin/installations/customer/7/change/") == ["7"]
    assert numbers_in("https://office.example/field/jobs/51/") == ["51"]
    assert numbers_in("/admin/enrollments/remotecall/?enrollment__id__exact=3") == ["3"]
    assert numbers_in("/admin/installations/installation/add/?customer=51") == ["51"]
    assert numbers_in("/admin/installations/customer/01a23187-3ad7-7518-ab33-fb7939c888f9/change/?p=2") == []


@pytest.mark.parametrize(("role", "surface"), [("office", "admin/"), ("superuser", "admin/"), ("technician", "field/")])
def test_no_link_on_a_page_has_a_primary_key(company: Company, role: str, surface: str) -> None:
    found, checked = {}, 0
    for endpoint in (each for each in endpoints() if each.route.startswith(surface)):
        address = endpoint.address(company, role)
        response = asked(company, role, "get", address)
        if response.status_code != 200 or not response["Content-Type"].startswith("text/html"):
            continue
        checked += 1
        if numbers := {link: numbers_in(link) for link in links_of(response) if numbers_in(link)}:
            found[address] = numbers

    assert found == {}
    assert checked >= 2


def test_customer_links_and_mails_contain_no_primary_key(company: Company) -> None:
    role = "customer with own link"
    pages = [asked(company, role, "get", endpoint.address(company, role)) for endpoint in PORTAL]
    links = [
        link
        for page in pages
        if page.headers.get("Content-Type", "").startswith("text/html")
        for link in links_of(page)
    ]
    mailed = [link for each in mail.outbox for link in re.findall(r"https?://\S+", str(each.body))]

    assert {link: numbers_in(link) for link in (*links, *mailed) if numbers_in(link)} == {}
    assert links


def named_values(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            for key, each in value.items():
                yield from named_values(each, key)
        case list():
            for each in value:
                yield from named_values(each, name.removesuffix("s"))
        case _:
            yield name, value


def test_no_answer_of_the_api_has_a_primary_key(company: Company) -> None:
    wrong, checked = set(), 0
    for endpoint in (each for each in endpoints() if each.route.startswith("api/v1/")):
        address = endpoint.address(company, "token of a superuser")
        response = asked(company, "token of a superuser", "get", address)
        if response.status_code != 200:
            continue
        for name, value in named_values(json.loads(response.content)):
            checked += name == "id"
            if name in _REFERENCES and value is not None and not _PUBLIC_ID.fullmatch(str(value)):
                wrong.add((address, name, value))
            if name in _ACTORS and _NUMBER.search(str(value).partition(":")[2]):
                wrong.add((address, name, value))

    assert wrong == set()
    assert checked >= 16


def test_primary_keys_name_nothing_in_paths_and_bodies(company: Company) -> None:
    person = Customer.objects.get(pk=company.job.customer_id)

    path = asked(company, "token of a superuser", "get", f"/api/v1/customers/{person.pk}/")
    page = asked(company, "superuser", "get", f"/admin/installations/customer/{person.pk}/change/")
    job = asked(company, "technician", "get", f"/field/jobs/{company.job.pk}/")

    assert (path.status_code, page.status_code, job.status_code) == (404, 302, 404)
