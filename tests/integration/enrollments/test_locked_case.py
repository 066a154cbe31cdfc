"""A transaction reads its case once, and the facts are never older than what it recorded."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from core.actors import SYSTEM
from enrollments.actions.moves import note, take_move
from enrollments.engine.locked_case import lock_case
from enrollments.models import LightWrite
from enrollments.states import EnrollmentStatus, WriteKind
from tests.factories.cases import case, case_waiting_for_signature
from tests.factories.installations import AT

pytestmark = pytest.mark.django_db


def test_facts_are_read_once() -> None:
    pk = case_waiting_for_signature().pk

    with transaction.atomic():
        locked = lock_case(pk)
        first = locked.facts
        with CaptureQueriesContext(connection) as asked:
            second = locked.facts

    assert second is first
    assert not asked.captured_queries


def test_facts_are_read_again_after_a_note() -> None:
    pk = case_waiting_for_signature().pk

    with transaction.atomic():
        locked = lock_case(pk)
        before = locked.facts
        LightWrite.objects.create(enrollment=locked.enrollment, kind=WriteKind.CREATE_ACCOUNT, opened_at=AT)
        note(locked, "begin_create_account", by=SYSTEM, at=AT)

        assert before.unsettled is None
        assert locked.facts.unsettled is not None


def test_facts_are_read_again_after_a_move() -> None:
    pk = case().pk

    with transaction.atomic():
        locked = lock_case(pk)
        before = locked.facts
        locked.enrollment.ended_at, locked.enrollment.ended_because = AT, "Sold twice."
        take_move(locked, "close", by=SYSTEM, at=AT)

        assert before.status == EnrollmentStatus.OPEN
        assert locked.facts.status == locked.enrollment.status == EnrollmentStatus.ENDED


def test_case_without_poa_asks_for_it_once() -> None:
    pk = case().pk

    with transaction.atomic(), CaptureQueriesContext(connection) as asked:
        locked = lock_case(pk)
        assert locked.facts.authority is None

    of_poas = [query for query in asked.captured_queries if 'FROM "poa_documents_poadocument"' in query["sql"]]
    assert len(of_poas) == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks whole databases.")
def test_customer_and_site_stay_unlocked() -> None:
    """Someone who proves an address has locked the POA first and then writes the customer: a deadlock otherwise."""
    pk = case_waiting_for_signature().pk

    with transaction.atomic(), CaptureQueriesContext(connection) as asked:
        lock_case(pk)

    locked = {
        sql["sql"].rpartition(" FOR UPDATE ")[2] for sql in asked.captured_queries if " FOR UPDATE " in sql["sql"]
    }
    assert locked == {'OF "enrollments_enrollment"', 'OF "poa_documents_poadocument"'}
