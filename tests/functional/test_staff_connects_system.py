"""The office connects the CRM, copies its key and revokes it, on a desktop and on a phone."""

import re

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from tests.functional.pages import follow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a long enough password"


@pytest.fixture
def superuser() -> User:
    return User.objects.create_superuser("superuser", password=PASSWORD)


def sign_in(page: Page, server: LiveServer) -> None:
    page.goto(f"{server.url}/admin/login/")
    page.get_by_label("Username").fill("superuser")
    page.get_by_label("Password").fill(PASSWORD)
    follow(page.get_by_role("button", name="Sign in"))


def add_crm(page: Page, server: LiveServer) -> None:
    page.goto(f"{server.url}/admin/accounts/apiclient/add/")
    page.get_by_label("Name").fill("Sales CRM")
    page.get_by_label("Role").select_option("office")
    page.get_by_label("Read and write").check()
    follow(page.get_by_role("button", name="Add"))
    expect(page.get_by_text("No keys yet. The client cannot call the API.")).to_be_visible()


def create_key(page: Page) -> str:
    follow(page.get_by_role("link", name="Create a key"))
    page.get_by_label("Label").fill("production server")
    follow(page.get_by_role("button", name="Create a key"))
    return page.locator(".sy-secret code").first.inner_text()


def status_with(key: str, page: Page, server: LiveServer) -> int:
    address = f"{server.url}/api/v1/customers/"
    return page.context.request.get(address, headers={"Authorization": f"Bearer {key}"}).status


@pytest.mark.parametrize("width", ["desktop", "phone"])
def test_crm_is_connected_and_its_key_revoked(
    superuser: User, width: str, request: pytest.FixtureRequest, live_server: LiveServer
) -> None:
    page: Page = request.getfixturevalue(width)
    sign_in(page, live_server)
    add_crm(page, live_server)

    key = create_key(page)
    assert re.fullmatch(r"swy_[A-Za-z0-9]{43}", key)
    assert status_with(key, page, live_server) == 200
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    page.reload()
    expect(page.get_by_text(key[:10])).not_to_have_count(0)
    expect(page.get_by_text(key)).to_have_count(0)

    follow(page.get_by_role("link", name="Revoke"))
    follow(page.get_by_role("button", name="Revoke"))
    expect(page.get_by_text("The key is revoked")).to_be_visible()
    assert status_with(key, page, live_server) == 401
