"""The first and second sign-in of a new colleague in production, on a desktop and on a phone."""

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from tests.factories.phones import Phone
from tests.functional.accessibility import complaints_about
from tests.functional.pages import follow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a long enough password"


@pytest.fixture
def olivia() -> User:
    person = User.objects.create_user("olivia", password=PASSWORD, is_staff=True)
    person.groups.add(Group.objects.get(name="office"))
    return person


def when_she_gives_her_password(page: Page, server: LiveServer, olivia: User) -> None:
    page.goto(f"{server.url}/admin/")
    page.get_by_label("Username").fill(olivia.username)
    page.get_by_label("Password").fill(PASSWORD)
    follow(page.get_by_role("button", name="Sign in"))


def when_she_sets_up_her_phone(page: Page) -> Phone:
    expect(page.get_by_role("heading", name="Set up two-step sign-in")).to_be_visible()
    picture = page.get_by_role("img", name="QR code")
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    then_the_page_is_sound(page)
    phone = Phone(page.content())
    page.get_by_label("Code").fill("000000")
    follow(page.get_by_role("button", name="Finish"))
    expect(page.get_by_role("alert")).to_contain_text("This code is wrong")
    then_the_page_is_sound(page)
    page.get_by_label("Code").fill(phone.code())
    follow(page.get_by_role("button", name="Finish"))
    return phone


def when_she_keeps_her_codes(page: Page) -> None:
    expect(page.get_by_role("heading", name="Save your recovery codes")).to_be_visible()
    expect(page.locator(".codes li")).to_have_count(10)
    then_the_page_is_sound(page)
    follow(page.get_by_role("button", name="I have saved them"))


def when_she_enters_a_code(page: Page, phone: Phone) -> None:
    expect(page.get_by_role("heading", name="Enter your code")).to_be_visible()
    then_the_page_is_sound(page)
    page.get_by_label("Code").fill(phone.code())
    follow(page.get_by_role("button", name="Continue"))


def then_she_sees_the_work_queue(page: Page) -> None:
    expect(page.get_by_role("heading", name="Work queue").first).to_be_visible()


def when_she_looks_at_what_she_may_change(page: Page, server: LiveServer) -> None:
    page.goto(server.url + reverse("office_second_step:ask"))
    expect(page.get_by_text("recovery codes").first).to_be_visible()
    then_the_page_is_sound(page)
    page.get_by_label("Code").first.fill("000000")
    follow(page.get_by_role("button", name="Create new recovery codes"))
    expect(page.get_by_role("alert")).to_contain_text("This code is wrong")
    then_the_page_is_sound(page)


def then_the_page_is_sound(page: Page) -> None:
    assert complaints_about(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("screen", ["desk", "phone"])
def test_new_colleague_sets_up_second_factor_and_signs_in(
    request: pytest.FixtureRequest, live_server: LiveServer, olivia: User, settings: Settings, screen: str
) -> None:
    settings.STAFF_MFA_REQUIRED = True
    page: Page = request.getfixturevalue(screen)
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)

    when_she_gives_her_password(page, live_server, olivia)
    phone = when_she_sets_up_her_phone(page)
    when_she_keeps_her_codes(page)
    then_she_sees_the_work_queue(page)

    page.context.clear_cookies()
    when_she_gives_her_password(page, live_server, olivia)
    when_she_enters_a_code(page, phone)
    then_she_sees_the_work_queue(page)
    when_she_looks_at_what_she_may_change(page, live_server)
    assert refused == []
