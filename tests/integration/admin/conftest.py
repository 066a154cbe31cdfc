from datetime import datetime

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.models import User
from core import clock
from tests.factories.cases import StoppedClock
from tests.factories.installations import AT


@pytest.fixture(autouse=True)
def at(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Every page is opened at this instant."""
    monkeypatch.setattr(clock, "configured_clock", lambda: StoppedClock(AT))
    return AT


@pytest.fixture
def office(db: None) -> User:
    """A member of the office group without further rights."""
    person = User.objects.create_user("olivia", password="a long enough password", is_staff=True)
    person.groups.add(Group.objects.get(name="office"))
    return person


@pytest.fixture
def viewer(db: None) -> User:
    """Staff who may view all our records and change nothing."""
    person = User.objects.create_user("victor", password="a long enough password", is_staff=True)
    person.user_permissions.add(
        *Permission.objects.filter(
            codename__startswith="view_", content_type__app_label__in=("installations", "poa_documents", "enrollments")
        )
    )
    return person


@pytest.fixture
def office_client(office: User) -> Client:
    client = Client()
    client.force_login(office)
    return client


@pytest.fixture
def viewer_client(viewer: User) -> Client:
    client = Client()
    client.force_login(viewer)
    return client
