"""Access control: every address for every kind of caller."""

import io
import json

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.cache import caches
from django.db import transaction
from django.http import HttpResponse
from pypdf import PdfReader

from accounts.models import User
from core.admin.links import button_url
from core.admin.records import RecordAdmin
from tests.integration.access.company import ROLES, UNKNOWN_UUID, Company, records_in_admin
from tests.integration.access.table import API, PORTAL, SIGN_IN, Answer, behind_link, endpoints, routes
from tests.integration.poa_documents.portal_visits import Visit

pytestmark = pytest.mark.django_db
SIGN_IN_PAGES = ("/admin/login/", "/field/sign-in/")


def answer_of(response: HttpResponse) -> Answer:
    if response.status_code == 302 and response["Location"].startswith(SIGN_IN_PAGES):
        return SIGN_IN
    return response.status_code


def asked(company: Company, role: str, method: str, address: str) -> HttpResponse:
    """Try an endpoint and roll back everything it changed."""
    client = company.client(role)
    caches["default"].clear()  # rate limits are tested elsewhere
    with transaction.atomic():
        response: HttpResponse = getattr(client, method)(address)
        transaction.set_rollback(True)
    return response


def test_every_address_is_in_the_table(company: Company) -> None:
    known = {endpoint.route for endpoint in endpoints()}

    assert set(routes()) - known == set()
    assert known - set(routes()) == set()


@pytest.mark.parametrize("role", ROLES)
def test_each_address_answers_as_in_the_table(company: Company, role: str) -> None:
    """Outside the portal a customer has no rights: the link means nothing there."""
    wrong = {}
    for endpoint in PORTAL if role.startswith("customer") else endpoints():
        address = endpoint.address(company, role)
        for method, answers in (("get", endpoint.get), ("post", endpoint.post)):
            found = answer_of(asked(company, role, method, address))
            if found != answers[role]:
                wrong[f"{method} {address}"] = f"{found}, not {answers[role]}"

    assert wrong == {}


FOREIGN = (
    ("other technician", "/field/jobs/{company.job.public_id}/", UNKNOWN_UUID),
    ("other technician", "/field/reports/{company.report.submission_id}/", UNKNOWN_UUID),
    ("office", "/field/reports/{company.report.submission_id}/", UNKNOWN_UUID),
    ("token of a technician", "/api/v1/customers/{company.job.customer.public_id}/", UNKNOWN_UUID),
    ("token of a technician", "/api/v1/poa-requests/{company.poa.public_id}/", UNKNOWN_UUID),
    ("technician", "/admin/poa_documents/poadocument/{company.poa.public_id}/change/", UNKNOWN_UUID),
)


def test_foreign_record_answers_like_a_missing_one(company: Company) -> None:
    for role, template, unknown in FOREIGN:
        foreign = template.format(company=company)
        other = "/".join(str(unknown) if len(part) == 36 else part for part in foreign.split("/"))
        for method in ("get", "post"):
            answers = [asked(company, role, method, address) for address in (foreign, other)]

            assert answers[0].status_code == answers[1].status_code >= 302, foreign
            assert answers[0].content == answers[1].content, foreign
            assert {*answers[0].headers} == {*answers[1].headers}, foreign


def test_link_shows_nothing_before_the_code(company: Company) -> None:
    shut, is_open = "customer with foreign link", "customer with own link"
    for endpoint in PORTAL:
        seen = text_of(asked(company, shut, "get", endpoint.address(company, shut)))

        assert company.job.site.address_1 not in seen, endpoint.route
        assert str(company.job.customer) not in seen, endpoint.route
        assert company.job.customer.email not in seen, endpoint.route

    copy = text_of(asked(company, is_open, "get", behind_link("copy.pdf")(company, is_open)))
    assert company.job.site.address_1 in copy


def text_of(response: HttpResponse) -> str:
    if response.headers.get("Content-Type") == "application/pdf":
        pages = PdfReader(io.BytesIO(response.content)).pages
        return " ".join(" ".join(page.extract_text() for page in pages).split())
    return response.content.decode()


def test_form_of_one_link_does_nothing_at_another(company: Company) -> None:
    """The key in a form belongs to the link through which the page was opened."""
    page = Visit(company.own_links["customer with foreign link"], company.client("customer with foreign link"))
    key = page.fields("revoke/")["form_key"]

    answer = company.client("customer with own link").post(
        behind_link("revoke/")(company, "customer with own link"), {"form_key": key}
    )

    assert answer.status_code == 403


def test_viewers_get_no_buttons(company: Company) -> None:
    """Downloading a file counts as viewing it, and is logged as such."""
    viewer = User.objects.create_user("victor", is_staff=True)
    viewer.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    company.users["viewer"] = viewer
    pressed = 0
    for model, key in records_in_admin():
        registered = admin.site._registry.get(model)
        for button in registered.buttons if isinstance(registered, RecordAdmin) and key else ():
            address = button_url(model._default_manager.get(public_id=key), button.name)
            allowed = button.permission.partition(".")[2].startswith("view_")
            for method in ("get", "post"):
                assert answer_of(asked(company, "technician", method, address)) == SIGN_IN, address
                assert (answer_of(asked(company, "viewer", method, address)) != 403) == allowed, address
                pressed += 1

    assert pressed >= 40


@pytest.mark.parametrize(
    ("form", "field", "typed"),
    [
        ("installations/installation", "customer", "Carmen"),
        ("installations/installation", "site", "Juniper"),
        ("poa_documents/poadocument", "customer", "Carmen"),
        ("poa_documents/poadocument", "site", "Juniper"),
    ],
)
def test_form_offers_choices_only_to_those_who_may_see_them(
    company: Company, form: str, field: str, typed: str
) -> None:
    app, model = form.split("/")
    address = f"/admin/autocomplete/?term={typed}&app_label={app}&model_name={model}&field_name={field}"
    company.users["newcomer"] = User.objects.create_user("nora", is_staff=True)

    assert json.loads(asked(company, "office", "get", address).content)["results"]
    assert asked(company, "newcomer", "get", address).status_code == 403
    assert answer_of(asked(company, "technician", "get", address)) == SIGN_IN


@pytest.mark.parametrize("role", ["technician", "office", "superuser"])
def test_cross_site_forms_are_refused(company: Company, role: str) -> None:
    """Every POST of a signed-in person needs the token of our own page."""
    client = company.client(role)
    client.handler.enforce_csrf_checks = True
    exempt = ("/portal/", "/webhooks/", "/api/")  # a key in each form; a signature; no cookies at all
    taken = {}
    for endpoint in endpoints():
        address = endpoint.address(company, role)
        if not address.startswith(exempt) and endpoint.get[role] != 404:
            answer = client.post(address)
            # A POST that is unknown, or redirected unread, cannot do anything.
            if answer.status_code not in {403, 404, 405} and not answer.headers.get("Location", "").startswith(
                "/admin"
            ):
                taken[address] = answer.status_code

    assert taken == {}


def test_api_accepts_no_session_cookie(company: Company) -> None:
    for role in ("office", "superuser", "technician"):
        for endpoint in API:
            if "/v1/" in endpoint.route and "token" not in endpoint.route:
                assert asked(company, role, "get", endpoint.address(company, role)).status_code == 401, endpoint.route
                assert asked(company, role, "post", endpoint.address(company, role)).status_code == 401, endpoint.route
