"""How a person moves from page to page in a browser, through the code page and the steps of the customer pages."""

from urllib.parse import urljoin

from playwright.sync_api import Locator, Page

from tests.integration.poa_documents.portal_visits import code_in_last_mail, word_in

BUTTON = "main form .actions button"
STEPS_WITH_TEXT = ("broker", "electronic", "summary", "confirm", "document")


def follow(what: Locator) -> None:
    """
    Click what leads to another page, and wait until that page is loaded.

    A click alone returns while the old page is still shown, so the next look at the page would see the old one,
    or none.
    """
    with what.page.expect_navigation():
        what.click()


def press_enter(page: Page) -> None:
    """Press the key that leads to another page, and wait as `follow` does."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def send(page: Page) -> None:
    """Click the button under the form of a customer page."""
    follow(page.locator(BUTTON))


def enter_the_code(page: Page) -> None:
    """Request a code and type it from the mail, if the current page asks for one."""
    if page.locator("form[action$='/code/']").count():
        send(page)
        page.fill("#code", code_in_last_mail())
        send(page)


def start_signing(page: Page) -> None:
    follow(page.locator("main a.button"))


def read_sample(page: Page) -> None:
    """If the page asks for it, download the sample with this browser's cookies and type its word."""
    link = page.locator("a[href$='/sample.pdf']")
    if link.count():
        address = urljoin(page.url, link.get_attribute("href") or "")
        page.fill("#sample-word", word_in(page.context.request.get(address).body()))


def agree(page: Page) -> None:
    """Complete the current step, and continue to the next."""
    read_sample(page)
    for box in page.locator("input[type=checkbox]").all():
        box.check()
    send(page)
