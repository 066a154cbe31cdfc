"""The office sees what is blocked and why, and releases it with a reason, on a desktop and a phone."""

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from core import clock
from enrollments.models import Enrollment
from tests.factories.cases import held_case
from tests.factories.installations import customer
from tests.functional.pages import follow

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a long enough password"
REASON = "Light fixed the address of the meter."


@pytest.fixture
def olivia() -> User:
    person = User.objects.create_user("olivia", password=PASSWORD, is_staff=True)
    person.groups.add(Group.objects.get(name="office"))
    return person


@pytest.fixture
def blocked() -> Enrollment:
    now = clock.now()
    return held_case(now, customer=customer(now, first_name="Priya", last_name="<b>Natarajan</b>"))


def sign_in(page: Page, server: LiveServer, olivia: User) -> None:
    page.goto(f"{server.url}/admin/login/")
    page.get_by_label("Username").fill(olivia.username)
    page.get_by_label("Password").fill(PASSWORD)
    follow(page.get_by_role("button", name="Sign in"))


def assert_case_is_blocked(page: Page) -> None:
    row = page.get_by_role("row", name="Priya")
    expect(row).to_contain_text("Light offers no plan")
    expect(row).to_contain_text("Office")
    expect(row).to_contain_text("Authority closed")


def open_case(page: Page) -> None:
    follow(page.get_by_role("link", name="Priya <b>Natarajan</b>"))
    expect(page.get_by_role("heading", name="Blocked: Light offers no plan")).to_be_visible()


def click_release(page: Page) -> None:
    follow(page.get_by_role("link", name="Release the hold").first)
    expect(page.get_by_role("heading", name="Release the hold")).to_be_visible()


def confirm(page: Page, *, reason: str) -> None:
    page.get_by_label("What you did about it").fill(reason)
    follow(page.get_by_role("button", name="Release the hold"))


def assert_page_fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_staff_release_a_hold_with_a_reason(
    live_server: LiveServer, desktop: Page, olivia: User, blocked: Enrollment
) -> None:
    problems: list[str] = []
    desktop.on("pageerror", lambda problem: problems.append(str(problem)))

    sign_in(desktop, live_server, olivia)
    assert_case_is_blocked(desktop)
    open_case(desktop)
    click_release(desktop)
    confirm(desktop, reason="")
    expect(desktop.get_by_text("This field is required.")).to_be_visible()
    confirm(desktop, reason=REASON)

    expect(desktop.get_by_text("The hold is released")).to_be_visible()
    expect(desktop.get_by_role("list").filter(has_text=REASON).first).to_be_visible()
    follow(desktop.get_by_role("link", name="Work queue").first)
    expect(desktop.get_by_text("No blocked cases.")).to_be_visible()
    assert blocked.holds.get().release_reason == REASON
    assert problems == []


def test_queue_and_case_work_on_a_phone(
    live_server: LiveServer, phone: Page, olivia: User, blocked: Enrollment
) -> None:
    sign_in(phone, live_server, olivia)
    expect(phone.get_by_role("link", name="Priya")).to_be_visible()
    assert_page_fits(phone)
    open_case(phone)
    assert_page_fits(phone)
    click_release(phone)
    assert_page_fits(phone)
    confirm(phone, reason=REASON)

    expect(phone.get_by_text("The hold is released")).to_be_visible()
    assert blocked.holds.get().release_reason == REASON


@pytest.mark.parametrize("address", ["/admin/", "/admin/enrollments/enrollment/", "/admin/installations/customer/add/"])
def test_admin_pages_have_one_landmark_and_label_every_field(
    live_server: LiveServer, desktop: Page, olivia: User, blocked: Enrollment, address: str
) -> None:
    sign_in(desktop, live_server, olivia)
    expect(desktop.get_by_text("Work queue").first).to_be_visible()

    desktop.goto(f"{live_server.url}{address}")

    expect(desktop.get_by_role("main")).to_have_count(1)
    nameless = desktop.evaluate(
        """() => [...document.querySelectorAll("main input:not([type=hidden]), main select, main textarea")]
            .filter(field => !field.labels?.length && !field.getAttribute("aria-label") && !field.title)
            .map(field => field.outerHTML)"""
    )
    assert nameless == []
