"""Password guessing is rate limited on every surface."""

import pytest
from django.test import Client

from tests.factories.installations import staff

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough password"


def test_ten_wrong_passwords_make_the_office_wait(client: Client) -> None:
    username = staff().username
    for _ in range(10):
        client.post("/admin/login/", {"username": username, "password": "wrong"})

    response = client.post("/admin/login/", {"username": username, "password": PASSWORD})

    assert response.status_code == 429
    assert "Too many attempts" in response.text
    assert 0 < int(response["Retry-After"]) <= 15 * 60
    assert client.get("/admin/").status_code == 302


def test_office_signs_in_after_a_wrong_password(client: Client) -> None:
    username = staff().username
    client.post("/admin/login/", {"username": username, "password": "wrong"})

    response = client.post("/admin/login/?next=/admin/", {"username": username, "password": PASSWORD})

    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_forged_header_gives_no_more_attempts_at_the_api(client: Client) -> None:
    answers = [
        client.post(
            "/api/v1/token/",
            {"username": "nobody", "password": "wrong"},
            content_type="application/json",
            headers={"X-Forwarded-For": f"10.0.0.{number}"},
        ).status_code
        for number in range(21)
    ]

    assert answers[-1] == 429
