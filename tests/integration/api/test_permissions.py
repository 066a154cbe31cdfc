"""The API opens no door that is shut in the admin."""

import pytest
from django.contrib.auth.models import Group, User
from rest_framework.authtoken.models import Token

from config.staff_groups import OFFICE_GROUP
from tests.factories.cases import held_case
from tests.factories.installations import technician
from tests.integration.api.conftest import Api

pytestmark = pytest.mark.django_db
LISTS = ("customers/", "sites/", "installations/", "pto-reports/", "poa-requests/", "enrollments/", "pauses/")


def signed_in(user: User) -> Api:
    return Api(Token.objects.create(user=user).key)


def test_staff_without_permissions_neither_read_nor_write() -> None:
    held = held_case()
    api = signed_in(User.objects.create_user("auditor", is_staff=True))

    assert {api.get(path).status_code for path in LISTS} == {403}
    assert api.post("pauses/", {"reason": "Because."}).status_code == 403
    release = api.post(f"enrollments/{held.pk}/holds/{held.holds.get().pk}/release/", {"reason": "Because."})
    assert release.status_code == 403
    assert held.holds.get().released_at is None


def test_the_office_may_do_over_the_api_what_it_may_in_the_admin() -> None:
    held = held_case()
    user = User.objects.create_user("olivia", is_staff=True)
    user.groups.add(Group.objects.get(name=OFFICE_GROUP))
    api = signed_in(user)

    assert {api.get(path).status_code for path in LISTS} == {200}
    assert api.post("pauses/", {"reason": "Because."}).status_code == 201
    release = api.post(f"enrollments/{held.pk}/holds/{held.holds.get().pk}/release/", {"reason": "Because."})
    assert release.status_code == 200


def test_a_technician_and_a_closed_account_are_turned_away() -> None:
    closed = User.objects.create_superuser("left", is_active=False)

    assert signed_in(technician()).get("customers/").status_code == 403
    assert signed_in(closed).get("customers/").status_code == 401
