"""
Passes a new key's secret from the button that created it to the page that shows it.

Every POST ends in a redirect, so the secret is stored encrypted in between, for a few minutes and for the person who
created the key. The page deletes it when showing it, so a reload, the Back button or another person sees nothing.
"""

import json
from datetime import timedelta

from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.api_client_actions import NewKey
from accounts.models import ApiKey, User
from core import kept_forms

KEPT_FOR = timedelta(minutes=5)


def keep(made: NewKey, *, by: User) -> None:
    until = timezone.now() + KEPT_FOR
    note = json.dumps({"secret": made.secret, "until": until.isoformat()})
    kept_forms.keep(owner=kept_forms.owner_of(by.pk), place=_place(made.key), fields={}, note=note)


def take(request: HttpRequest, key: ApiKey) -> str:
    """Return the secret once, to the person who created the key. Return an empty string to anyone else, and later."""
    if request.method != "GET":
        return ""
    kept = kept_forms.take(owner=kept_forms.owner_of(request.user.pk), place=_place(key))
    if kept is None:
        return ""
    note = json.loads(kept.note)
    until = parse_datetime(note["until"])
    return str(note["secret"]) if until is not None and timezone.now() < until else ""


def _place(key: ApiKey) -> str:
    return f"secret of API key {key.pk}"
