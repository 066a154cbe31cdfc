"""The headers of every answer, at every address."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, cast
from urllib.parse import quote, urljoin

import pytest
from django.http import HttpResponse

from tests.integration.access.company import Company
from tests.integration.access.table import API, FIELD, PORTAL, Endpoint, endpoints

pytestmark = pytest.mark.django_db
OWN = "customer with own link"
ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "https:evil.example",
    "javascript:alert(1)",
)


def role_at(endpoint: Endpoint) -> str:
    if endpoint in PORTAL:
        return OWN
    if endpoint in FIELD:
        return "technician"
    return "token of the office" if endpoint in API else "office"


def opened(company: Company, endpoint: Endpoint) -> HttpResponse:
    role = role_at(endpoint)
    return asked(company, role, endpoint.address(company, role))


def asked(company: Company, role: str, address: str, **headers: str) -> HttpResponse:
    response: Any = company.client(role).get(address, headers=headers)
    return cast("HttpResponse", response)


def policy_of(response: HttpResponse) -> dict[str, list[str]]:
    written = response["Content-Security-Policy"]
    return {name: sources for name, *sources in (directive.split() for directive in written.split("; "))}


def test_every_answer_has_safe_headers_and_no_requested_host(company: Company) -> None:
    wrong = {}
    for endpoint in endpoints():
        role = role_at(endpoint)
        address = endpoint.address(company, role)
        response = asked(company, role, address, host="localhost")
        found = [*frames_or_foreign_code(response), *cacheable_pages(address, response), *names_its_host(response)]
        if found:
            wrong[endpoint.route] = found

    assert wrong == {}


def frames_or_foreign_code(response: HttpResponse) -> Iterator[str]:
    expected = {"frame-ancestors": "'none'", "default-src": "'self'", "object-src": "'none'", "base-uri": "'none'"}
    policy = policy_of(response)
    yield from (f"{name} is {policy.get(name)}" for name, only in expected.items() if policy.get(name) != [only])
    for name, value in (("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY")):
        if response.headers.get(name) != value:
            yield f"{name} is {response.headers.get(name)}"


def cacheable_pages(address: str, response: HttpResponse) -> Iterator[str]:
    is_personal = address.startswith(("/portal/", "/field/", "/admin/", "/api/")) and not address.endswith(".js")
    if is_personal and "no-store" not in response.headers.get("Cache-Control", ""):
        yield f"kept: {response.headers.get('Cache-Control')}"


def names_its_host(response: HttpResponse) -> Iterator[str]:
    if "//localhost" in response.headers.get("Location", ""):
        yield f"leads to {response['Location']}"
    if "text/html" in response.headers.get("Content-Type", "") and b"//localhost" in response.content:
        yield "has a link that begins with the host asked for"


def test_forged_host_is_refused(company: Company) -> None:
    assert company.client("nobody").get("/field/sign-in/", headers={"host": "evil.example"}).status_code == 400


def test_pages_of_customers_and_technicians_run_no_inline_code(company: Company) -> None:
    for endpoint in (*PORTAL, *FIELD):
        sources = [source for each in policy_of(opened(company, endpoint)).values() for source in each]

        assert not any("unsafe" in source or source in {"*", "https:", "http:"} for source in sources), endpoint.route


def test_no_page_holds_inline_code_or_loads_from_elsewhere(company: Company) -> None:
    """The header would stop it; a page that relies on being stopped is broken."""
    decided_once = 0
    for endpoint in (*PORTAL, *FIELD):
        response = opened(company, endpoint)
        if "text/html" not in response.headers.get("Content-Type", "") or response.status_code != 200:
            continue
        found = InlineCode()
        found.feed(response.content.decode())
        decided_once += 1

        assert found.problems == [], endpoint.route

    assert decided_once >= 5


class InlineCode(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") != "application/json"):
            self.problems.append(f"<{tag}> with code in it")
        self.problems += [f"{name} on <{tag}>" for name in given if name.startswith("on") or name == "style"]
        loaded = given.get("src", "") or (given.get("href", "") if tag == "link" else "")
        if re.match(r"(?i)(https?:)?//|javascript:", loaded):
            self.problems.append(f"<{tag}> loads {loaded}")


def test_pages_behind_a_link_send_no_referrer(company: Company) -> None:
    for endpoint in PORTAL:
        for role in (OWN, "nobody"):
            response = company.client(role).get(endpoint.address(company, role))

            assert response["Referrer-Policy"] == "no-referrer", endpoint.route


@pytest.mark.parametrize(("page", "person"), [("/field/sign-in/", "technician"), ("/admin/login/", "office")])
def test_sign_in_never_redirects_to_another_host(company: Company, page: str, person: str) -> None:
    typed = {"username": company.users[person].username, "password": "a long enough password"}
    for wanted in ELSEWHERE:
        response = company.client("nobody").post(f"{page}?next={quote(wanted)}", {**typed, "next": wanted})

        assert response.status_code == 302, wanted
        assert urljoin(f"https://ours.example{page}", response["Location"]).startswith("https://ours.example/"), wanted
