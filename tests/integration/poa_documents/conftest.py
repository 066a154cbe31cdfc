import pytest

from tests.integration.poa_documents.portal_visits import ManualClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """The clock of the pages, stopped at the moment of signing."""
    standing = ManualClock()
    monkeypatch.setattr("core.clock.configured_clock", lambda: standing)
    return standing
