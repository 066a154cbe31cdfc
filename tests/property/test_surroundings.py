"""The machine's own setup: a simulated death must leave exactly what a dead process leaves."""

from contextlib import suppress

import pytest
from django.db import connection

from core.models import CaseChange
from tests.factories import installations as made
from tests.integration.enrollments.flow import MORNING
from tests.property.surroundings import Killed, database_rolled_back, killed_at_statement


@pytest.mark.django_db
def test_crash_during_nontransactional_deletion_undoes_only_the_deletion() -> None:
    with database_rolled_back():
        made.installation(MORNING)
        changes = CaseChange.objects.count()
        assert changes

        with suppress(Killed), killed_at_statement(1):
            CaseChange.objects.all().delete()

        assert CaseChange.objects.count() == changes
        CaseChange.objects.all().delete()
        assert not CaseChange.objects.exists()

    assert not connection.needs_rollback
