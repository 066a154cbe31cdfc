import logging
from datetime import timedelta

import pytest

from tests.factories.cases import StoppedClock
from tests.factories.installations import AT
from tests.integration.access.company import Company, built


@pytest.fixture
def company(db: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.setattr("core.clock.configured_clock", lambda: StoppedClock(AT + timedelta(minutes=5)))
    caplog.set_level(logging.CRITICAL, "django.request")  # each refusal is a line, with its whole traceback
    return built()
