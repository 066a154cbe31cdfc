"""What one enrollment asks of the database, from the permission to operate to the finished enrollment."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollments.decision.steps import Waiting
from enrollments.states import EnrollmentStatus
from tests.integration.enrollments.flow import Flow

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite, pytest.mark.one_dialect]

MAX_STATEMENTS = 169
"""
How many enrollments a second go through hangs on this number, transactions' beginnings and ends included.

Three writes, each decided once ahead and twice under lock, and two readings: one in the same turn right before the
acceptance, one that shows it before anything is finished. Each transaction locks enrollment and POA in two statements
and reads the facts in three to five. The guard of the authority asks one more. Each write notes when it was sent, the
acceptance is compared with what the account shows, and the calls of a day are counted once. Anyone who adds a
statement says what for.
"""
MAX_COMMITS = 11
JOURNAL_HEAD = re.compile(r'FROM "poa_documents_evidenceentry" WHERE .* DESC LIMIT 1$')
"""Read before each new entry: nothing else in the transaction needs to know who wrote the one before."""


def transactions(statements: list[str]) -> list[list[str]]:
    """The statements of each transaction, without its beginning and end and without what ran outside any."""
    found, is_open = list[list[str]](), False
    for statement in statements:
        if statement.startswith("BEGIN"):
            found.append([])
            is_open = True
        elif statement == "COMMIT":
            is_open = False
        elif is_open:
            found[-1].append(statement)
    return found


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
    made = transactions([query["sql"] for query in asked.captured_queries])
    assert len(made) <= MAX_COMMITS
    for transaction in made:
        reads = [sql for sql in transaction if sql.lstrip().startswith("SELECT") and not JOURNAL_HEAD.search(sql)]
        assert len(reads) == len(set(reads)), "A transaction reads the same rows twice."
        for table in ("enrollments_enrollment", "poa_documents_poadocument"):
            assert sum(sql.startswith(f'SELECT "{table}"') for sql in reads) == 1, f"{table} is locked once."
