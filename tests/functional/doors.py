"""The door before the customer's pages, in a browser."""

from urllib.parse import urljoin

from playwright.sync_api import Page

from tests.integration.poa_documents.portal_visits import code_in_last_mail, word_in

BUTTON = "main form .actions button"


def go_through_the_door(page: Page) -> None:
    """Ask for a code and type it from the mail, where the page that is shown asks for one."""
    if page.locator("form[action$='/code/']").count():
        page.click(BUTTON)
        page.fill("#code", code_in_last_mail())
        page.click(BUTTON)


def read_sample(page: Page) -> None:
    """Where the page asks for it, fetch the sample with this browser's cookies and type the word in it."""
    link = page.locator("a[href$='/sample.pdf']")
    if link.count():
        address = urljoin(page.url, link.get_attribute("href") or "")
        page.fill("#sample-word", word_in(page.context.request.get(address).body()))
