"""Form entries survive an error and an expired session, and are shown to nobody else."""

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client

from accounts.models import User
from core.admin.links import button_url
from core.models import KeptForm
from installations.models import Customer
from tests.factories.installations import AT, SUBMITTED, customer, installation_at, technician
from tests.factories.phones import set_up_phone

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough password"
ADD_CUSTOMER = "/admin/installations/customer/add/"
TYPED = {"first_name": "Kay", "last_name": "Board", "email": "kay@example.com", "language": "en"}


@pytest.fixture
def office() -> User:
    person = User.objects.create_user("olivia", password=PASSWORD, is_staff=True)
    person.groups.add(Group.objects.get(name="office"))
    return person


def sign_in(client: Client, next_page: str, *, name: str = "olivia", at: str = "/admin/login/") -> Any:
    return client.post(at, {"username": name, "password": PASSWORD, "next": next_page})


def end_session(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.time() + timedelta(hours=13).total_seconds()
    monkeypatch.setattr("accounts.sessions.time.time", lambda: later)


def value_of(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]*value="([^"]*)"|value="([^"]*)"[^>]*name="{name}"', page)
    assert found, page
    return found[1] or found[2]


def test_refused_form_returns_by_redirect_with_its_entries(office: User) -> None:
    client = Client()
    client.force_login(office)

    answer = client.post(ADD_CUSTOMER, {**TYPED, "email": "nowhere"})
    pages = [client.get(answer["Location"]).text for _ in range(2)]

    assert answer.status_code == 302
    for page in pages:
        assert value_of(page, "first_name") == "Kay"
        assert "Enter a valid email address" in page
    assert not Customer.objects.exists()


def test_action_refusal_returns_the_same_way(office: User) -> None:
    client = Client()
    client.force_login(office)

    answer = client.post(ADD_CUSTOMER, {**TYPED, "phone": "12"})

    assert answer.status_code == 302
    assert "Enter a phone number" in client.get(answer["Location"]).text


def test_typed_form_survives_an_ended_session(office: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    sign_in(client, "/admin/")
    client.get(ADD_CUSTOMER)
    end_session(client, monkeypatch)

    shut = client.post(ADD_CUSTOMER, TYPED)
    asked = client.get(shut["Location"]).text
    monkeypatch.undo()
    back = sign_in(client, value_of(asked, "next"))
    page = client.get(back["Location"]).text

    assert "Your entries are saved" in asked
    assert "nothing was saved" in page
    assert value_of(page, "last_name") == "Board"
    assert not Customer.objects.exists()
    assert client.post(ADD_CUSTOMER, TYPED).status_code == 302
    assert Customer.objects.get().last_name == "Board"
    assert not KeptForm.objects.exists()


def test_typed_form_survives_the_second_factor(
    office: User, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STAFF_MFA_REQUIRED = True
    person, client = customer(), Client()
    sign_in(client, "/admin/")
    phone, _ = set_up_phone(client)
    address = button_url(person, "correct-contact")
    client.get(address)
    end_session(client, monkeypatch)

    shut = client.post(address, {"email": "typed@example.com", "phone": "", "language": "en"})
    monkeypatch.undo()
    step = sign_in(client, value_of(client.get(shut["Location"]).text, "next"))
    ask = client.get(step["Location"])
    page = client.post(ask["Location"], {"code": phone.code()}, follow=True).text

    assert value_of(page, "email") == "typed@example.com"


def test_another_person_in_the_same_browser_sees_nothing(office: User, monkeypatch: pytest.MonkeyPatch) -> None:
    other = User.objects.create_user("otto", password=PASSWORD, is_staff=True)
    other.groups.add(Group.objects.get(name="office"))
    client = Client()
    sign_in(client, "/admin/")
    client.get(ADD_CUSTOMER)
    end_session(client, monkeypatch)
    shut = client.post(ADD_CUSTOMER, TYPED)
    asked = value_of(client.get(shut["Location"]).text, "next")
    monkeypatch.undo()

    back = sign_in(client, asked, name="otto")

    assert "Board" not in client.get(back["Location"]).text


def test_anonymous_form_is_not_kept() -> None:
    Client().post(ADD_CUSTOMER, TYPED)

    assert not KeptForm.objects.exists()


def test_kept_form_is_encrypted_and_holds_no_password(office: User) -> None:
    client = Client()
    client.force_login(office)
    client.post(ADD_CUSTOMER, {**TYPED, "email": "nowhere", "date_of_birth": "1984-05-17", "password": "secret"})

    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM core_keptform")
        stored = cursor.fetchone()[0]

    assert "1984" not in stored
    assert "secret" not in KeptForm.objects.get().text


def test_technicians_report_survives_an_ended_session(monkeypatch: pytest.MonkeyPatch) -> None:
    tess = technician()
    job = installation_at(SUBMITTED, AT, technician=tess)
    address, client = f"/field/jobs/{job.public_id}/", Client()
    sign_in(client, "/field/", name=tess.username, at="/field/sign-in/")
    client.get(address)
    later = time.time() + timedelta(days=3).total_seconds()
    monkeypatch.setattr("accounts.sessions.time.time", lambda: later)

    shut = client.post(address, {"granted_date": "2026-03-04", "source": "LETTER", "note": "On the fridge."})
    asked = client.get(shut["Location"]).text
    monkeypatch.undo()
    back = sign_in(client, value_of(asked, "next"), name=tess.username, at="/field/sign-in/")
    page = client.get(back["Location"]).text

    assert "Your entries are saved" in asked
    assert "On the fridge." in page
    assert "nothing was saved" in page


def test_refused_report_returns_by_redirect() -> None:
    tess = technician()
    job = installation_at(SUBMITTED, AT, technician=tess)
    client = Client()
    client.force_login(tess)

    answer = client.post(f"/field/jobs/{job.public_id}/", {"note": "On the fridge."})
    page = client.get(answer["Location"]).text

    assert answer.status_code == 302
    assert "Choose the date." in page
    assert "On the fridge." in page
