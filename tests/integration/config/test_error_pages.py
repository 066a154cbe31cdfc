"""Pages for missing and forbidden addresses are our own and fit a phone."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from tests.factories.installations import installation, technician

pytestmark = pytest.mark.django_db


def seen(answer: Any) -> str:
    page: str = answer.content.decode()
    assert 'name="viewport"' in page
    assert "DEBUG" not in page
    return page


def test_reassigned_job_page_is_a_full_page(client: Client) -> None:
    job = installation()
    client.force_login(technician())

    answer = client.get(f"/field/jobs/{job.public_id}/")

    assert answer.status_code == 404
    assert "the office assigned to someone else" in " ".join(seen(answer).split())


def test_staff_without_the_right_learn_whom_to_ask(client: Client) -> None:
    client.force_login(User.objects.create_user("nora", is_staff=True))

    answer = client.get("/admin/installations/customer/")

    assert answer.status_code == 403
    assert "ask your Switchyard" in seen(answer)


@pytest.mark.parametrize("address", ["/field/sign-in/", "/admin/login/"])
def test_form_from_before_another_sign_in_says_resend(address: str) -> None:
    answer = Client(enforce_csrf_checks=True).post(address, {"username": "tess", "password": "x"})

    assert answer.status_code == 403
    assert "Please send it again" in seen(answer)
