"""The API allows nothing that the admin does not."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import User
from accounts.staff_groups import OFFICE_GROUP
from core.admin.links import button_url
from poa_documents.models import CustomerMail
from tests.factories.accounts import personal_key
from tests.factories.cases import held_case
from tests.factories.installations import SUBMITTED, installation_at, technician
from tests.factories.poa_documents import drafted_poa, plan_promise
from tests.integration.api.conftest import Api

pytestmark = pytest.mark.django_db
LISTS = ("customers/", "sites/", "installations/", "pto-reports/", "poa-requests/", "enrollments/", "pauses/")


def signed_in(user: User) -> Api:
    return Api(personal_key(user))


def test_staff_without_permissions_neither_read_nor_write() -> None:
    held = held_case()
    api = signed_in(User.objects.create_user("auditor", is_staff=True))

    assert {api.get(path).status_code for path in LISTS} == {403}
    assert api.post("pauses/", {"reason": "Because."}).status_code == 403
    release = api.post(
        f"enrollments/{held.public_id}/holds/{held.holds.get().public_id}/release/", {"reason": "Because."}
    )
    assert release.status_code == 403
    assert held.holds.get().released_at is None


def test_office_rights_are_equal_in_api_and_admin() -> None:
    held = held_case()
    user = User.objects.create_user("olivia", is_staff=True)
    user.groups.add(Group.objects.get(name=OFFICE_GROUP))
    api = signed_in(user)

    assert {api.get(path).status_code for path in LISTS} == {200}
    assert api.post("pauses/", {"reason": "Because."}).status_code == 201
    release = api.post(
        f"enrollments/{held.public_id}/holds/{held.holds.get().public_id}/release/", {"reason": "Because."}
    )
    assert release.status_code == 200


def test_technicians_and_closed_accounts_are_refused() -> None:
    closed = User.objects.create_superuser("left", is_active=False)

    assert signed_in(technician()).get("customers/").status_code == 403
    assert signed_in(closed).get("customers/").status_code == 401


def test_right_to_draft_a_poa_is_no_right_to_send() -> None:
    user, job = may("view_poadocument", "add_poadocument"), installation_at(SUBMITTED)
    wanted = {
        "customer": str(job.customer.public_id),
        "site": str(job.site.public_id),
        "promise": str(plan_promise().public_id),
    }
    office = Client()
    office.force_login(user)

    assert office.get(button_url(drafted_poa(), "send")).status_code == 403
    assert signed_in(user).post("poa-requests/", wanted).status_code == 403
    assert not CustomerMail.objects.exists()


@pytest.mark.parametrize(("codename", "is_open"), [("add_golivereport", True), ("change_installation", False)])
def test_go_live_report_rights_are_equal_in_api_and_admin(codename: str, is_open: bool) -> None:  # noqa: FBT001
    user, job = may("view_installation", codename), installation_at(SUBMITTED)
    office = Client()
    office.force_login(user)
    report = {
        "installation": str(job.public_id),
        "granted_date": "2026-03-04",
        "source": "LETTER",
        "utility_reference": "DG-1",
    }

    page = office.get(button_url(job, "report-go-live")).status_code
    answer = signed_in(user).post("pto-reports/", report).status_code

    assert (page, answer) == ((200, 201) if is_open else (403, 403))


def may(*codenames: str) -> User:
    user = User.objects.create_user("trainee", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return user
