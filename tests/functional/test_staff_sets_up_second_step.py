"""The first and second sign-in of a new colleague in production, on a desktop and on a phone."""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from tests.factories.phones import Phone
from tests.functional.accessibility import violations_on
from tests.functional.pages import follow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a long enough password"


@pytest.fixture
def olivia() -> User:
    person = User.objects.create_user("olivia", password=PASSWORD, is_staff=True)
    person.groups.add(Group.objects.get(name="office"))
    return person


def enter_password(page: Page, server: LiveServer, olivia: User) -> None:
    page.goto(f"{server.url}/admin/")
    page.get_by_label("Username").fill(olivia.username)
    page.get_by_label("Password").fill(PASSWORD)
    follow(page.get_by_role("button", name="Sign in"))


def set_up_authenticator(page: Page) -> Phone:
    expect(page.get_by_role("heading", name="Set up two-step sign-in")).to_be_visible()
    picture = page.get_by_role("img", name="QR code")
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    assert_page_is_accessible_and_fits(page)
    phone = Phone(page.content())
    page.get_by_label("Code").fill("000000")
    follow(page.get_by_role("button", name="Finish"))
    expect(page.get_by_role("alert")).to_contain_text("This code is wrong")
    assert_page_is_accessible_and_fits(page)
    page.get_by_label("Code").fill(phone.code())
    follow(page.get_by_role("button", name="Finish"))
    return phone


def save_recovery_codes(page: Page) -> None:
    expect(page.get_by_role("heading", name="Save your recovery codes")).to_be_visible()
    expect(page.locator(".codes li")).to_have_count(10)
    assert_page_is_accessible_and_fits(page)
    follow(page.get_by_role("button", name="I have saved them"))


def enter_code(page: Page, phone: Phone) -> None:
    expect(page.get_by_role("heading", name="Enter your code")).to_be_visible()
    assert_page_is_accessible_and_fits(page)
    page.get_by_label("Code").fill(phone.code())
    follow(page.get_by_role("button", name="Continue"))


def assert_work_queue_is_shown(page: Page) -> None:
    expect(page.get_by_role("heading", name="Work queue").first).to_be_visible()


def open_second_factor_settings(page: Page, server: LiveServer) -> None:
    page.goto(server.url + reverse("office_second_step:ask"))
    expect(page.get_by_text("recovery codes").first).to_be_visible()
    assert_page_is_accessible_and_fits(page)
    page.get_by_label("Code").first.fill("000000")
    follow(page.get_by_role("button", name="Create new recovery codes"))
    expect(page.get_by_role("alert")).to_contain_text("This code is wrong")
    assert_page_is_accessible_and_fits(page)


def assert_page_is_accessible_and_fits(page: Page) -> None:
    assert violations_on(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("screen", ["desktop", "phone"])
def test_new_colleague_sets_up_second_factor_and_signs_in(
    request: pytest.FixtureRequest, live_server: LiveServer, olivia: User, settings: Settings, screen: str
) -> None:
    settings.STAFF_MFA_REQUIRED = True
    page: Page = request.getfixturevalue(screen)
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)

    enter_password(page, live_server, olivia)
    phone = set_up_authenticator(page)
    save_recovery_codes(page)
    assert_work_queue_is_shown(page)

    page.context.clear_cookies()
    enter_password(page, live_server, olivia)
    enter_code(page, phone)
    assert_work_queue_is_shown(page)
    open_second_factor_settings(page, live_server)
    assert refused == []
