"""
What a customer typed, kept per browser: a form to show again with its errors, and a form that arrived after the session
had ended. The latter waits for the code and counts only if the customer sends it again.
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
"""Query parameter that tells a page to show what was typed and what is wrong with it."""

_WAITING_FOR_CODE = "waiting for code"
_OUR_PATHS = re.compile(r"/(step/[a-z]+|decline|revoke|paper|language|earlier|continue|check|hold|resume)/")


@dataclass(frozen=True)
class KeptEntry:
    """The path a form was sent to, and its fields."""

    path: str
    fields: Mapping[str, str]


def keep(request: HttpRequest, poa: PoaDocument, place: str, *, note: str = "") -> None:
    """Keep a form to show it again on its own page. `note` says why."""
    fields = {name: request.POST.getlist(name) for name in request.POST}
    kept_forms.keep(owner=_owner(request, poa), place=place, fields=fields, note=note)


def find(request: HttpRequest, poa: PoaDocument, place: str) -> Kept | None:
    """Return the form to show again, if the URL asks for it."""
    return kept_forms.find(owner=_owner(request, poa), place=place) if AGAIN in request.GET else None


def forget(request: HttpRequest, poa: PoaDocument, place: str) -> None:
    kept_forms.forget(owner=_owner(request, poa), place=place)


def keep_until_code(request: HttpRequest, poa: PoaDocument, *, below: str) -> None:
    """Keep a form that arrived without a session, if it was sent to one of the customer's pages."""
    path = request.path.removeprefix(below)
    if browser_sessions.browser_of(request) and is_kept_until_code(path):
        keep(request, poa, _WAITING_FOR_CODE, note=path)


def is_kept_until_code(path: str) -> bool:
    """Whether a form sent to this path is kept."""
    return _OUR_PATHS.fullmatch(path) is not None


def find_waiting(request: HttpRequest, poa: PoaDocument, *, below: str) -> KeptEntry | None:
    """Return the form of this browser that waits for the code."""
    kept = (
        kept_forms.find(owner=_owner(request, poa), place=_WAITING_FOR_CODE)
        if browser_sessions.browser_of(request)
        else None
    )
    if kept is None or not is_kept_until_code(kept.note):
        return None
    fields: dict[str, Any] = kept.fields.dict()
    return KeptEntry(path=below + kept.note, fields=fields)


def forget_waiting(request: HttpRequest, poa: PoaDocument) -> None:
    forget(request, poa, _WAITING_FOR_CODE)


def _owner(request: HttpRequest, poa: PoaDocument) -> str:
    return f"poa {poa.pk} browser {browser_sessions.browser_of(request)}"
