"""Who may change people in the admin, and that nobody gains more rights that way."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def personnel() -> User:
    """Someone who may change people and groups, and nothing else."""
    person = User.objects.create_user("petra", password="a long enough password", is_staff=True)
    wanted = [f"{verb}_{kind}" for verb in ("view", "add", "change") for kind in ("user", "group")]
    person.user_permissions.set(
        Permission.objects.filter(codename__in=wanted, content_type__app_label__in=("accounts", "auth"))
    )
    return person


@pytest.fixture
def signed_in(client: Client, personnel: User) -> Client:
    client.force_login(personnel)
    return client


def change(client: Client, person: User, **changes: object) -> int:
    form: dict[str, object] = {
        "username": person.username,
        "first_name": person.first_name,
        "is_active": "on",
        "is_staff": "on",
        "date_joined_0": "2026-01-02",
        "date_joined_1": "10:00:00",
        **changes,
    }
    return client.post(f"/admin/accounts/user/{person.public_id}/change/", form).status_code


def test_nobody_makes_themselves_a_superuser(signed_in: Client, personnel: User) -> None:
    everything = [str(each) for each in Permission.objects.values_list("pk", flat=True)]

    change(signed_in, personnel, is_superuser="on", user_permissions=everything)

    found = User.objects.get(pk=personnel.pk)
    assert not found.is_superuser
    assert not found.has_perm("enrollments.change_enrollment")


def test_nobody_assigns_a_group_with_more_than_their_rights(signed_in: Client, personnel: User) -> None:
    strong, weak = Group.objects.create(name="strong"), Group.objects.create(name="weak")
    strong.permissions.add(Permission.objects.get(codename="change_enrollment"))
    weak.permissions.add(Permission.objects.get(codename="view_user"))
    colleague = User.objects.create_user("colin", is_staff=True)

    refused = change(signed_in, colleague, groups=[strong.pk])
    taken = change(signed_in, colleague, first_name="Colin", groups=[weak.pk])

    assert (refused, taken) == (200, 302)
    assert list(User.objects.get(pk=colleague.pk).groups.all()) == [weak]
    assert User.objects.get(pk=colleague.pk).first_name == "Colin"


def test_nobody_takes_over_a_person_with_more_rights(signed_in: Client) -> None:
    root = User.objects.create_superuser("root", password="a long enough password")
    strong = User.objects.create_user("sam", password="a long enough password", is_staff=True)
    strong.user_permissions.add(Permission.objects.get(codename="change_enrollment"))
    new = {"password1": "another long password", "password2": "another long password", "usable_password": "true"}
    for person in (root, strong):
        assert change(signed_in, person, first_name="Mine") == 403
        assert signed_in.post(f"/admin/accounts/user/{person.public_id}/password/", new).status_code == 403
        assert User.objects.get(pk=person.pk).check_password("a long enough password")


def test_nobody_takes_over_a_deactivated_person(signed_in: Client) -> None:
    strong = User.objects.create_user("sam", password="a long enough password", is_staff=True, is_active=False)
    group = Group.objects.create(name="strong")
    group.permissions.add(Permission.objects.get(codename="change_enrollment"))
    strong.groups.add(group)
    new = {"password1": "another long password", "password2": "another long password", "usable_password": "true"}

    assert change(signed_in, strong, is_active="on") == 403
    assert signed_in.post(f"/admin/accounts/user/{strong.public_id}/password/", new).status_code == 403
    assert not User.objects.get(pk=strong.pk).is_active


def test_nobody_gives_a_group_more_than_their_rights(signed_in: Client) -> None:
    strong, weak = Group.objects.create(name="strong"), Group.objects.create(name="weak")
    wanted = Permission.objects.get(codename="change_enrollment")
    strong.permissions.add(wanted)

    refused = signed_in.post(f"/admin/auth/group/{weak.pk}/change/", {"name": "weak", "permissions": [wanted.pk]})
    shut = signed_in.post(f"/admin/auth/group/{strong.pk}/change/", {"name": "mine"})

    assert (refused.status_code, shut.status_code) == (200, 403)
    assert not weak.permissions.exists()


def test_superusers_grant_anything(admin_client: Client) -> None:
    colleague = User.objects.create_user("colin", is_staff=True)

    assert change(admin_client, colleague, is_superuser="on") == 302
    assert User.objects.get(pk=colleague.pk).is_superuser
