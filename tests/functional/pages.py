"""How a person goes from page to page in a browser, and through the code page and the steps of the customer's pages."""

from urllib.parse import urljoin

from playwright.sync_api import Locator, Page

from tests.integration.poa_documents.portal_visits import code_in_last_mail, word_in

BUTTON = "main form .actions button"
STEPS_WITH_TEXT = ("broker", "electronic", "summary", "confirm", "document")


def follow(what: Locator) -> None:
    """Press what leads to a page, and wait until that page is there.

    A click alone comes back while the old page is still shown: what looks at the page next would see the old one,
    or none.
    """
    with what.page.expect_navigation():
        what.click()


def press_enter(page: Page) -> None:
    """Press the key that leads to a page, and wait as `follow` does."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def send(page: Page) -> None:
    """Press the button under the form of a customer's page."""
    follow(page.locator(BUTTON))


def enter_the_code(page: Page) -> None:
    """Ask for a code and type it from the mail, where the page that is shown asks for one."""
    if page.locator("form[action$='/code/']").count():
        send(page)
        page.fill("#code", code_in_last_mail())
        send(page)


def start_signing(page: Page) -> None:
    follow(page.locator("main a.button"))


def read_sample(page: Page) -> None:
    """Where the page asks for it, fetch the sample with this browser's cookies and type the word in it."""
    link = page.locator("a[href$='/sample.pdf']")
    if link.count():
        address = urljoin(page.url, link.get_attribute("href") or "")
        page.fill("#sample-word", word_in(page.context.request.get(address).body()))


def agree(page: Page) -> None:
    """Do what the step that is shown asks for, and go on to the next."""
    read_sample(page)
    for box in page.locator("input[type=checkbox]").all():
        box.check()
    send(page)
