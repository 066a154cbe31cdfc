"""Second factor: every page asks everyone who still has to enter it."""

import base64
import time
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import NoReverseMatch, reverse
from pytest_django.fixtures import Settings

from accounts.models import User
from tests.factories.installations import staff, technician
from tests.factories.phones import PERIOD_SECONDS, Phone, set_up_phone

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough password"
WRONG = "000000"


@pytest.fixture(autouse=True)
def _as_in_production(settings: Settings) -> None:
    settings.STAFF_MFA_REQUIRED = True


@pytest.fixture
def olivia() -> User:
    return staff(username="olivia")


def with_password(user: User, *, surface: str = "admin", sign_in: str = "login") -> Client:
    client = Client()
    response = client.post(f"/{surface}/{sign_in}/", {"username": user.username, "password": PASSWORD})
    assert response.status_code == 302, response.text
    return client


def test_password_alone_opens_no_office_page(olivia: User) -> None:
    client = with_password(olivia)

    shut = [client.get(path) for path in ("/admin/", "/admin/installations/customer/", "/admin/password_change/")]

    assert {(page.status_code, page["Location"].split("?")[0]) for page in shut} == {(302, "/admin/second-step/")}
    assert client.post("/admin/accounts/user/add/", {}).status_code == 302


def test_password_alone_opens_no_admin_page(olivia: User) -> None:
    client = with_password(olivia)
    opened = []
    for pattern in admin.site.urls[0]:
        path = "/admin/" + str(pattern.pattern).lstrip("^").split("<")[0].split("(")[0]
        response = client.get(path)
        if not (response.status_code == 302 and response["Location"].startswith("/admin/second-step/")):
            opened.append(path)

    assert set(opened) <= {"/admin/login/", "/admin/logout/"}


def test_internal_request_names_do_not_skip_the_second_factor(olivia: User) -> None:
    """A server behind a proxy may take SCRIPT_NAME from a header; addresses are compared without it."""
    client = with_password(olivia)

    page = client.get("/admin/", SCRIPT_NAME="/x")

    assert page.status_code == 302
    assert page["Location"].startswith("/admin/second-step/")
    assert "no-store" in page["Cache-Control"]


def test_first_sign_in_sets_up_a_phone_and_continues(olivia: User) -> None:
    client = Client()
    page = client.post(
        "/admin/login/?next=/admin/auth/group/",
        {"username": "olivia", "password": PASSWORD, "next": "/admin/auth/group/"},
        follow=True,
    )
    assert page.redirect_chain[-1][0] == "/admin/second-step/set-up/?next=%2Fadmin%2Fauth%2Fgroup%2F"

    lead_to = {"next": "/admin/auth/group/"}
    codes = client.post("/admin/second-step/set-up/", {"code": Phone(page.text).code(), **lead_to}, follow=True)
    done = client.post("/admin/second-step/codes/", lead_to)

    assert codes.text.count("<li>") == 10
    assert done["Location"] == "/admin/auth/group/"
    assert client.get("/admin/auth/group/").status_code == 200


def test_next_sign_in_asks_for_a_code(olivia: User) -> None:
    phone, _codes = set_up_phone(with_password(olivia))
    client = with_password(olivia)
    assert "Enter your code" in client.get("/admin/", follow=True).text

    response = client.post("/admin/second-step/", {"code": phone.code()})

    assert response["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_wrong_code_opens_nothing(olivia: User) -> None:
    set_up_phone(with_password(olivia))
    client = with_password(olivia)

    response = client.post("/admin/second-step/", {"code": WRONG})

    assert response.status_code == 422
    assert "This code is wrong" in response.text
    assert client.get("/admin/").status_code == 302


def test_code_works_once_during_its_lifetime(olivia: User) -> None:
    phone, _codes = set_up_phone(with_password(olivia))
    code = phone.code()
    with_password(olivia).post("/admin/second-step/", {"code": code})
    cache.delete(f"allauth.mfa.totp.used?user={olivia.pk}&code={code}")  # half a minute later
    client = with_password(olivia)

    response = client.post("/admin/second-step/", {"code": code})

    assert response.status_code == 422
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize("spelling", ["{}!", "{} ", "-{}", "{}\N{NO-BREAK SPACE}", "{0:.3}-{0:.3}"])
def test_used_code_fails_in_any_other_spelling(olivia: User, spelling: str) -> None:
    phone, _codes = set_up_phone(with_password(olivia))
    code = phone.code()
    with_password(olivia).post("/admin/second-step/", {"code": code})
    cache.delete(f"allauth.mfa.totp.used?user={olivia.pk}&code={code}")  # half a minute later
    spelled = spelling.format(code) if "0" not in spelling else f"{code[:3]}-{code[3:]}"

    page = with_password(olivia).post("/admin/second-step/", {"code": spelled})
    token = Client().post(
        "/api/v1/token/",
        {"username": olivia.username, "password": PASSWORD, "code": spelled},
        content_type="application/json",
    )

    assert page.status_code == 422
    assert token.status_code == 400
    assert "used before" in token.json()["code"][0]


def test_code_sent_twice_simultaneously_works_once(olivia: User, monkeypatch: pytest.MonkeyPatch) -> None:
    phone, _codes = set_up_phone(with_password(olivia))
    code = phone.code()
    monkeypatch.setattr(
        "accounts.second_factor._is_unused", lambda _user, _code: True
    )  # both look before either is recorded
    with_password(olivia).post("/admin/second-step/", {"code": code})
    cache.delete(f"allauth.mfa.totp.used?user={olivia.pk}&code={code}")
    client = with_password(olivia)

    response = client.post("/admin/second-step/", {"code": code})

    assert response.status_code == 422
    assert client.get("/admin/").status_code == 302


def test_old_code_opens_nothing(olivia: User) -> None:
    phone, _codes = set_up_phone(with_password(olivia))
    client = with_password(olivia)

    response = client.post("/admin/second-step/", {"code": phone.code_at(int(time.time()) // PERIOD_SECONDS - 5)})

    assert response.status_code == 422


def test_recovery_code_works_once(olivia: User) -> None:
    _phone, codes = set_up_phone(with_password(olivia))
    first, second = with_password(olivia), with_password(olivia)

    assert first.post("/admin/second-step/", {"code": f" {codes[3][:4]} {codes[3][4:]} "}).status_code == 302
    assert second.post("/admin/second-step/", {"code": codes[3]}).status_code == 422
    assert first.get("/admin/").status_code == 200
    assert second.get("/admin/").status_code == 302


def test_recovery_codes_are_shown_until_confirmed_then_never_again(olivia: User) -> None:
    client = with_password(olivia)
    phone = Phone(client.get("/admin/second-step/set-up/").text)
    client.post("/admin/second-step/set-up/", {"code": phone.code()})
    shown = [client.get("/admin/second-step/codes/").text.count("<li>") for _ in range(2)]

    client.post("/admin/second-step/codes/")

    assert shown == [10, 10]
    assert client.get("/admin/second-step/codes/")["Location"] == "/admin/second-step/"
    assert "10 recovery codes left" in client.get("/admin/second-step/").text


def test_recovery_codes_are_not_shown_to_a_password_alone(olivia: User) -> None:
    client = with_password(olivia)
    phone = Phone(client.get("/admin/second-step/set-up/").text)
    client.post("/admin/second-step/set-up/", {"code": phone.code()})  # not confirmed yet

    stranger = with_password(olivia)

    assert stranger.get("/admin/second-step/codes/")["Location"] == "/admin/second-step/"
    assert stranger.post("/admin/second-step/change/", {"code": "", "action": "phone"}).status_code == 302
    assert Authenticator.objects.count() == 2


def test_second_setup_cannot_replace_the_first(olivia: User) -> None:
    thief = with_password(olivia)
    phone = Phone(thief.get("/admin/second-step/set-up/").text)
    set_up_phone(with_password(olivia))

    response = thief.post("/admin/second-step/set-up/", {"code": phone.code()})

    assert response["Location"] == "/admin/second-step/"
    assert thief.get("/admin/").status_code == 302


def test_new_recovery_codes_need_a_code_and_end_old_ones(olivia: User) -> None:
    client = with_password(olivia)
    phone, old = set_up_phone(client)

    refused = client.post("/admin/second-step/change/", {"code": WRONG, "action": "codes"})
    page = client.post("/admin/second-step/change/", {"code": phone.code(), "action": "codes"}, follow=True)

    assert refused.status_code == 422
    assert page.text.count("<li>") == 10
    assert old[0] not in page.text
    assert with_password(olivia).post("/admin/second-step/", {"code": old[0]}).status_code == 422


def test_new_phone_needs_an_old_or_recovery_code(olivia: User) -> None:
    client = with_password(olivia)
    old_phone, codes = set_up_phone(client)
    other_session = with_password(olivia)
    other_session.post("/admin/second-step/", {"code": old_phone.code()})

    page = client.post("/admin/second-step/change/", {"code": codes[0], "action": "phone"}, follow=True)
    assert "Set up two-step sign-in" in page.text
    set_up_phone(client)

    assert client.get("/admin/").status_code == 200
    assert other_session.get("/admin/").status_code == 302


def test_ten_wrong_codes_block_even_the_right_one(olivia: User) -> None:
    phone, _codes = set_up_phone(with_password(olivia))
    client = with_password(olivia)
    for _ in range(10):
        client.post("/admin/second-step/", {"code": WRONG})

    response = client.post("/admin/second-step/", {"code": phone.code()})

    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
    assert client.get("/admin/").status_code == 302


def test_session_key_changes_with_the_second_factor(olivia: User) -> None:
    phone, _codes = set_up_phone(with_password(olivia))
    client = with_password(olivia)
    before = client.session.session_key

    client.post("/admin/second-step/", {"code": phone.code()})

    assert client.session.session_key != before


def test_field_session_does_not_open_the_office(olivia: User) -> None:
    client = with_password(olivia, surface="field", sign_in="sign-in")

    assert client.get("/field/").status_code == 200
    assert client.get("/admin/")["Location"].startswith("/admin/second-step/")


def test_second_factor_never_redirects_to_another_host(olivia: User) -> None:
    phone, _codes = set_up_phone(with_password(olivia))
    client = with_password(olivia)

    response = client.post("/admin/second-step/?next=//elsewhere.example/admin/", {"code": phone.code()})

    assert response["Location"] == "/admin/"


def test_technician_needs_second_factor_only_by_setting(settings: Settings) -> None:
    tess = technician()
    assert with_password(tess, surface="field", sign_in="sign-in").get("/field/").status_code == 200

    settings.TECHNICIAN_MFA_REQUIRED = True
    client = with_password(tess, surface="field", sign_in="sign-in")
    assert client.get("/field/")["Location"] == "/field/second-step/?next=%2Ffield%2F"

    set_up_phone(client, surface="field")
    assert client.get("/field/").status_code == 200


def test_technician_with_second_factor_is_asked_for_it() -> None:
    tess = technician()
    phone, _codes = set_up_phone(with_password(tess, surface="field", sign_in="sign-in"), surface="field")
    client = with_password(tess, surface="field", sign_in="sign-in")

    assert client.get("/field/")["Location"].startswith("/field/second-step/")
    assert client.get("/field/session/").json()["technician"] is None
    waiting = client.post(f"/field/jobs/{uuid4()}/", {}, headers={"Accept": "application/json"})
    assert waiting.status_code == 401

    client.post("/field/second-step/", {"code": phone.code()})
    assert client.get("/field/").status_code == 200
    assert client.get("/field/session/").json()["technician"] == str(tess.public_id)


def test_password_is_enough_if_second_factor_is_optional(olivia: User, settings: Settings) -> None:
    settings.STAFF_MFA_REQUIRED = False

    assert with_password(olivia).get("/admin/").status_code == 200


def test_api_token_requires_what_the_admin_requires(olivia: User, client: Client) -> None:
    def ask(**more: str) -> tuple[int, list[str]]:
        said = {"username": "olivia", "password": PASSWORD, **more}
        answer = client.post("/api/v1/token/", said, content_type="application/json")
        return answer.status_code, list(answer.json())

    assert ask() == (400, ["code"])
    phone, _codes = set_up_phone(with_password(olivia))
    assert ask() == (400, ["code"])
    assert ask(code=WRONG) == (400, ["code"])
    assert ask(code=phone.code()) == (200, ["token", "expires_at"])


def test_token_from_before_second_factor_is_replaced(olivia: User, client: Client, settings: Settings) -> None:
    def status(token: str) -> int:
        return client.get("/api/v1/customers/", headers={"Authorization": f"Token {token}"}).status_code

    def given(**more: str) -> str:
        said = {"username": "olivia", "password": PASSWORD, **more}
        answer = client.post("/api/v1/token/", said, content_type="application/json").json()
        return str(answer["token"])

    settings.STAFF_MFA_REQUIRED = False
    of_the_password = given()
    assert status(of_the_password) == 200
    settings.STAFF_MFA_REQUIRED = True
    assert status(of_the_password) == 401

    phone, codes = set_up_phone(with_password(olivia))
    assert status(of_the_password) == 401
    of_the_phone = given(code=phone.code())
    assert (status(of_the_phone), status(of_the_password)) == (200, 401)
    of_the_paper = given(code=codes[0])
    assert (status(of_the_paper), status(of_the_phone)) == (200, 200)

    call_command("reset_second_factor", "olivia", by=staff().username, reason="lost phone")
    assert (status(of_the_paper), status(of_the_phone)) == (401, 401)


def test_secrets_are_encrypted_in_the_database(olivia: User) -> None:
    client = with_password(olivia)
    page = client.get("/admin/second-step/set-up/").text
    secret = Phone(page)._secret
    in_session = str(dict(client.session))
    client.post("/admin/second-step/set-up/", {"code": Phone(page).code()})

    kept = str(list(Authenticator.objects.values_list("data", flat=True)))

    assert secret not in in_session + kept
    assert base64.b64encode(secret.encode()).decode() not in in_session + kept


def test_secrets_appear_on_no_admin_page(olivia: User) -> None:
    client = with_password(olivia)
    set_up_phone(client)

    assert client.get("/admin/mfa/authenticator/").status_code == 404
    assert client.get("/admin/account/emailaddress/").status_code == 404


def test_no_other_allauth_page_is_reachable() -> None:
    for name in ("account_login", "account_signup", "account_email", "mfa_index", "mfa_authenticate"):
        with pytest.raises(NoReverseMatch):
            reverse(name)


@pytest.mark.parametrize("path", ["/admin/second-step/", "/admin/second-step/set-up/"])
def test_pages_run_only_our_code_and_are_not_cached(olivia: User, path: str) -> None:
    page = with_password(olivia).get(path, follow=True)

    assert "unsafe" not in page["Content-Security-Policy"]
    assert "no-store" in page["Cache-Control"]
    assert "<script" not in page.text


def test_command_removes_a_lost_phone_and_ends_all_sessions(olivia: User) -> None:
    client = with_password(olivia)
    set_up_phone(client)
    other = with_password(boss := staff(username="boss"))

    call_command("reset_second_factor", "olivia", by="boss", reason="lost phone")

    assert not Authenticator.objects.exists()
    assert client.get("/admin/")["Location"].startswith("/admin/login/")
    assert "Set up two-step sign-in" in with_password(olivia).get("/admin/", follow=True).text
    assert other.get("/admin/")["Location"].startswith("/admin/second-step/")
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.change_message) == (
        boss,
        str(olivia.pk),
        "Second step reset: lost phone",
    )


@pytest.mark.parametrize(
    ("username", "by", "reason", "problem"),
    [
        ("nobody", "boss", "lost", "There is no user 'nobody'"),
        ("olivia", "olivia", "lost", "another person"),
        ("olivia", "tess", "lost", "another person"),
        ("olivia", "boss", " ", "Enter a --reason"),
        ("olivia", "boss", "lost", "has no second step"),
    ],
)
def test_command_refuses_impossible_requests(olivia: User, username: str, by: str, reason: str, problem: str) -> None:
    staff(username="boss")
    technician(username="tess")

    with pytest.raises(CommandError, match=problem):
        call_command("reset_second_factor", username, by=by, reason=reason)


def test_key_rotation_reencrypts_second_factor_secrets(olivia: User, settings: Settings) -> None:
    phone, codes = set_up_phone(with_password(olivia))
    old = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = {"new": b"n" * 32, **old}

    call_command("rotate_field_keys")

    settings.FIELD_ENCRYPTION_KEYS = {"new": b"n" * 32}
    for code in (phone.code(), codes[0]):
        assert with_password(olivia).post("/admin/second-step/", {"code": code}).status_code == 302
