"""What one enrollment asks of the database, from the permission to operate to the finished enrollment."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollments.decision.steps import Waiting
from enrollments.states import EnrollmentStatus
from tests.integration.enrollments.flow import Flow

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite, pytest.mark.one_dialect]

MAX_STATEMENTS = 189
"""
How many enrollments a second go through hangs on this number, transactions' beginnings and ends included.

Three writes, each decided once ahead and twice under lock, and two readings: one in the same turn right before the
acceptance, one that shows it before anything is finished. Each write notes when it was sent, the acceptance is
compared with what the account shows, open doubts about the signer are looked for, and the calls of a day are counted
once. Anyone who adds a statement says what for.
"""


def test_an_enrollment_takes_no_more_statements_than_are_accounted_for(flow: Flow) -> None:
    case = flow.case()
    assert flow.run(case) == Waiting.CUSTOMER_TO_FINISH
    flow.finish_at_light(case)
    flow.pass_time(flow.policy.collecting_interval)
    assert flow.run(case) == Waiting.GO_LIVE
    flow.report_pto(case)

    with CaptureQueriesContext(connection) as asked:
        word = flow.engine.advance(case.pk)

    case.refresh_from_db()
    assert (word, case.status) == (Waiting.SERVICE_TO_START, EnrollmentStatus.FINALIZED)
    assert len(asked) <= MAX_STATEMENTS, "\n".join(query["sql"][:200] for query in asked.captured_queries)
