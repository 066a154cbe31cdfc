"""
The API matches its own description for every client and every request body: every address, with requests made from it.

Half of the requests name records that exist, so that they get past authentication. Each run makes the same requests.
"""

import uuid
from functools import cache
from typing import Any

import pytest
import schemathesis
from django.core.cache import caches
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from core.api.requests import KEY_HEADER
from tests.integration.access.company import Company, built

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_connection")]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 8


@cache
def description() -> Any:
    return schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())


def known_ids(company: Company) -> dict[str, str]:
    return {
        "customers": str(company.job.customer.public_id),
        "sites": str(company.job.site.public_id),
        "installations": str(company.job.public_id),
        "pto-reports": str(company.report.public_id),
        "plan-promises": str(company.poa.promise.public_id),
        "poa-requests": str(company.poa.public_id),
        "enrollments": str(company.enrollment.public_id),
        "pauses": str(company.pause.public_id),
    }


@pytest.mark.parametrize("role", ["nobody", "token of a technician", "token of the office"])
def test_every_address_answers_as_documented(role: str) -> None:
    company = built()
    headers = {"Authorization": f"Token {company.tokens[role]}"} if role in company.tokens else {}
    known = known_ids(company)
    operations = [found.ok() for found in description().get_all_operations()]
    for operation in operations:
        _try(operation, headers, known.get(operation.path.split("/")[3], ""))

    assert len(operations) >= 30


def _try(operation: Any, headers: dict[str, str], known: str) -> None:
    @effort(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), exists=st.booleans())
    def answers_as_described(case: Any, exists: bool) -> None:  # noqa: FBT001
        caches["default"].clear()  # rate limits are tested elsewhere
        if exists and "public_id" in case.path_parameters:
            case.path_parameters["public_id"] = known
        if exists and case.method == "POST" and case.headers is not None:
            case.headers[KEY_HEADER] = str(uuid.uuid4())
        case.call_and_validate(checks=CHECKS, headers=headers)

    answers_as_described()
