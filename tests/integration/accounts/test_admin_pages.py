"""The admin's pages: a client is registered, its key shown once, replaced and revoked, each by a button."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.admin import new_key_page
from accounts.models import ApiClient, ApiKey, User
from core.admin.links import button_url, record_url
from core.models import KeptForm
from tests.factories.accounts import api_client, client_key, personal_key
from tests.factories.installations import staff
from tests.integration.accounts.calls import PASSWORD, read

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"swy_[A-Za-z0-9]{43}")
NEW_KEY = {"label": "production server", "days": "365"}


def register(browser: Client, **typed: object) -> ApiClient:
    said = {"name": "Sales CRM", "role": Group.objects.get(name="office").pk, "scope": "READ_AND_WRITE", **typed}
    answer = browser.post("/admin/accounts/apiclient/add/", said)
    assert answer.status_code == 302
    return ApiClient.objects.get()


def make_key(browser: Client, client: ApiClient) -> str:
    """Press the button and return the URL of the next page."""
    answer = browser.post(button_url(client, "new-key"), NEW_KEY)
    assert answer.status_code == 302
    assert SECRET.search(answer.text) is None
    return str(answer["Location"])


def test_system_is_connected_with_two_forms(admin_client: Client) -> None:
    client = register(admin_client)

    page = admin_client.get(make_key(admin_client, client))

    assert "no-store" in page["Cache-Control"]
    found = SECRET.search(page.text)
    assert found is not None
    assert read(found[0]).status_code == 200
    assert (client.created_by, client.role) == (f"staff:{User.objects.get(username='admin').public_id}", "office")


def test_secret_is_shown_once(admin_client: Client) -> None:
    address = make_key(admin_client, api_client())

    assert admin_client.head(address).status_code == 200
    assert SECRET.search(admin_client.get(address).text) is not None

    assert SECRET.search(admin_client.get(address).text) is None
    for page in ("/admin/accounts/apikey/", "/admin/accounts/apiclient/", record_url(ApiClient.objects.get())):
        assert SECRET.search(admin_client.get(page).text) is None
    assert not KeptForm.objects.exists()


def test_secret_is_shown_only_to_its_creator(admin_client: Client) -> None:
    address = make_key(admin_client, api_client())
    other = Client()
    other.force_login(staff())

    assert SECRET.search(other.get(address).text) is None
    assert SECRET.search(admin_client.get(address).text) is not None


def test_secret_is_shown_for_a_few_minutes_only(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    address = make_key(admin_client, api_client())
    later = timezone.now() + new_key_page.KEPT_FOR

    monkeypatch.setattr(timezone, "now", lambda: later)

    assert SECRET.search(admin_client.get(address).text) is None
    assert not KeptForm.objects.exists()


def test_secret_is_encrypted_until_it_is_shown(admin_client: Client, caplog: pytest.LogCaptureFixture) -> None:
    address = make_key(admin_client, api_client())
    sessions = str([session.get_decoded() for session in Session.objects.all()])
    rows = str(list(KeptForm.objects.extra(select={"raw": "text"}).values("raw")))
    cookies = str(admin_client.cookies)
    history = str(list(LogEntry.objects.values()))

    found = SECRET.search(admin_client.get(address).text)

    assert found is not None
    assert found[0][10:] not in sessions + rows + cookies + history + caplog.text


def test_key_is_revoked_by_a_button_with_history(admin_client: Client) -> None:
    made = client_key()
    assert read(made.secret).status_code == 200

    assert admin_client.post(button_url(made.key, "revoke"), {"seen_state": "Valid"}).status_code == 302

    assert read(made.secret).json() == {"detail": "This key was revoked. Use another one."}
    entry = LogEntry.objects.get()
    assert (entry.change_message, entry.object_repr) == ("Revoke", str(made.key))
    page = admin_client.get(record_url(made.key)).text
    assert "admin (staff)" in page
    assert button_url(made.key, "revoke") not in page


def test_client_is_turned_off_and_on_with_buttons(admin_client: Client) -> None:
    client = api_client()
    secret = client_key(client).secret

    admin_client.post(button_url(client, "turn-off"))
    assert read(secret).status_code == 401
    assert button_url(client, "new-key") not in admin_client.get(record_url(client)).text

    admin_client.post(button_url(client, "turn-on"))
    assert read(secret).status_code == 200


def test_third_key_is_refused_with_an_explanation(admin_client: Client) -> None:
    client = api_client()
    client_key(client)
    client_key(client)

    answer = admin_client.post(button_url(client, "new-key"), NEW_KEY, follow=True)

    assert "Revoke one that is not used" in answer.text
    assert ApiKey.objects.count() == 2


def test_taken_name_is_refused_beside_its_field(admin_client: Client) -> None:
    api_client(name="Sales CRM")
    said = {"name": "sales crm", "role": Group.objects.get(name="office").pk, "scope": "READ"}

    answer = admin_client.post("/admin/accounts/apiclient/add/", said, follow=True)

    assert "Another client already has this name" in answer.text
    assert ApiClient.objects.count() == 1


@pytest.fixture
def coordinator() -> Client:
    """Signed in as a person who manages people and has no other rights."""
    person = User.objects.create_user("cora", password=PASSWORD, is_staff=True)
    wanted = [f"{verb}_user" for verb in ("view", "add", "change")]
    person.user_permissions.set(
        Permission.objects.filter(codename__in=wanted, content_type__app_label__in=("accounts", "auth"))
    )
    browser = Client()
    browser.force_login(person)
    return browser


def test_people_manager_revokes_keys_but_creates_none_beyond_own_rights(coordinator: Client) -> None:
    client = api_client()
    made = client_key(client)
    said = {"name": "Mine", "role": Group.objects.get(name="office").pk, "scope": "READ"}

    added = coordinator.post("/admin/accounts/apiclient/add/", said, follow=True)
    pressed = coordinator.post(button_url(client, "new-key"), NEW_KEY, follow=True)

    assert "This role has permissions that you do not have" in added.text
    assert "This client has permissions that you do not have" in pressed.text
    assert (ApiClient.objects.count(), ApiKey.objects.count()) == (1, 1)
    assert coordinator.post(button_url(made.key, "revoke")).status_code == 302
    assert read(made.secret).status_code == 401


def test_office_neither_sees_nor_creates_keys() -> None:
    person = User.objects.create_user("olivia", password=PASSWORD, is_staff=True)
    person.groups.add(Group.objects.get(name="office"))
    browser, client = Client(), api_client()
    browser.force_login(person)

    for address in ("/admin/accounts/apikey/", "/admin/accounts/apiclient/", "/admin/accounts/apiclient/add/"):
        assert browser.get(address).status_code == 403, address
    assert browser.post(button_url(client, "new-key"), NEW_KEY).status_code in {403, 404}
    assert "API keys" not in browser.get("/admin/").text


def test_no_list_can_be_filtered_by_the_hash(admin_client: Client) -> None:
    key = personal_key()
    answer = admin_client.get("/admin/accounts/apikey/?secret_sha256__startswith=a")

    assert answer.status_code in {302, 400}
    assert key[10:] not in admin_client.get("/admin/accounts/apikey/").text


def test_cross_site_form_creates_no_key() -> None:
    browser, client = Client(enforce_csrf_checks=True), api_client()
    browser.force_login(staff())

    assert browser.post(button_url(client, "new-key"), NEW_KEY).status_code == 403
    assert not ApiKey.objects.exists()
