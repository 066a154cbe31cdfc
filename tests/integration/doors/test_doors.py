"""Who gets in where: every address of the house times everybody who may come."""

import io
import json

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.cache import caches
from django.db import transaction
from django.http import HttpResponse
from pypdf import PdfReader

from core.admin.links import button_url
from core.admin.records import RecordAdmin
from tests.integration.doors.house import ROLES, UNKNOWN_ID, UNKNOWN_UUID, House, records_in_admin
from tests.integration.doors.table import API, PORTAL, SIGN_IN, Answer, behind_link, doors, routes
from tests.integration.poa_documents.portal_visits import Visit

pytestmark = pytest.mark.django_db
SIGN_IN_PAGES = ("/admin/login/", "/field/sign-in/")


def answer_of(response: HttpResponse) -> Answer:
    if response.status_code == 302 and response["Location"].startswith(SIGN_IN_PAGES):
        return SIGN_IN
    return response.status_code


def asked(house: House, role: str, method: str, address: str) -> HttpResponse:
    """Try a door and leave everything behind as it was."""
    client = house.client(role)
    caches["default"].clear()  # how often somebody may try is another test's
    with transaction.atomic():
        response: HttpResponse = getattr(client, method)(address)
        transaction.set_rollback(True)
    return response


def test_every_address_is_in_the_table(house: House) -> None:
    known = {door.route for door in doors()}

    assert set(routes()) - known == set()
    assert known - set(routes()) == set()


@pytest.mark.parametrize("role", ROLES)
def test_each_door_answers_as_the_table_says(house: House, role: str) -> None:
    """Away from the portal a customer is nobody: the link says nothing there."""
    wrong = {}
    for door in PORTAL if role.startswith("customer") else doors():
        address = door.address(house, role)
        for method, answers in (("get", door.get), ("post", door.post)):
            found = answer_of(asked(house, role, method, address))
            if found != answers[role]:
                wrong[f"{method} {address}"] = f"{found}, not {answers[role]}"

    assert wrong == {}


FOREIGN = (
    ("other technician", "/field/jobs/{house.job.pk}/", UNKNOWN_ID),
    ("other technician", "/field/reports/{house.report.submission_id}/", UNKNOWN_UUID),
    ("office", "/field/reports/{house.report.submission_id}/", UNKNOWN_UUID),
    ("token of a technician", "/api/v1/customers/{house.job.customer_id}/", UNKNOWN_ID),
    ("token of a technician", "/api/v1/poa-requests/{house.poa.pk}/", UNKNOWN_ID),
    ("technician", "/admin/poa_documents/poadocument/{house.poa.pk}/change/", UNKNOWN_ID),
)


def test_a_foreign_record_answers_as_one_that_does_not_exist(house: House) -> None:
    for role, template, unknown in FOREIGN:
        foreign = template.format(house=house)
        other = "/".join(str(unknown) if part.isdigit() or len(part) == 36 else part for part in foreign.split("/"))
        for method in ("get", "post"):
            answers = [asked(house, role, method, address) for address in (foreign, other)]

            assert answers[0].status_code == answers[1].status_code >= 302, foreign
            assert answers[0].content == answers[1].content, foreign
            assert {*answers[0].headers} == {*answers[1].headers}, foreign


def test_a_link_shows_nothing_before_the_code_was_typed(house: House) -> None:
    shut, is_open = "customer with foreign link", "customer with own link"
    for door in PORTAL:
        seen = text_of(asked(house, shut, "get", door.address(house, shut)))

        assert house.job.site.address_1 not in seen, door.route
        assert str(house.job.customer) not in seen, door.route
        assert house.job.customer.email not in seen, door.route

    copy = text_of(asked(house, is_open, "get", behind_link("copy.pdf")(house, is_open)))
    assert house.job.site.address_1 in copy


def text_of(response: HttpResponse) -> str:
    if response.headers.get("Content-Type") == "application/pdf":
        pages = PdfReader(io.BytesIO(response.content)).pages
        return " ".join(" ".join(page.extract_text() for page in pages).split())
    return response.content.decode()


def test_the_form_of_one_link_does_nothing_at_another(house: House) -> None:
    """The key in a form belongs to the link that the page was opened through."""
    page = Visit(house.own_links["customer with foreign link"], house.client("customer with foreign link"))
    key = page.fields("revoke/")["form_key"]

    answer = house.client("customer with own link").post(
        behind_link("revoke/")(house, "customer with own link"), {"form_key": key}
    )

    assert answer.status_code == 403


def test_buttons_are_shut_to_whoever_may_only_look(house: House) -> None:
    """Saving a file to look at it is looking, and is logged as that."""
    viewer = User.objects.create_user("victor", is_staff=True)
    viewer.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
    house.users["viewer"] = viewer
    pressed = 0
    for model, key in records_in_admin():
        registered = admin.site._registry.get(model)
        for button in registered.buttons if isinstance(registered, RecordAdmin) and key else ():
            address = button_url(model._default_manager.get(pk=key), button.name)
            allowed = button.permission.partition(".")[2].startswith("view_")
            for method in ("get", "post"):
                assert answer_of(asked(house, "technician", method, address)) == SIGN_IN, address
                assert (answer_of(asked(house, "viewer", method, address)) != 403) == allowed, address
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
def test_a_form_finds_its_choices_for_whoever_may_see_them(house: House, form: str, field: str, typed: str) -> None:
    app, model = form.split("/")
    address = f"/admin/autocomplete/?term={typed}&app_label={app}&model_name={model}&field_name={field}"
    house.users["newcomer"] = User.objects.create_user("nora", is_staff=True)

    assert json.loads(asked(house, "office", "get", address).content)["results"]
    assert asked(house, "newcomer", "get", address).status_code == 403
    assert answer_of(asked(house, "technician", "get", address)) == SIGN_IN


@pytest.mark.parametrize("role", ["technician", "office", "superuser"])
def test_no_form_is_taken_from_elsewhere(house: House, role: str) -> None:
    """Every POST of somebody who is signed in needs the token of our own page."""
    client = house.client(role)
    client.handler.enforce_csrf_checks = True
    exempt = ("/portal/", "/webhooks/", "/api/")  # a key in each form; a signature; no cookies at all
    taken = {}
    for door in doors():
        address = door.address(house, role)
        if not address.startswith(exempt) and door.get[role] != 404:
            answer = client.post(address)
            # Where a POST is unknown, or goes elsewhere without reading it, nothing can be taken from it.
            if answer.status_code not in {403, 404, 405} and not answer.headers.get("Location", "").startswith(
                "/admin"
            ):
                taken[address] = answer.status_code

    assert taken == {}


def test_the_api_takes_no_session_for_a_token(house: House) -> None:
    for role in ("office", "superuser", "technician"):
        for door in API:
            if "/v1/" in door.route and "token" not in door.route:
                assert asked(house, role, "get", door.address(house, role)).status_code == 401, door.route
                assert asked(house, role, "post", door.address(house, role)).status_code == 401, door.route
