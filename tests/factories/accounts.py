"""API keys, created the way people and systems get them."""

import itertools
from datetime import timedelta

from django.contrib.auth.models import Group
from django.utils import timezone

from accounts import api_client_actions
from accounts.api_client_actions import NewKey
from accounts.models import ApiClient, Scope, User
from accounts.staff_groups import OFFICE_GROUP
from tests.factories.installations import staff

_numbers = itertools.count(1)


def personal_key(person: User | None = None) -> str:
    """The secret of a personal key; of someone with every right unless named."""
    return api_client_actions.create_personal_key(person=person or staff(), at=timezone.now()).secret


def api_client(*, by: User | None = None, name: str = "", scope: Scope = Scope.READ_AND_WRITE) -> ApiClient:
    """Another system with the office's role."""
    return api_client_actions.register_client(
        name=name or f"System {next(_numbers)}",
        scope=scope,
        role=Group.objects.get(name=OFFICE_GROUP),
        by=by or staff(),
        at=timezone.now(),
    )


def client_key(client: ApiClient | None = None, *, by: User | None = None, days: int = 365) -> NewKey:
    by = by or staff()
    return api_client_actions.create_client_key(
        client_id=(client or api_client(by=by)).pk,
        label="production server",
        lifetime=timedelta(days=days),
        by=by,
        at=timezone.now(),
    )
