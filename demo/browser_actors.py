"""
The demo's customers and technician, who use their pages.

Like real people, they look at the page, do the next step and look again. If the response to a form is lost because the
server was killed, the page shows whether the form arrived.
"""

import io
import re
import time
from collections.abc import Callable
from datetime import date
from email import message_from_bytes, policy
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

from PIL import Image, ImageDraw

from demo.browser import Browser, ConnectionLost, Form, Page, UnexpectedPage
from demo.demo_data import TECHNICIAN_NAME, TECHNICIAN_PASSWORD, CustomerProfile

MAX_WAIT_SECONDS = 120.0
RETRY_SECONDS = 0.2
MAX_PAGES = 30

Result = TypeVar("Result")


class WaitTimeout(Exception):
    """A person waited too long for a page or an e-mail."""


def retry(goal: str, act: Callable[[], Result | None]) -> Result:
    """
    Repeat an action until it returns a result, despite lost connections.

    :raises WaitTimeout: the text includes the goal
    """
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    reason = ""
    while time.monotonic() < deadline:
        try:
            result = act()
        except ConnectionLost as problem:
            reason = f" The last attempt failed with {problem}."
        else:
            if result is not None:
                return result
        time.sleep(RETRY_SECONDS)
    raise WaitTimeout(f"{goal}: gave up after {MAX_WAIT_SECONDS:.0f} seconds.{reason}")


class Customer:
    """Reads e-mail, signs on the portal, completes Light's pages, and may revoke."""

    def __init__(self, profile: CustomerProfile, *, mail_folder: Path, site_url: str) -> None:
        self.profile = profile
        self._mail_folder = mail_folder
        self._site_url = site_url
        self._browser = Browser(profile.name)

    @property
    def link(self) -> str:
        """The newest link in their e-mail."""
        return retry(f"{self.profile.name} waits for the invitation", self._find_link)

    def sign(self) -> None:
        """Go through all steps: read, check boxes, type the name, review, sign."""
        retry(f"{self.profile.name} wants to sign", self._sign)

    def finish_at_light(self) -> None:
        """Press “continue at Light” and complete address, identity with credit check, card and billing address."""
        retry(f"{self.profile.name} wants to go on at Light", self._finish_at_light)

    def revoke(self) -> None:
        retry(f"{self.profile.name} wants to revoke", self._revoke)

    def close(self) -> None:
        self._browser.close()

    def _find_link(self) -> str | None:
        links = self._found_in_mail(rf"{re.escape(self._site_url)}/portal/[\w-]+/")
        return links[-1] if links else None

    def _codes(self) -> list[str]:
        return self._found_in_mail(r"^[0-9]{6}$")

    def _found_in_mail(self, pattern: str) -> list[str]:
        """Return matches in the e-mails to this customer, newest last."""
        found = []
        for file in sorted(self._mail_folder.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns):
            message = message_from_bytes(file.read_bytes(), policy=policy.default)
            body = message.get_body(("plain",))
            if body is None or self.profile.email not in str(message["To"]):
                continue
            said = re.search(pattern, str(body.get_content()), re.MULTILINE)
            if said:
                found.append(said.group())
        return found

    def _home(self) -> Page | None:
        """Open the newest link, and enter the code from the e-mail."""
        page = self._browser.open(self.link)
        ask = page.form_to("/code/")
        if ask is None:
            return page if page.status == 200 else None  # an e-mail sent again after a crash has a newer link
        earlier = len(self._codes())
        enter = self._browser.send(ask).form_to("/enter/")
        if enter is None:
            return None
        codes = retry(f"{self.profile.name} waits for a code", lambda: self._codes()[earlier:] or None)
        page = self._browser.send(enter, {"code": codes[-1]})
        return page if page.status == 200 and page.form_to("/enter/") is None else None

    def _sign(self) -> bool | None:
        page = self._home()
        if page is None:
            return None
        next_step = _link_to(page, "/step/")
        if next_step is None:
            return True
        page = self._browser.open(next_step)
        for _ in range(MAX_PAGES):
            form = next((form for form in page.forms if "/step/" in form.address and form.method == "post"), None)
            if form is None:
                return None if _link_to(page, "/step/") else self._has_signed()
            page = self._browser.send(form, self._typed_into(form), tick_all=True)
            if page.form_to("/code/"):  # the portal session expired, because the demo's time passes quickly
                return None
            if page.status >= 400:
                raise UnexpectedPage(f"{urlsplit(page.address).path} returned {page.status} for a completed form.")
        return None

    def _has_signed(self) -> bool | None:
        home = self._home()
        return None if home is None or _link_to(home, "/step/") else True

    def _typed_into(self, form: Form) -> dict[str, str]:
        if "sample_word" in form.names:
            sample = self._browser.fetch(urljoin(form.address, "../../sample.pdf"))
            word = re.search(rb"<pdf:Keywords>(.*?)</pdf:Keywords>", sample)
            return {"sample_word": word[1].decode() if word else ""}
        if "typed_name" not in form.names:
            return {}
        return {"kind": "TYPED", "typed_name": self.profile.name}

    def _finish_at_light(self) -> bool | None:
        page = self._pages_of_light()
        if page is None:
            return None
        for ending in ("/address", "/identity", "/card", "/billing"):
            form = page.form_to(ending)
            if form is None:
                continue  # done before
            values = {"esi_id": self.profile.esi_id} if ending == "/address" else {}
            page = self._browser.send(form, values, tick_all=True)
        done = page.form_to("/done")
        if done is None:
            return None
        self._browser.send(done)
        return True

    def _pages_of_light(self) -> Page | None:
        """Follow “continue at Light”, which is available once the customer has an account at Light."""
        home = self._home()
        form = home.form_to("/continue/") if home else None
        if form is None:
            return None
        page = self._browser.send(form)
        return page if page.form_to("/done") else None

    def _revoke(self) -> bool | None:
        home = self._home()
        if home is None:
            return None
        form = home.form_to("/revoke/")
        if form is None:
            return True
        self._browser.send(form)
        return None  # look again: the page no longer offers it once it counts


class Technician:
    """Signs in on the phone pages and reports go-live."""

    def __init__(self, *, site_url: str) -> None:
        self._site_url = site_url
        self._browser = Browser("technician")

    def sign_in(self) -> None:
        """Sign in early, because nobody can sign in while attempts cannot be counted, but sessions stay valid."""
        retry("The technician wants to sign in", lambda: self._signed_in(f"{self._site_url}/field/"))

    def report(self, installation_id: str, *, granted: date, on_site: bool, reference: str) -> None:
        """
        Report permission to operate with a photo of the letter, or the commissioning of a charger.

        The same form is sent until it is answered; it counts once.
        """
        address = f"{self._site_url}/field/jobs/{installation_id}/"
        form = retry("The technician wants to see the job", lambda: self._job_form(address))
        values = {
            "granted_date": granted.isoformat(),
            "source": "ON_SITE" if on_site else "LETTER",
            "utility_reference": "" if on_site else reference,
        }
        proof = ("permission.jpg", _photo_of_letter(reference, granted), "image/jpeg")
        retry("The technician wants to send the report", lambda: self._send(form, values, proof))

    def close(self) -> None:
        self._browser.close()

    def _job_form(self, address: str) -> Form | None:
        page = self._signed_in(address)
        return page.form_to(urlsplit(address).path) if page else None

    def _signed_in(self, address: str) -> Page | None:
        page = self._browser.open(address)
        form = _sign_in_form(page)
        if form is None:
            return page
        self._browser.send(form, {"username": TECHNICIAN_NAME, "password": TECHNICIAN_PASSWORD})
        page = self._browser.open(address)
        return page if _sign_in_form(page) is None else None

    def _send(self, form: Form, values: dict[str, str], proof: tuple[str, bytes, str]) -> bool | None:
        page = self._browser.send(form, values, files={"proof": proof})
        if page.status == 200:
            return True
        if page.status < 500:
            raise UnexpectedPage(f"The technician's form returned {page.status}.")
        return None


def _sign_in_form(page: Page) -> Form | None:
    return next((form for form in page.forms if "password" in form.names), None)


def _link_to(page: Page, part: str) -> str | None:
    return next((link for link in page.links if part in urlsplit(link).path), None)


def _photo_of_letter(reference: str, granted: date) -> bytes:
    picture = Image.new("RGB", (900, 600), "white")
    pen = ImageDraw.Draw(picture)
    lines = ("PERMISSION TO OPERATE", f"Application {reference}", f"Granted {granted:%B} {granted.day}, {granted.year}")
    for row, line in enumerate(lines):
        pen.text((60, 80 + 60 * row), line, fill="black", font_size=36)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=80)
    return written.getvalue()
