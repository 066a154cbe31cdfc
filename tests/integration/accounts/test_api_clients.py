"""API clients: what their keys open, and that they do not depend on any person."""

from datetime import timedelta

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts import api_client_actions
from accounts.grants import (
    ClientExceedsOwnPermissions,
    ClientNameTaken,
    ClientTurnedOff,
    RoleExceedsOwnPermissions,
    TooManyKeys,
)
from accounts.models import ApiClient, ApiKey, Scope, User
from accounts.queries import clients_running_out
from core.actors import Actor
from core.staff_formats import name_actors
from enrollments.monitoring.alarms import alarms
from enrollments.monitoring.measures import measure
from installations.models import Customer
from tests.factories.accounts import api_client, client_key
from tests.factories.installations import AT, go_live_report, installation_at, staff
from tests.integration.accounts.calls import CUSTOMER, PASSWORD, read, sign_in, write

pytestmark = pytest.mark.django_db


def test_client_reads_and_writes_under_its_own_name() -> None:
    client = api_client(name="Sales CRM")
    key = client_key(client).secret

    assert (read(key).status_code, read(key, scheme="Bearer").status_code) == (200, 200)
    assert write(key).status_code == 201
    by = Customer.objects.get().registered_by
    assert by == str(Actor.client_system(client.account.public_id))
    assert name_actors([by]) == {by: "Sales CRM (client system)"}


def test_read_only_client_changes_nothing() -> None:
    key = client_key(api_client(scope=Scope.READ)).secret

    refused = write(key)

    assert read(key).status_code == 200
    assert (refused.status_code, refused.json()) == (403, {"detail": "This client may only read."})
    assert not Customer.objects.exists()


def test_client_without_a_role_is_allowed_nothing() -> None:
    key = client_key().secret

    Group.objects.get(name="office").delete()

    assert (read(key).status_code, write(key).status_code) == (403, 403)


def test_client_does_not_count_as_second_person() -> None:
    report = go_live_report(installation_at("INTERCONNECTION_SUBMITTED"), by=Actor.staff(staff().public_id))

    refused = write(client_key().secret, f"pto-reports/{report.public_id}/confirm/", {})

    assert refused.status_code == 403
    assert "Only a person can do this" in refused.json()["detail"]


def test_key_outlives_its_creator(settings: Settings) -> None:
    maker, boss = staff(username="maker"), staff(username="boss")
    key = client_key(by=maker).secret
    settings.STAFF_MFA_REQUIRED = True
    TOTP.activate(maker, "A" * 32)
    assert read(key).status_code == 200

    call_command("reset_second_factor", "maker", by="boss", reason="lost phone")
    assert read(key).status_code == 200

    maker.set_password("another long enough password")
    maker.save()
    assert read(key).status_code == 200

    client = Client()
    settings.STAFF_MFA_REQUIRED = False
    client.force_login(boss)
    form = {"username": "maker", "date_joined_0": "2026-01-02", "date_joined_1": "10:00:00"}
    assert client.post(f"/admin/accounts/user/{maker.public_id}/change/", form).status_code == 302
    assert not User.objects.get(pk=maker.pk).is_active
    assert read(key).status_code == 200


def test_turned_off_client_is_refused_immediately() -> None:
    boss, client = staff(), api_client()
    key = client_key(client).secret
    assert read(key).status_code == 200

    api_client_actions.disable_client(client_id=client.pk, by=boss, at=timezone.now())
    assert read(key).json() == {"detail": "The account of this key is turned off."}

    api_client_actions.enable_client(client_id=client.pk, by=boss, at=timezone.now())
    assert read(key).status_code == 200


def test_two_keys_are_valid_during_replacement() -> None:
    boss, client = staff(), api_client()
    old, new = client_key(client), client_key(client)

    assert [read(each.secret).status_code for each in (old, new)] == [200, 200]
    with pytest.raises(TooManyKeys, match="Revoke one that is not used"):
        client_key(client)
    api_client_actions.revoke_key(key_id=old.key.pk, by=Actor.staff(boss.public_id), at=timezone.now())

    assert [read(each.secret).status_code for each in (old, new)] == [401, 200]
    assert read(client_key(client).secret).status_code == 200


def test_turned_off_client_gets_no_key() -> None:
    client = api_client()
    api_client_actions.disable_client(client_id=client.pk, by=staff(), at=timezone.now())

    with pytest.raises(ClientTurnedOff):
        client_key(client)


def test_name_is_unique_ignoring_case() -> None:
    api_client(name="Sales CRM")

    with pytest.raises(ClientNameTaken):
        api_client(name="SALES crm")
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiClient.objects.filter(pk=api_client().pk).update(name="sales crm")


@pytest.fixture
def coordinator() -> User:
    """Manages people, and has no other rights."""
    person = User.objects.create_user("cora", password=PASSWORD, is_staff=True)
    wanted = [f"{verb}_user" for verb in ("view", "add", "change")]
    person.user_permissions.set(
        Permission.objects.filter(codename__in=wanted, content_type__app_label__in=("accounts", "auth"))
    )
    return User.objects.get(pk=person.pk)


def test_nobody_grants_a_client_more_than_their_own_rights(coordinator: User) -> None:
    with pytest.raises(RoleExceedsOwnPermissions):
        api_client(by=coordinator)

    assert not ApiClient.objects.exists()
    assert not User.objects.filter(username__startswith="system:").exists()


def test_nobody_gets_a_key_with_more_than_their_rights(coordinator: User) -> None:
    client = api_client()

    with pytest.raises(ClientExceedsOwnPermissions):
        client_key(client, by=coordinator)
    with pytest.raises(ClientExceedsOwnPermissions):
        api_client_actions.enable_client(client_id=client.pk, by=coordinator, at=timezone.now())

    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    "typed", ["system:Sales CRM", " system:Sales CRM ", "system\uff1aSales CRM", "SYSTEM:Sales CRM"]
)
def test_nobody_signs_in_as_a_client(typed: str) -> None:
    client = api_client(name="Sales CRM")
    account = client.account
    assert not account.has_usable_password()
    account.set_password(PASSWORD)
    account.is_staff = True
    account.save()
    browser = Client()

    for surface in ("/admin/login/", "/field/sign-in/"):
        assert browser.post(surface, {"username": typed, "password": PASSWORD}).status_code == 200
        assert "_auth_user_id" not in browser.session
    assert sign_in(typed).status_code == 400


def test_no_person_can_use_the_name_of_a_system(admin_client: Client) -> None:
    typed = {"username": "system:Sales CRM", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}

    answer = admin_client.post("/admin/accounts/user/add/", typed)

    assert answer.status_code == 200
    assert not User.objects.filter(username__startswith="system:").exists()


def test_client_account_has_no_page_among_people(admin_client: Client) -> None:
    account = api_client(name="Sales CRM").account

    assert "Sales CRM" not in admin_client.get("/admin/accounts/user/").text
    for page in ("change/", "password/", "delete/"):
        answer = admin_client.post(f"/admin/accounts/user/{account.public_id}/{page}", {"password1": PASSWORD})
        assert answer.status_code in {302, 403, 404}, page
    account.refresh_from_db()
    assert not account.has_usable_password()


def test_client_account_cannot_be_deleted() -> None:
    account = api_client().account

    with pytest.raises(ProtectedError):
        account.delete()


def test_repeated_write_counts_once_across_key_replacement() -> None:
    client = api_client()
    headers = {"Idempotency-Key": "the-same-write"}
    answers = [
        Client().post(
            "/api/v1/customers/",
            CUSTOMER,
            content_type="application/json",
            headers={"Authorization": f"Bearer {client_key(client).secret}", **headers},
        )
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert Customer.objects.count() == 1


def test_alarm_is_raised_before_the_last_key_expires() -> None:
    client, other = api_client(name="Sales CRM"), api_client()
    client_key(client, days=20)
    client_key(other, days=20)
    client_key(other, days=365)
    assert clients_running_out(timezone.now()) == ["Sales CRM"]
    assert clients_running_out(timezone.now() + timedelta(days=25)) == ["Sales CRM"]
    assert "API_KEYS_EXPIRING" in {alarm.code for alarm in alarms(measure(now=AT), now=AT)}

    api_client_actions.disable_client(client_id=client.pk, by=staff(), at=timezone.now())

    assert clients_running_out(timezone.now()) == []


def test_client_key_expires() -> None:
    made = client_key(days=90)
    assert made.key.expires_at > timezone.now() + timedelta(days=89)

    ApiKey.objects.update(expires_at=timezone.now())

    assert read(made.secret).json() == {"detail": "This key has expired. Use another one."}
