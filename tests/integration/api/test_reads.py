"""Lists and records over the API: paginated, filtered, ordered, and without secrets."""

import time
from typing import Any

import pytest
from django.test import Client

from installations.models import Customer
from tests.factories.accounts import personal_key
from tests.factories.installations import customer, installation_at, staff, technician
from tests.factories.poa_documents import sent_poa
from tests.integration.api.conftest import Api

LISTS = (
    "customers/",
    "sites/",
    "installations/",
    "pto-reports/",
    "plan-promises/",
    "poa-requests/",
    "enrollments/",
    "pauses/",
)


@pytest.mark.parametrize("path", LISTS)
def test_lists_are_only_for_authenticated_systems(client: Client, db: None, path: str) -> None:
    assert client.get(f"/api/v1/{path}").status_code == 401


@pytest.mark.parametrize("path", LISTS)
def test_technician_tokens_open_nothing(db: None, path: str) -> None:
    api = Api(personal_key(technician()))

    assert api.get(path).status_code == 403


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("key", ["1", "999999999999999999", "0", "01a23187-3ad7-7518-ab33-fb7939c888f9", "not-an-id"])
def test_unknown_records_are_not_found(api: Api, path: str, key: str) -> None:
    response = api.get(f"{path}{key}/")

    assert response.status_code == 404
    assert "detail" in response.json()


def test_lists_are_paginated_with_a_maximum_size(api: Api) -> None:
    for _ in range(3):
        customer()

    first = api.get("customers/", limit=2).json()
    largest = api.get("customers/", limit=100_000).json()

    assert (first["count"], len(first["results"])) == (3, 2)
    assert "offset=2" in first["next"]
    assert len(largest["results"]) == 3
    assert "limit" not in (largest["next"] or "")


def test_lists_are_filtered_and_ordered(api: Api) -> None:
    first = installation_at("SOLD")
    done = installation_at("PTO_CONFIRMED")
    charger = installation_at("SOLD", kind="EV_CHARGER")

    sold = api.get("installations/", status="SOLD", ordering="-id").json()["results"]
    report = api.get("pto-reports/", installation=done.public_id).json()["results"]

    assert [row["id"] for row in sold] == [str(charger.public_id), str(first.public_id)]
    assert [row["installation"] for row in report] == [str(done.public_id)]


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("installations/", {"status": "NONSENSE"}, "status"),
        ("installations/", {"customer": "x"}, "customer"),
        ("pto-reports/", {"granted_date": "yesterday"}, "granted_date"),
        ("enrollments/", {"light_account_uuid": "x"}, "light_account_uuid"),
    ],
)
def test_impossible_filter_is_named(api: Api, path: str, query: dict[str, str], field: str) -> None:
    response = api.get(path, **query)

    assert response.status_code == 400
    assert field in response.json()


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("search=reyes", "search"),
        ("page=2", "page"),
        ("limit=5&statuss=SOLD", "statuss"),
        ("ordering=nonsense", "ordering"),
        ("ordering=id,-nonsense", "ordering"),
        ("ordering=pk", "ordering"),
        ("limit=x", "limit"),
        ("limit=0", "limit"),
        ("offset=-1", "offset"),
        ("limit=5&limit=6", "limit"),
    ],
)
def test_unknown_list_parameter_is_refused_by_name(api: Api, path: str, query: str, named: str) -> None:
    response = api.client.get(f"/api/v1/{path}?{query}")

    assert response.status_code == 400
    assert list(response.json()) == [named]


def test_refused_parameter_error_lists_the_allowed_ones(api: Api) -> None:
    said = api.get("customers/", search="reyes").json()["search"][0]

    taken = "last_name, email, language, updated_since, limit, offset, ordering"
    assert said == f"Unknown parameter. This endpoint accepts: {taken}."


def test_single_record_takes_no_parameters(api: Api) -> None:
    person, job = customer(), installation_at("SOLD")

    answers = [
        api.get(f"customers/{person.public_id}/", expand="sites"),
        api.get(f"installations/{job.public_id}/events/", limit="2"),
    ]

    assert [answer.status_code for answer in answers] == [400, 400]


def test_refusal_repeats_only_part_of_the_input(api: Api) -> None:
    asked = [
        api.client.get("/api/v1/customers/?" + "&".join(f"k{number}=1" for number in range(900))),
        api.post("customers/", {f"key {number}": 0 for number in range(20_000)}),
        api.post("customers/", {"language": "x" * 200_000}),
    ]

    assert [answer.status_code for answer in asked] == [400, 400, 400]
    assert max(len(answer.content) for answer in asked) < 10_000


def test_list_query_count_does_not_grow_with_rows(api: Api, django_assert_max_num_queries: Any) -> None:
    for _ in range(3):
        installation_at("PTO_CONFIRMED")
        sent_poa()
    api.get("sites/")  # records the use of the key, once an hour

    for path, most in (("installations/", 4), ("pto-reports/", 5), ("poa-requests/", 4), ("enrollments/", 6)):
        with django_assert_max_num_queries(
            most
        ):  # token and second factor, the count, the rows, each kind of related row
            assert api.get(path).status_code == 200


def test_poa_request_shows_neither_link_nor_token_nor_signature(api: Api) -> None:
    poa = sent_poa()

    shown = api.get(f"poa-requests/{poa.public_id}/").text

    assert poa.token_hash
    assert poa.token_hash not in shown
    for word in ("token", "link", "signature", "portal"):
        assert word not in shown


def test_customer_has_no_date_of_birth_in_answers(api: Api) -> None:
    carmen = customer()

    shown = api.get(f"customers/{carmen.public_id}/")

    assert "1984" not in shown.text


def test_wrong_password_gives_no_token(client: Client, db: None) -> None:
    staff(username="crm")

    wrong = client.post("/api/v1/token/", {"username": "crm", "password": "x"}, "application/json")
    missing = client.post("/api/v1/token/", {"username": "crm"}, "application/json")

    assert wrong.status_code == 400
    assert "do not match" in wrong.text
    assert set(missing.json()) == {"password"}


def test_guessing_passwords_is_slowed_down(client: Client, db: None) -> None:
    answers = [
        client.post("/api/v1/token/", {"username": "crm", "password": "x"}, "application/json") for _ in range(21)
    ]

    assert answers[-1].status_code == 429
    assert "Retry-After" in answers[-1].headers


def test_schema_and_its_browser_are_served(client: Client, db: None) -> None:
    schema = client.get("/api/schema/", headers={"Accept": "application/json"})
    browser = client.get("/api/docs/")

    assert schema.status_code == 200
    assert "/api/v1/pto-reports/" in schema.text
    assert "Idempotency-Key" in schema.text
    assert "cdn" not in browser.text


def test_polling_system_gets_what_changed_since(api: Api) -> None:
    early, late = customer(), customer()
    time.sleep(0.005)
    Customer.objects.filter(pk=early.pk).update(last_name="Ortega")
    changed_at = api.get(f"customers/{early.public_id}/").json()["updated_at"]

    found = api.get("customers/", updated_since=changed_at).json()["results"]
    ordered = api.get("customers/", ordering="updated_at").json()["results"]

    assert [row["id"] for row in found] == [str(early.public_id)]
    assert [row["id"] for row in ordered] == [str(late.public_id), str(early.public_id)]
    assert api.get("customers/", updated_since="yesterday").status_code == 400


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        ("0695-05-22T14:33:32.4+19:40", 200),
        ("2026-05-22T14:33:32-23:59", 200),
        ("0001-01-01T00:00:00+14:00", 400),
        ("9999-12-31T23:59:59-14:00", 400),
    ],
)
def test_moment_with_any_offset_is_answered(api: Api, moment: str, status: int) -> None:
    assert api.get("customers/", updated_since=moment).status_code == status
