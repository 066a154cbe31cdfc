import copy
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.factories.cases import StoppedClock
from tests.factories.installations import AT
from tests.integration.access.company import Company, built
from tests.shared_rows import rows_for_several_tests

NOW = AT + timedelta(minutes=5)


@pytest.fixture(scope="module")
def built_company(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Company]:
    """The rows of the company, built once per module: each test starts with them and is rolled back to them."""
    with rows_for_several_tests(django_db_blocker), pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.clock.configured_clock", lambda: StoppedClock(NOW))
        company = built()
        patch.undo()
        yield company


@pytest.fixture
def company(
    built_company: Company, db: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Company:
    monkeypatch.setattr("core.clock.configured_clock", lambda: StoppedClock(NOW))
    caplog.set_level(logging.CRITICAL, "django.request")  # each refusal is a line, with its whole traceback
    return copy.deepcopy(built_company)
