"""A session gets a new key at sign-in. It ends after some hours, when idle, and when its user loses access."""

import time

import pytest
from django.core.management import call_command
from django.test import Client

from accounts import sessions
from accounts.models import User
from tests.factories.accounts import personal_key
from tests.factories.installations import staff, technician

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough password"
MINUTE, HOUR = 60, 3600


@pytest.fixture
def olivia() -> User:
    return staff()


def signed_in(user: User, *, at: str = "/admin/login/") -> Client:
    client = Client()
    assert client.post(at, {"username": user.username, "password": PASSWORD}).status_code == 302
    return client


def age_session(client: Client, seconds: int, *, busy: bool = False) -> None:
    """Make the session that much older; a busy one was used until now."""
    session = client.session
    session[sessions.SIGNED_IN_KEY] -= seconds
    session[sessions.SEEN_KEY] = int(time.time()) if busy else session[sessions.SEEN_KEY] - seconds
    session.save()


def is_signed_in(client: Client, path: str = "/admin/") -> bool:
    return client.get(path).status_code == 200


def test_session_key_changes_at_sign_in(olivia: User, client: Client) -> None:
    session = client.session
    session["fixed"] = "by somebody else"
    session.save()
    before = session.session_key

    client.post("/admin/login/", {"username": olivia.username, "password": PASSWORD})

    assert client.session.session_key != before
    assert not Client(headers={"Cookie": f"sessionid={before}"}).session.get("_auth_user_id")


@pytest.mark.parametrize(("minutes", "stays"), [(59, True), (61, False)])
def test_office_session_ends_after_an_idle_hour(olivia: User, minutes: int, stays: bool) -> None:  # noqa: FBT001
    client = signed_in(olivia)

    age_session(client, minutes * MINUTE)

    assert is_signed_in(client) == stays
    assert ("_auth_user_id" in client.session) == stays


def test_using_a_page_keeps_the_session(olivia: User) -> None:
    client = signed_in(olivia)
    for _ in range(3):
        age_session(client, 50 * MINUTE)
        assert is_signed_in(client)


@pytest.mark.parametrize(("hours", "stays"), [(11, True), (12, False)])
def test_session_ends_after_a_day_even_if_busy(olivia: User, hours: int, stays: bool) -> None:  # noqa: FBT001
    client = signed_in(olivia)

    age_session(client, hours * HOUR, busy=True)

    assert is_signed_in(client) == stays


def test_new_sign_in_starts_a_new_day(olivia: User) -> None:
    client = signed_in(olivia)
    age_session(client, 11 * HOUR, busy=True)
    client.post("/admin/login/", {"username": olivia.username, "password": PASSWORD})

    age_session(client, 2 * HOUR, busy=True)

    assert is_signed_in(client)


def test_technician_without_signal_stays_signed_in() -> None:
    client = signed_in(technician(), at="/field/sign-in/")

    age_session(client, 9 * HOUR)
    assert is_signed_in(client, "/field/")

    age_session(client, 11 * HOUR)
    assert client.get("/field/")["Location"].startswith("/field/sign-in/")


@pytest.mark.parametrize("surface", ["/admin/", "/field/"])
def test_deactivated_people_are_signed_out_immediately(olivia: User, surface: str) -> None:
    client = signed_in(olivia)
    assert is_signed_in(client, surface)

    User.objects.filter(pk=olivia.pk).update(is_active=False)

    assert not is_signed_in(client, surface)


def test_new_password_ends_all_other_sessions(olivia: User) -> None:
    here, elsewhere = signed_in(olivia), signed_in(olivia)
    new = "another long enough password"

    here.post("/admin/password_change/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})

    assert is_signed_in(here)
    assert not is_signed_in(elsewhere)


@pytest.mark.parametrize("way", ["by oneself", "by an administrator", "on the server"])
def test_new_password_revokes_the_key_it_fetched(
    olivia: User, client: Client, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def token(password: str) -> str:
        said = {"username": olivia.username, "password": password}
        return str(client.post("/api/v1/token/", said, content_type="application/json").json()["token"])

    def status(key: str) -> int:
        return client.get("/api/v1/customers/", headers={"Authorization": f"Token {key}"}).status_code

    old, new = token(PASSWORD), "another long enough password"
    assert status(old) == 200

    typed = {"new_password1": new, "new_password2": new}
    match way:
        case "by oneself":
            signed_in(olivia).post("/admin/password_change/", {"old_password": PASSWORD, **typed})
        case "by an administrator":
            boss = User.objects.create_superuser("boss", password=PASSWORD)
            typed = {"password1": new, "password2": new, "usable_password": "true"}
            signed_in(boss).post(f"/admin/accounts/user/{olivia.public_id}/password/", typed)
        case "on the server":
            monkeypatch.setattr("getpass.getpass", lambda **_prompt: new)
            call_command("changepassword", olivia.username)

    assert status(old) == 401
    assert status(token(new)) == 200


def test_removed_password_revokes_the_key_too(olivia: User) -> None:
    key, boss = personal_key(olivia), User.objects.create_superuser("boss", password=PASSWORD)

    signed_in(boss).post(
        f"/admin/accounts/user/{olivia.public_id}/password/", {"usable_password": "false", "unset-password": "1"}
    )

    assert Client().get("/api/v1/sites/", headers={"Authorization": f"Token {key}"}).status_code == 401


def test_last_use_costs_one_write_a_minute_at_most(olivia: User) -> None:
    client = signed_in(olivia)
    client.get("/admin/auth/group/")
    before = client.session[sessions.SEEN_KEY]

    client.get("/admin/auth/group/")

    assert client.session[sessions.SEEN_KEY] == before
