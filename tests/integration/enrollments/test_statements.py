"""What the turns of one enrollment ask of the database."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from enrollments.decision.steps import Waiting
from enrollments.models import Enrollment
from enrollments.states import EnrollmentStatus
from tests.integration.enrollments.flow import Flow

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite, pytest.mark.one_dialect]

MAX_STATEMENTS = 169
"""
From the permission to operate to the finished enrollment. How many enrollments a second go through hangs on this
number, transactions' beginnings and ends included.

Three writes, each decided once ahead and twice under lock, and two readings: one in the same turn right before the
acceptance, one that shows it before anything is finished. Each transaction locks enrollment and POA in two statements
and reads the facts in three to five. The guard of the authority asks one more. Each write notes when it was sent, the
acceptance is compared with what the account shows, and the calls of a day are counted once. Anyone who adds a
statement says what for.
"""
MAX_COMMITS = 11
MAX_STATEMENTS_TO_OPEN = 90
"""From the signature to the account that the customer completes: two writes, and the mail that asks for the rest."""

JOURNAL_HEAD = re.compile(r'FROM "poa_documents_evidenceentry" WHERE .* DESC LIMIT 1$')
"""Read before each new entry: nothing else in the transaction needs to know who wrote the one before."""


def test_enrollment_takes_only_the_listed_statements(flow: Flow) -> None:
    case = flow.case()
    assert flow.run(case) == Waiting.CUSTOMER_TO_FINISH
    flow.finish_at_light(case)
    flow.pass_time(flow.policy.collecting_interval)
    assert flow.run(case) == Waiting.GO_LIVE
    flow.report_pto(case)

    word, statements = advanced(flow, case)

    case.refresh_from_db()
    assert (word, case.status) == (Waiting.SERVICE_TO_START, EnrollmentStatus.FINALIZED)
    assert len(statements) <= MAX_STATEMENTS, "\n".join(sql[:200] for sql in statements)
    assert len(transactions(statements)) <= MAX_COMMITS
    check_read_once(statements)


def test_an_account_takes_the_statements_accounted_for(flow: Flow) -> None:
    word, statements = advanced(flow, flow.case())

    assert word == Waiting.CUSTOMER_TO_FINISH
    assert len(statements) <= MAX_STATEMENTS_TO_OPEN, "\n".join(sql[:200] for sql in statements)
    check_read_once(statements)


def advanced(flow: Flow, case: Enrollment) -> tuple[str, list[str]]:
    """Where the case rests after one turn, and the statements of the turn."""
    with CaptureQueriesContext(connection) as asked:
        word = flow.engine.advance(case.pk)
    return word, [query["sql"] for query in asked.captured_queries]


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


def check_read_once(statements: list[str]) -> None:
    """Check that each transaction locks the enrollment and its POA with one statement each, and repeats no other."""
    for transaction in transactions(statements):
        reads = [sql for sql in transaction if sql.lstrip().startswith("SELECT") and not JOURNAL_HEAD.search(sql)]
        assert len(reads) == len(set(reads)), "\n".join(reads)
        for table in ("enrollments_enrollment", "poa_documents_poadocument"):
            assert sum(sql.startswith(f'SELECT "{table}"') for sql in reads) == 1, "\n".join(reads)
