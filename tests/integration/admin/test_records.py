"""Every record is registered, cannot be overwritten or deleted, and is harmless whatever it contains."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from core.actors import Actor
from core.admin.links import button_url, record_url
from core.admin.records import RecordAdmin
from enrollments.actions.holds import release_hold
from enrollments.actions.pauses import pause
from enrollments.models import Hold, RemoteCall, WebhookDelivery
from enrollments.states import HoldCode
from installations.moves import record_event
from poa_documents.actions import record_stop_signal
from poa_documents.models import StopKind
from tests.factories.accounts import api_client, client_key
from tests.factories.cases import case, held_case, hold, judged_offer
from tests.factories.installations import AT, customer, go_live_report, installation, site
from tests.factories.poa_documents import sent_poa, signed_poa

OUR_APPS = ("accounts", "installations", "poa_documents", "enrollments")
SCRIPT = "<script>alert(1)</script>"
pytestmark = pytest.mark.django_db


def our_models() -> list[type[Model]]:
    return [model for label in OUR_APPS for model in apps.get_app_config(label).get_models()]


def a_whole_case(*, name: str = "Carmen") -> None:
    """One case with every kind of record, all under `name`."""
    person = customer(first_name=name, last_name=name)
    place = site(address_1=name, city=name)
    job = installation(customer=person, site=place)
    poa = signed_poa(customer=person, site=place, at=AT)
    go_live_report(job, note=name)
    enrollment = case(job=job)
    hold(enrollment, at=AT, because=name)
    judged_offer(enrollment, poa, name=name)
    client_key(api_client(name=name))
    RemoteCall.objects.create(
        enrollment=enrollment, purpose="read", method="GET", path=f"/{name}", seconds=0.1, problem=name, at=AT
    )
    WebhookDelivery.objects.create(
        event_key="e1", body=name, event_name=name, enrollment=enrollment, received_at=AT, last_error=name
    )


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model._meta.label)
def test_every_record_of_ours_is_registered(model: type[Model]) -> None:
    assert model in admin.site._registry


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model._meta.label)
def test_nothing_can_be_deleted(model: type[Model], rf: object, admin_user: User) -> None:
    request = type("Request", (), {"user": admin_user})()

    assert admin.site._registry[model].has_delete_permission(request) is False


@pytest.mark.parametrize("name", ["Carmen", SCRIPT], ids=["plain", "with HTML in it"])
def test_every_page_shows_its_record_without_customer_markup(admin_client: Client, name: str) -> None:
    a_whole_case(name=name)
    opened = 0

    for model in our_models():
        record = model._default_manager.first()
        if record is None:
            continue
        opts = model._meta
        listed = admin_client.get(reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"))
        shown = admin_client.get(record_url(record))
        opened += 1

        assert listed.status_code == 200, model
        assert shown.status_code == 200, model
        assert SCRIPT not in listed.content.decode()
        assert SCRIPT not in shown.content.decode()

    assert opened >= 15
    assert SCRIPT not in admin_client.get("/admin/").content.decode()


def test_searching_for_html_does_no_harm(admin_client: Client) -> None:
    a_whole_case(name=SCRIPT)

    answer = admin_client.get("/admin/search/", {"s": SCRIPT, "extended": "1"})

    assert SCRIPT not in answer.content.decode()


def test_record_cannot_be_overwritten(office_client: Client) -> None:
    job = installation()

    answer = office_client.post(record_url(job), {"status": "PTO_CONFIRMED"})

    job.refresh_from_db()
    assert answer.status_code == 403
    assert job.status == "SOLD"


def test_records_of_all_packages_are_linked_both_ways(office_client: Client) -> None:
    person, place = customer(), site()
    job = installation(customer=person, site=place)
    poa = sent_poa(customer=person, site=place, at=AT)
    enrollment = held_case(job=job)
    linked: dict[Model, list[Model]] = {
        person: [place, job, poa, enrollment],
        place: [person, job, poa, enrollment],
        job: [person, place, enrollment],
        poa: [person, place, poa.envelope],
        poa.envelope: [poa],
        enrollment: [person, place, job, poa, enrollment.holds.get()],
        enrollment.holds.get(): [enrollment],
    }

    for record, others in linked.items():
        page = office_client.get(record_url(record)).content.decode()
        missing = [other for other in others if f'"{record_url(other)}"' not in page]

        assert missing == [], record


def test_page_never_shows_hidden_fields(admin_client: Client) -> None:
    poa = signed_poa()

    page = admin_client.get(record_url(poa)).content.decode()
    customer_page = admin_client.get(record_url(poa.customer)).content.decode()

    poa.refresh_from_db()
    assert poa.token_hash
    assert poa.token_hash not in page
    assert poa.signature_text not in page.replace(str(poa.customer), "")
    assert str(poa.customer.date_of_birth) not in customer_page


def test_people_without_permissions_see_no_records(client: Client) -> None:
    enrollment = held_case()
    stranger = User.objects.create_user("stranger", password="a long enough password", is_staff=True)
    client.force_login(stranger)

    front = client.get("/admin/").content.decode()
    page = client.get(record_url(enrollment))

    assert str(enrollment.customer) not in front
    assert page.status_code in {302, 403}


def test_technicians_cannot_sign_in(client: Client) -> None:
    technician = User.objects.create_user("tess", password="a long enough password")
    client.force_login(technician)

    answer = client.get("/admin/")

    assert answer.status_code == 302
    assert "/login/" in answer["Location"]


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model._meta.label)
def test_every_admin_class_comes_from_our_base(model: type[Model]) -> None:
    if model._meta.model_name not in {"planpromise", "user"}:  # edited on the page
        assert isinstance(admin.site._registry[model], RecordAdmin)


def test_consent_hold_has_no_override_button(office_client: Client) -> None:
    enrollment = case()
    hold(enrollment, at=AT, code=HoldCode.AUTHORITY_ENDED)

    page = office_client.get(record_url(enrollment)).content.decode()
    hold_page = office_client.get(record_url(enrollment.holds.get())).content.decode()

    assert "button/release/" not in page
    assert "button/release/" not in hold_page


def test_pauses_holds_and_stop_signals_name_the_person(office_client: Client, office: User) -> None:
    enrollment, poa, by = held_case(), sent_poa(at=AT), Actor.staff(office.public_id)
    release_hold(hold_id=enrollment.holds.get().pk, reason="Light fixed it.", by=by, at=AT)
    signal = record_stop_signal(
        customer_id=poa.customer_id, kind=StopKind.INCAPACITATED, source="A son called.", by=by, at=AT
    )

    for record in (pause(reason="Prices.", by=by, at=AT), enrollment.holds.get(), signal):
        page = office_client.get(record_url(record)).content.decode()

        assert "olivia (staff)" in page, record


def test_people_are_never_shown_as_numbers(admin_client: Client, admin_user: User) -> None:
    a_whole_case()
    by = Actor.staff(admin_user.public_id)
    release_hold(hold_id=Hold.objects.get().pk, reason="Light fixed it.", by=by, at=AT)
    pause(reason="Prices.", by=by, at=AT)
    opened = 0

    for record in filter(None, (model._default_manager.first() for model in our_models())):
        opts = record._meta
        for address in (reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"), record_url(record)):
            page = admin_client.get(address).content.decode()
            opened += 1

            assert re.findall(r"\b(?:staff|technician|customer|client_system):[0-9]+", page) == [], address

    assert opened >= 30


def test_list_fetches_all_names_at_once(office_client: Client, office: User) -> None:
    for number in range(3):
        by = Actor.staff(User.objects.create_user(f"clerk{number}").public_id)
        record_event(installation(), "look", by=by, at=AT)

    with CaptureQueriesContext(connection) as asked:
        page = office_client.get("/admin/installations/installationevent/").content.decode()

    assert all(f"clerk{number} (staff)" in page for number in range(3))
    assert len([each for each in asked if 'FROM "accounts_user"' in each["sql"] and "IN (" in each["sql"]]) == 1


@pytest.mark.parametrize(
    "address",
    [
        "/admin/accounts/user/",
        "/admin/accounts/user/add/",
        "/admin/auth/group/",
        "/admin/auth/group/add/",
        "/admin/admin/logentry/",
        "/admin/enrollments/",
        "/admin/password_change/",
        "/admin/poa_documents/planpromise/add/",
        "/admin/search/?s=carmen",
        "/admin/search/?s=customers",
        "/admin/search/?s=customers&extended",
        "/admin/search/?s=customers&page=abc",
        "/admin/search/?s=customers&page=99",
    ],
)
def test_built_in_admin_pages_open_in_our_theme(admin_client: Client, address: str) -> None:
    answer = admin_client.get(address)

    assert answer.status_code == 200
    assert answer.content.decode().count("<main") <= 1


def test_staff_changes_are_kept_with_the_record(office_client: Client, office: User) -> None:
    job = installation()
    office_client.post(button_url(job, "install"))

    history = office_client.get(record_url(job).replace("/change/", "/history/")).content.decode()

    assert "Mark as installed" in history
    assert office.username in history


def test_office_group_cannot_make_itself_administrator(office_client: Client, office: User) -> None:
    answers = [
        office_client.get(address).status_code
        for address in ("/admin/accounts/user/", f"/admin/accounts/user/{office.public_id}/change/")
    ]

    assert answers == [403, 403]


@pytest.mark.parametrize(
    "address",
    [
        "poa_documents/poadocument/?token_hash__startswith=a",
        "poa_documents/poadocument/?signature_text__startswith=a",
        "installations/customer/?date_of_birth_text__gt=a",
    ],
)
def test_no_list_search_reveals_hidden_fields(office_client: Client, address: str) -> None:
    assert office_client.get(f"/admin/{address}").status_code == 400
