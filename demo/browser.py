"""A minimal browser for plain forms: opens pages, finds, fills and submits forms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

TIMEOUT_SECONDS = 20.0
TICKABLE = frozenset({"checkbox", "radio"})


class ConnectionLost(Exception):
    """There was no response, so it is unknown whether the form arrived. People reload the page to find out."""


class UnexpectedPage(Exception):
    """The page does not have what a person would look for."""


@dataclass
class Form:
    """A form of a page: its URL, initial values and checkboxes."""

    address: str
    method: str = "get"
    values: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def filled(self, values: Mapping[str, str], *, tick_all: bool = False) -> dict[str, str]:
        """
        Return the values to submit.

        :raises UnexpectedPage: a value has no field on the form
        """
        unknown = set(values) - self.names
        if unknown:
            raise UnexpectedPage(f"The form at {urlsplit(self.address).path} has no field {', '.join(unknown)}.")
        return {**self.values, **(self.boxes if tick_all else {}), **values}


@dataclass(frozen=True)
class Page:
    address: str
    status: int
    text: str
    forms: Sequence[Form]
    links: Sequence[str]

    def form_to(self, *endings: str) -> Form | None:
        """Return the form whose URL ends in one of these."""
        for form in self.forms:
            if form.method == "post" and urlsplit(form.address).path.endswith(endings):
                return form
        return None


class Browser:
    """One person's browser, with its cookies."""

    def __init__(self, name: str) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["User-Agent"] = f"Switchyard demo ({name})"

    def open(self, address: str) -> Page:
        """:raises ConnectionLost: there was no response"""
        return self._ask("GET", address, {}, {})

    def send(
        self,
        form: Form,
        values: Mapping[str, str] | None = None,
        *,
        tick_all: bool = False,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
    ) -> Page:
        """:raises ConnectionLost: there was no response; the form may have arrived"""
        return self._ask("POST", form.address, form.filled(values or {}, tick_all=tick_all), files or {})

    def fetch(self, address: str) -> bytes:
        """
        Download a file.

        :raises ConnectionLost: there was no response
        """
        try:
            return self._session.get(address, timeout=TIMEOUT_SECONDS).content
        except requests.RequestException as problem:
            raise ConnectionLost(type(problem).__name__) from problem

    def close(self) -> None:
        self._session.close()

    def _ask(
        self, method: str, address: str, values: Mapping[str, str], files: Mapping[str, tuple[str, bytes, str]]
    ) -> Page:
        try:
            answer = self._session.request(
                method, address, data=values or None, files=files or None, timeout=TIMEOUT_SECONDS
            )
        except requests.RequestException as problem:
            raise ConnectionLost(type(problem).__name__) from problem
        reader = _PageReader(answer.url)
        if "html" in answer.headers.get("Content-Type", ""):
            reader.feed(answer.text)
        return Page(answer.url, answer.status_code, answer.text, reader.forms, reader.links)


class _PageReader(HTMLParser):
    """Collects forms and links. Fields outside of forms are ignored."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._address = address
        self._open_form: Form | None = None
        self._select = ""
        self._text_area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            address = urljoin(self._address, given.get("action", ""))
            self._open_form = Form(address or self._address, given.get("method", "get").lower())
            self.forms.append(self._open_form)
        elif tag == "a" and "href" in given:
            self.links.append(urljoin(self._address, given["href"]))
        elif self._open_form is not None:
            self._read_field(self._open_form, tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open_form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._text_area = ""

    def handle_data(self, data: str) -> None:
        if self._text_area and self._open_form is not None:
            self._open_form.values[self._text_area] += data

    def _read_field(self, form: Form, tag: str, given: Mapping[str, str]) -> None:
        name = given.get("name", "")
        if tag == "option" and self._select:
            if "selected" in given or self._select not in form.values:
                form.values[self._select] = given.get("value", "")
            return
        if not name or tag not in {"input", "select", "textarea"}:
            return
        form.names.add(name)
        kind = given.get("type", "text")
        if tag == "select":
            self._select = name
        elif tag == "textarea":
            self._text_area = name
            form.values[name] = ""
        elif kind in TICKABLE:
            self._read_box(form, name, kind, given)
        elif kind != "file":
            form.values[name] = given.get("value", "")

    def _read_box(self, form: Form, name: str, kind: str, given: Mapping[str, str]) -> None:
        value = given.get("value", "on")
        if "checked" in given:
            form.values[name] = value
        if kind == "checkbox":
            form.boxes[name] = value
