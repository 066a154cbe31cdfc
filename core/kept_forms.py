"""
What someone typed into a form, kept so that it can be shown again after an error or after signing in again.

Every POST ends in a redirect, and the next page reads the form from here. One form is kept per owner and page,
encrypted, for some hours. Passwords, codes and files are never kept.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from django.core.exceptions import NON_FIELD_ERRORS
from django.forms import BaseForm
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from core.models import KeptForm

AGAIN = "again"
"""Query parameter that tells a page to show the kept form."""

KEPT_FOR = timedelta(hours=12)
MAX_CHARACTERS = 1_000_000
NEVER_KEPT = frozenset({"csrfmiddlewaretoken", "form_key", "password", "code", "seen_state"})


@dataclass(frozen=True)
class Kept:
    """The fields as typed, and a note for the page, such as the errors."""

    fields: QueryDict
    note: str = ""


def keep(*, owner: str, place: str, fields: Mapping[str, Iterable[object]], note: str = "") -> None:
    """Keep what was typed on one page, replacing what was kept there before."""
    values = {name: [str(each) for each in each_of] for name, each_of in fields.items() if name not in NEVER_KEPT}
    text = json.dumps({"fields": values, "note": note}, ensure_ascii=False)
    if len(text) > MAX_CHARACTERS:
        return
    KeptForm.objects.update_or_create(key_hash=_key(owner, place), defaults={"text": text, "kept_at": timezone.now()})


def find(*, owner: str, place: str) -> Kept | None:
    """Return what was typed there, without removing it."""
    row = KeptForm.objects.filter(key_hash=_key(owner, place), kept_at__gt=timezone.now() - KEPT_FOR).first()
    if row is None:
        return None
    kept = json.loads(row.text)
    fields = QueryDict(mutable=True)
    for name, values in kept["fields"].items():
        fields.setlist(name, values)
    return Kept(fields, kept["note"])


def take(*, owner: str, place: str) -> Kept | None:
    """Return what was kept there and delete it. Of several concurrent calls, one gets it."""
    kept = find(owner=owner, place=place)
    deleted, _by_model = KeptForm.objects.filter(key_hash=_key(owner, place)).delete()
    return kept if deleted else None


def forget(*, owner: str, place: str) -> None:
    KeptForm.objects.filter(key_hash=_key(owner, place)).delete()


def again_address(request: HttpRequest) -> str:
    """Return the URL of this page with the parameter that shows the kept form."""
    asked = request.GET.copy()
    asked[AGAIN] = ""
    return f"{request.path}?{asked.urlencode()}"


def owner_of(user_id: int | None) -> str:
    """Return the owner key of a person. No one else sees what they typed, even in the same browser."""
    return f"user {user_id}"


def keep_refused(form: BaseForm, *, owner: str, place: str) -> None:
    """Keep a form with its errors, including those that an action added."""
    errors = {name: [str(text) for text in texts] for name, texts in form.errors.items()}
    typed = cast("QueryDict", form.data)
    fields = {name: typed.getlist(name) for name in typed}
    keep(owner=owner, place=place, fields=fields, note=json.dumps({"errors": errors}))


def keep_expired(request: HttpRequest, *, owner: str) -> None:
    """Keep a form that arrived after its session had ended."""
    fields = {name: request.POST.getlist(name) for name in request.POST}
    note = json.dumps({"expired": True, "files": sorted(request.FILES)})
    keep(owner=owner, place=request.path, fields=fields, note=note)


def restore_errors(form: BaseForm, kept: Kept) -> str:
    """Add the kept errors to a bound form; return the message to show if the session had ended."""
    note = json.loads(kept.note or "{}")
    form.full_clean()
    form.errors.clear()
    for name, texts in note.get("errors", {}).items():
        form.add_error(None if name == NON_FIELD_ERRORS else name, texts)
    if not note.get("expired"):
        return ""
    files = " Please choose the file again." if note.get("files") else ""
    return f"Your session had ended, so nothing was saved. What you typed is still here: send it again.{files}"


def _key(owner: str, place: str) -> str:
    return hashlib.sha256(f"{owner}\n{place}".encode()).hexdigest()
