"""B2: a copy of production that is started elsewhere reads, and refuses to write to the live Light."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from enrollments.actions.system_holds import NothingHeld, release_writes
from enrollments.decision.steps import Waiting
from enrollments.engine import copy_guard, write_guard
from enrollments.models import DatabasePlace, LightWrite
from tests.integration.enrollments.flow import OFFICE, Flow

pytestmark = [pytest.mark.sqlite, pytest.mark.one_dialect]

LIVE = "https://api.light.example"


@pytest.fixture(autouse=True)
def _other_process() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    """Start again, as another process does."""
    copy_guard.first_place.cache_clear()
    copy_guard.current_place.cache_clear()


def copied_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_guard, "_server", lambda: "another server")
    forget()


def test_first_place_may_write_and_is_remembered(db: None, settings: Settings) -> None:
    settings.LIGHT_API_URL = LIVE

    assert write_guard.why_writes_are_stopped() == ""
    forget()
    assert write_guard.why_writes_are_stopped() == ""

    assert DatabasePlace.objects.get().place == copy_guard.current_place()


def test_B2_copy_elsewhere_writes_nothing_and_explains(
    flow: Flow, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LIGHT_API_URL = LIVE
    case = flow.case()
    write_guard.why_writes_are_stopped()
    copied_elsewhere(monkeypatch)

    assert flow.run(case) == Waiting.WRITES_STOPPED

    assert f"LIGHT_WRITES_ALLOWED_FOR={copy_guard.current_place()}" in case.because
    assert not LightWrite.objects.exists()
    with pytest.raises(NothingHeld, match="LIGHT_WRITES_ALLOWED_FOR"):
        release_writes(by=OFFICE, at=flow.clock.at)


def test_copy_still_reads(flow: Flow, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LIGHT_API_URL = LIVE
    case = flow.case()
    flow.run(case)
    before = case.last_read_at
    copied_elsewhere(monkeypatch)

    flow.live(case, timedelta(hours=3))

    assert before is not None
    assert case.last_read_at is not None
    assert case.last_read_at > before


def test_only_the_named_place_may_write(flow: Flow, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LIGHT_API_URL = LIVE
    write_guard.why_writes_are_stopped()
    copied_elsewhere(monkeypatch)

    settings.LIGHT_WRITES_ALLOWED_FOR = copy_guard.current_place()
    assert write_guard.why_writes_are_stopped() == ""

    monkeypatch.undo()
    forget()
    assert write_guard.why_writes_are_stopped()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001", "http://localhost:8001", "http://[::1]:8001"])
def test_local_simulator_may_always_be_written_to(
    flow: Flow, settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    settings.LIGHT_API_URL = LIVE
    write_guard.why_writes_are_stopped()
    copied_elsewhere(monkeypatch)

    settings.LIGHT_API_URL = url

    assert write_guard.why_writes_are_stopped() == ""


def test_every_database_has_its_own_place(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    here = copy_guard.current_place()
    assert here == copy_guard.current_place()

    forget()
    monkeypatch.setitem(connection.settings_dict, "NAME", "switchyard_copy")

    assert copy_guard.current_place() != here
