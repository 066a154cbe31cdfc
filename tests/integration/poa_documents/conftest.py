import pytest

from tests.integration.poa_documents.portal_visits import StandingClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StandingClock:
    """The clock of the pages, stopped at the moment of signing."""
    standing = StandingClock()
    monkeypatch.setattr("core.clock.configured_clock", lambda: standing)
    return standing
