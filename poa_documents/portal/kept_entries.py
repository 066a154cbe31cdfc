"""
What a customer typed, kept in this browser's name: a form that has to be shown again, and one that arrived while the
door had fallen shut. The latter waits for the code, and only the customer's sending it again counts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from core import kept_forms
from core.kept_forms import Kept
from poa_documents.models import PoaDocument
from poa_documents.portal import browser_sessions

AGAIN = "again"
"""The mark in the address of a page that shows what was typed and what is wrong with it."""

_AT_THE_DOOR = "at the door"
_OUR_PATHS = re.compile(r"/(step/[a-z]+|decline|revoke|paper|language|earlier|continue|check|hold|resume)/")


@dataclass(frozen=True)
class KeptEntry:
    """Where a form was going, and what it held."""

    path: str
    fields: Mapping[str, str]


def keep(request: HttpRequest, poa: PoaDocument, place: str, *, note: str = "") -> None:
    """Keep a form to be shown again at its own page; `note` says why."""
    fields = {name: request.POST.getlist(name) for name in request.POST}
    kept_forms.keep(owner=_owner(request, poa), place=place, fields=fields, note=note)


def find(request: HttpRequest, poa: PoaDocument, place: str) -> Kept | None:
    """Return what is to be shown again, on the page that a refused form leads to."""
    return kept_forms.find(owner=_owner(request, poa), place=place) if AGAIN in request.GET else None


def forget(request: HttpRequest, poa: PoaDocument, place: str) -> None:
    kept_forms.forget(owner=_owner(request, poa), place=place)


def keep_at_the_door(request: HttpRequest, poa: PoaDocument, *, below: str) -> None:
    """Keep a form that arrived while the door was shut, if it was going to one of the customer's pages."""
    path = request.path.removeprefix(below)
    if browser_sessions.browser_of(request) and is_kept_at_the_door(path):
        keep(request, poa, _AT_THE_DOOR, note=path)


def is_kept_at_the_door(path: str) -> bool:
    """Whether a form going there is kept: one of the customer's own pages, below the link."""
    return _OUR_PATHS.fullmatch(path) is not None


def find_at_the_door(request: HttpRequest, poa: PoaDocument, *, below: str) -> KeptEntry | None:
    """Return what waits for the code of this browser."""
    kept = (
        kept_forms.find(owner=_owner(request, poa), place=_AT_THE_DOOR)
        if browser_sessions.browser_of(request)
        else None
    )
    if kept is None or not is_kept_at_the_door(kept.note):
        return None
    fields: dict[str, Any] = kept.fields.dict()
    return KeptEntry(path=below + kept.note, fields=fields)


def forget_at_the_door(request: HttpRequest, poa: PoaDocument) -> None:
    forget(request, poa, _AT_THE_DOOR)


def _owner(request: HttpRequest, poa: PoaDocument) -> str:
    return f"poa {poa.pk} browser {browser_sessions.browser_of(request)}"
