"""The office adds a file to a form in the admin: it is added to the other entries and replaces none."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from playwright.sync_api import FilePayload, Page
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from core import clock
from core.admin.links import button_url
from tests.factories.installations import go_live_report, installation
from tests.factories.poa_documents import sent_poa

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LETTER: FilePayload = {"name": "letter.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"}


@pytest.fixture
def office_desktop(live_server: LiveServer, desktop: Page) -> Iterator[Page]:
    """A desktop browser with a signed-in office user, in which no script fails."""
    person = User.objects.create_user("olivia", is_staff=True)
    person.groups.add(Group.objects.get(name="office"))
    client = Client()
    client.force_login(person)
    desktop.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    problems: list[str] = []
    desktop.on("pageerror", lambda problem: problems.append(str(problem)))
    yield desktop
    assert problems == []


def choose(page: Page, field: str) -> None:
    """Choose a file once the theme's scripts have set up the form, which changes the page."""
    page.evaluate("document.body.append(document.createElement('i'))")
    page.set_input_files(f"[name={field}]", [LETTER])


def test_proof_does_not_replace_the_utility_reference(live_server: LiveServer, office_desktop: Page) -> None:
    now = clock.now()
    report = go_live_report(installation(now), now, utility_reference="PTO-4711")

    for record, button, reference in ((report.installation, "report-go-live", ""), (report, "correct", "PTO-4711")):
        office_desktop.goto(f"{live_server.url}{button_url(record, button)}")
        choose(office_desktop, "proof")

        assert office_desktop.input_value("[name=utility_reference]") == reference


def test_scan_of_a_paper_signature_is_chosen_without_script_errors(
    live_server: LiveServer, office_desktop: Page
) -> None:
    poa = sent_poa(at=clock.now())

    office_desktop.goto(f"{live_server.url}{button_url(poa, 'record-paper')}")
    choose(office_desktop, "scan")

    assert office_desktop.input_value("[name=scan]").endswith("letter.pdf")
