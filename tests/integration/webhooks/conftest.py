from uuid import UUID, uuid4

import pytest

from enrollments.actions import case_opening
from enrollments.models import Enrollment
from tests.factories import installations as made
from tests.integration.enrollments.conftest import flow, pair, running_simulator, running_simulators

__all__ = ["flow", "pair", "running_simulator", "running_simulators"]


@pytest.fixture
def enrollment(db: None) -> Enrollment:
    """An enrollment that has an account at Light, according to our records."""
    opened = case_opening.reconsider_site(site_id=made.installation().site_id, at=made.AT)
    assert opened is not None
    opened.light_account_uuid = uuid4()
    opened.due_at = None
    opened.save()
    return opened


@pytest.fixture
def account_uuid(enrollment: Enrollment) -> UUID:
    assert enrollment.light_account_uuid is not None
    return enrollment.light_account_uuid
