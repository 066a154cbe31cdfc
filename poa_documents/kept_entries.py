"""
What a customer sent while the door had fallen shut: carried through the pages of the code in a hidden field, so that
nothing typed is lost and nothing is stored before we know who sends it. Only the
customer's sending it again counts.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest

KEPT_FIELD = "kept_entry"
LONGEST_KEPT = 1_000_000  # a signature of the most points that we take has half of it
_NOT_KEPT = frozenset({"form_key", KEPT_FIELD})
_OUR_PATHS = re.compile(r"/(step/[a-z]+|decline|revoke|paper|language|earlier|continue|check|hold|resume)/")


@dataclass(frozen=True)
class KeptEntry:
    """Where a form was going, below the link, and what it held."""

    path: str
    fields: Mapping[str, str]


def keep_entry(request: HttpRequest) -> str:
    """Give a form that arrived as one line of text."""
    fields = {name: value for name, value in request.POST.items() if name not in _NOT_KEPT}
    return json.dumps({"path": request.path, "fields": fields}, ensure_ascii=False)


def kept_entry(request: HttpRequest) -> str:
    """Return what the pages of the code carry along; nothing when it is longer than any form of ours."""
    kept = str(request.POST.get(KEPT_FIELD, ""))
    return kept if len(kept) <= LONGEST_KEPT else ""


def read_entry(kept: str, *, below: str) -> KeptEntry | None:
    """Read it back; nothing unless it was going to one of the customer's pages `below` this very link."""
    try:
        found = json.loads(kept)
        path, fields = str(found["path"]), {str(name): str(value) for name, value in found["fields"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not path.startswith(below) or not _OUR_PATHS.fullmatch(path.removeprefix(below)):
        return None
    return KeptEntry(path=path, fields=fields)
