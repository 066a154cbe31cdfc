"""A customer with a link, as a server sees one: opens pages, reads their forms and sends them."""

import io
import re
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.http import HttpResponse
from django.test import Client
from pypdf import PdfReader

from poa_documents.models import PoaDocument
from tests.factories.poa_documents import SIGNED_AT

LINK = re.compile(r"http\S+/portal/(\S+)/")
CODE = re.compile(r"^([0-9]{6})$", re.M)


def word_in(sample: bytes) -> str:
    """Read the word in a sample as a PDF program shows it."""
    found = re.search(r"(?:word is|palabra es):\s*(\w+)", PdfReader(io.BytesIO(sample)).pages[0].extract_text())
    assert found
    return found[1]


class ManualClock:
    """A clock that stops until a test moves it."""

    at = SIGNED_AT

    def now(self) -> datetime:
        return self.at


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.checkboxes: dict[str, bool] = {}
        self._in_main = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "main":
            self._in_main = True
        if tag != "input" or not self._in_main or not given.get("name"):
            return
        name, value = str(given["name"]), given.get("value") or ""
        match given.get("type"):
            case "checkbox":
                self.checkboxes[name] = "checked" in given
            case "radio":
                if "checked" in given:
                    self.fields[name] = value
            case _:
                self.fields[name] = value


def token_in_last_mail() -> str:
    """The newest link in the customer's mailbox; the mails with codes have none."""
    for message in reversed(mail.outbox):
        assert isinstance(message, EmailMultiAlternatives)
        found = LINK.search(str(message.body))
        if found:
            return found[1]
    raise AssertionError("No mail holds a link.")


def code_in_last_mail() -> str:
    message = mail.outbox[-1]
    assert isinstance(message, EmailMultiAlternatives)
    found = CODE.search(str(message.body))
    assert found, "The last mail holds no code."
    return found[1]


class Visit:
    def __init__(self, token: str, client: Client | None = None) -> None:
        self.token = token
        self.client = client or Client()

    @classmethod
    def by_last_mail(cls) -> "Visit":
        """A customer who opened the newest link and typed the code."""
        return cls(token_in_last_mail()).enter_code()

    def enter_code(self) -> "Visit":
        self.ask_for_code()
        self.enter(code_in_last_mail())
        return self

    def ask_for_code_again(self) -> HttpResponse:
        """Request a code in a session that is already open."""
        return self.post("code/", self.fields("decline/"))

    def ask_for_code(self) -> HttpResponse:
        form = self._read(self.open()).fields
        return self.post("code/", form)

    def enter(self, code: str) -> HttpResponse:
        """Type a code and send it where the page that asks for it does."""
        form = self._read(self.open()).fields
        return self.post("enter/", {**form, "code": code})

    def address(self, path: str = "") -> str:
        return f"/portal/{self.token}/{path}"

    def open(self, path: str = "", **headers: Any) -> HttpResponse:
        return self.client.get(self.address(path), follow=True, **headers)  # type: ignore[return-value]

    def fields(self, path: str) -> dict[str, str]:
        """What the form on a page would send untouched."""
        return self._read(self.open(path)).fields

    def fields_of(self, response: HttpResponse) -> dict[str, str]:
        """What the form on a returned page would send."""
        return self._read(response).fields

    def checkboxes(self, response: HttpResponse) -> dict[str, bool]:
        return self._read(response).checkboxes

    def send(self, path: str, *, tick_all: bool = True, **changes: str) -> HttpResponse:
        """Open a page, fill in its form and send it."""
        form = self._read(self.open(path))
        ticks = dict.fromkeys(form.checkboxes, "yes") if tick_all else {}
        word = {"sample_word": self.word_in_sample()} if "sample_word" in form.fields and tick_all else {}
        return self.post(path, {**form.fields, **ticks, **word, **changes})

    def word_in_sample(self) -> str:
        """Open the sample as a PDF program does, and read the word in it."""
        return word_in(self.open("sample.pdf").content)

    def post(self, path: str, fields: dict[str, str]) -> HttpResponse:
        return self.client.post(self.address(path), fields, follow=True)  # type: ignore[return-value]

    def agree_to_everything(self) -> None:
        for name in ("broker", "electronic", "summary", "confirm", "document"):
            self.send(f"step/{name}/")

    def sign(self, **signature: str) -> HttpResponse:
        self.agree_to_everything()
        self.sign_as(**{"typed_name": "Carmen Reyes", **signature})
        return self.send("step/review/")

    def sign_as(self, typed_name: str, **signature: str) -> HttpResponse:
        """Type a name, and confirm that it is one's own if the page asks."""
        typed = {**self.fields("step/signature/"), "kind": "TYPED", "typed_name": typed_name, **signature}
        page = self.post("step/signature/", typed)
        if "is_my_name" not in self.checkboxes(page):
            return page
        return self.post("step/signature/", {**typed, **self.fields_of(page), "is_my_name": "yes"})

    @staticmethod
    def _read(response: HttpResponse) -> _Forms:
        forms = _Forms()
        forms.feed(response.content.decode())
        return forms


def fresh(poa: PoaDocument) -> PoaDocument:
    return PoaDocument.objects.get(pk=poa.pk)
