"""The door before the customer's pages, in a browser."""

from playwright.sync_api import Page

from tests.integration.poa_documents.portal_visits import code_in_last_mail

BUTTON = "main form .actions button"


def go_through_the_door(page: Page) -> None:
    """Ask for a code and type it from the mail, where the page that is shown asks for one."""
    if page.locator("form[action$='/code/']").count():
        page.click(BUTTON)
        page.fill("#code", code_in_last_mail())
        page.click(BUTTON)
