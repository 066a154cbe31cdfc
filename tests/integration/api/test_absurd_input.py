"""Any input gets a clear refusal and never causes an error of ours."""

from typing import Any

import pytest

from core.api.requests import StrictSerializer
from enrollments.api.serializers import NewPause, Release
from installations.api.serializers import (
    Assignment,
    Correction,
    InstallationMove,
    NewCustomer,
    NewGoLiveReport,
    NewInstallation,
    NewSite,
    Reason,
)
from poa_documents.api.serializers import NewPoaRequest, Revocation, Voiding
from tests.factories.cases import held_case
from tests.factories.installations import go_live_report, installation_at
from tests.factories.poa_documents import plan_promise, sent_poa
from tests.integration.api.conftest import Api

ABSURD: list[Any] = [
    None,
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "\u202e<script>alert(1)</script>",
    "=1+1",
    "x" * 100_000,
    "9999-12-31",
    "0001-01-01",
    "2026-02-30",
    "1e400",
    "NaN",
    "-1",
    -1,
    0,
    1.5,
    10**30,
    True,
    [],
    {},
    {"a": {"b": [None]}},
]
SOUND: dict[str, Any] = {
    "first_name": "Carmen",
    "last_name": "Reyes",
    "email": "carmen@example.com",
    "address_1": "1 Elm St",
    "city": "Round Rock",
    "postal_code": "78664",
    "esi_id": "10443720009999999",
    "kind": "SOLAR",
    "contract_signed_date": "2026-01-02",
    "move": "install",
    "technician": None,
    "granted_date": "2026-03-01",
    "source": "LETTER",
    "utility_reference": "DG-1",
    "reason": "Because.",
    "channel": "PHONE",
}


@pytest.mark.parametrize(
    ("address", "serializer"),
    [
        ("customers/", NewCustomer),
        ("sites/", NewSite),
        ("installations/", NewInstallation),
        ("installations/{job}/move/", InstallationMove),
        ("installations/{job}/assign/", Assignment),
        ("installations/{job}/cancel/", Reason),
        ("pto-reports/", NewGoLiveReport),
        ("pto-reports/{report}/correct/", Correction),
        ("poa-requests/", NewPoaRequest),
        ("poa-requests/{poa}/void/", Voiding),
        ("poa-requests/{poa}/revoke/", Revocation),
        ("enrollments/{enrollment}/holds/{hold}/release/", Release),
        ("pauses/", NewPause),
    ],
)
def test_absurd_values_are_answered(api: Api, address: str, serializer: type[StrictSerializer]) -> None:
    job, poa, held = installation_at("INSTALLED"), sent_poa(), held_case()
    path = address.format(
        job=job.public_id,
        report=go_live_report(job).public_id if "{report}" in address else "",
        poa=poa.public_id,
        enrollment=held.public_id,
        hold=held.holds.get().public_id,
    )
    known = {
        **SOUND,
        "customer": str(job.customer.public_id),
        "site": str(job.site.public_id),
        "installation": str(job.public_id),
        "promise": str(plan_promise().public_id),
    }
    names = [str(name) for name in serializer().fields]
    sound = {name: known[name] for name in names if name in known}

    for name in names:
        for value in ABSURD:
            response = api.post(path, {**sound, name: value})

            assert response.status_code < 500, (name, value)
            if response.status_code == 400:
                assert response.json(), (name, value)


@pytest.mark.parametrize("depth", [300, 900, 1_000, 100_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_deeply_nested_body_is_refused(api: Api, depth: int, begin: str, end: str) -> None:
    body = f'{{"reason": {begin * depth}1{end * depth}}}'

    response = api.client.post(
        "/api/v1/pauses/", body, content_type="application/json", headers={"Idempotency-Key": "deeply-nested"}
    )

    assert response.status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "x"},
        {"limit": -1},
        {"limit": 10**30},
        {"offset": 10**30},
        {"offset": "-1"},
        {"ordering": "password"},
        {"ordering": "-nonsense"},
        {"customer": 10**30},
        {"status": "\x00"},
        {"installation": "1e400"},
        {"granted_date": "0000-00-00"},
    ],
)
@pytest.mark.parametrize("path", ["installations/", "pto-reports/", "poa-requests/", "enrollments/", "customers/"])
def test_absurd_queries_are_answered(api: Api, path: str, query: dict[str, Any]) -> None:
    assert api.get(path, **query).status_code < 500
