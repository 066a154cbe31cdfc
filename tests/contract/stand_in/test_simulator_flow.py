"""The whole flow from account creation to active service, over bare HTTP in both dialects."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from simulator.dialect import ALTERNATE, DIALECTS, Dialect
from simulator.pricing import PLAN_GROUPS
from simulator.server import RunningSimulator
from tests.contract.stand_in.light_calls import ACCEPT, CREATE, ESI_ID, LightCalls


def _status_in(account: dict[str, Any], dialect: Dialect) -> object:
    found: Any = account
    for key in dialect.status_places[0].split("."):
        found = found[key]
    return found


def _finalize(light: LightCalls, dialect: Dialect, account_uuid: str, account_token: str) -> int:
    token = account_token if dialect.finalize_token == "account" else None
    return light.call("POST", dialect.finalize_path.format(account_uuid=account_uuid), token=token).status_code


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_whole_flow_from_create_to_active_service(name: str, simulator: RunningSimulator, light: LightCalls) -> None:
    dialect = DIALECTS[name]
    control = simulator.control
    control.set_dialect(name=name)
    details = {"first_name": "Maria", dialect.phone_field: "+15125550123", dialect.birth_date_field: "1980-02-03"}
    account_uuid = light.create(**details)
    light.record(account_uuid)
    control.complete(account_uuid)

    assert _status_in(light.read(account_uuid), dialect) == "enrollment_pending_client_agent"

    plan = light.request_plans(account_uuid)[0]
    token = light.token(account_uuid)
    start = light.day(8).isoformat()
    body = {"plan_uuid": plan["uuid"], "esi_id": ESI_ID, "service_start_date": start, "terms_accepted": True}

    assert light.call("POST", ACCEPT, token=token, json=body).ok
    assert _finalize(light, dialect, account_uuid, token) == 200

    finalized = light.read(account_uuid)
    assert finalized["enrollment"]["is_enrollment_finalized"] is True
    assert finalized["enrollment"]["is_service_active"] is False

    control.advance(timedelta(days=8))
    active = light.read(account_uuid)

    assert active["enrollment"]["is_service_active"] is True
    assert active["locations"][0]["utility_number"] == ESI_ID
    assert active["locations"][0]["service_start_date"] == start
    assert active["locations"][0]["plan_uuid"] == plan["uuid"]
    assert [row["plan_uuid"] for row in control.acceptances()] == [plan["uuid"]]


def test_every_answer_has_an_unexpected_key(light: LightCalls) -> None:
    account_uuid = light.create()
    calls = [
        light.call("GET", f"{CREATE}/{account_uuid}"),
        light.call("GET", CREATE),
        light.call("POST", f"{CREATE}/{account_uuid}/token"),
        light.call("POST", f"{CREATE}/{account_uuid}/enroll/plans/request", json={"esi_id": ESI_ID}),
        light.call("GET", f"{CREATE}/nobody"),
        light.call("GET", "/v1/nowhere"),
    ]

    assert all("unlisted_key" in response.json() for response in calls)


def test_plans_cover_every_group_and_several_terms(light: LightCalls) -> None:
    plans = light.request_plans(light.create())

    assert {plan["group_uuid"] for plan in plans} == {group.uuid for group in PLAN_GROUPS}
    assert {plan["term_months"] for plan in plans} == {12, 24}
    assert len({plan["uuid"] for plan in plans}) == len(plans)


def test_same_meter_and_day_cost_the_same_for_everyone(light: LightCalls) -> None:
    first = light.request_plans(light.create("a@example.com"))
    second = light.request_plans(light.create("b@example.com"))

    assert [plan["avg_cents_per_kwh_1000"] for plan in first] == [plan["avg_cents_per_kwh_1000"] for plan in second]
    assert {plan["uuid"] for plan in first}.isdisjoint({plan["uuid"] for plan in second})


def test_averages_include_energy_delivery_and_fixed_charges(light: LightCalls) -> None:
    plan = light.request_plans(light.create())[0]

    per_kwh = float(plan["energy_rate_cents_per_kwh"]) + float(plan["delivery_rate_cents_per_kwh"])
    fixed = float(plan["plan_monthly_cost_dollars"]) + float(plan["delivery_monthly_cost_dollars"])
    assert float(plan["avg_cents_per_kwh_500"]) == pytest.approx(per_kwh + fixed * 100 / 500, abs=0.006)
    assert float(plan["avg_cents_per_kwh_2000"]) == pytest.approx(per_kwh + fixed * 100 / 2000, abs=0.006)


def test_location_shows_documents_plan_and_support(light: LightCalls) -> None:
    account_uuid = light.accepted()
    token = light.token(account_uuid)
    location = light.read(account_uuid)["locations"][0]
    path = f"/v1/account/locations/{location['uuid']}"

    documents = light.call("GET", f"{path}/documents", token=token).json()
    plan = light.call("GET", f"{path}/plan", token=token).json()
    support = light.call("GET", f"{path}/support-info", token=token).json()

    assert light.call("GET", documents["efl"].removeprefix(light.simulator.url)).ok
    assert documents["contract_start"] == location["service_start_date"]
    assert plan["uuid"] == location["plan_uuid"]
    assert support["tdu_name"] == "Oncor"


def test_accounts_are_listed_newest_first_page_by_page(light: LightCalls) -> None:
    uuids = [light.create(f"p{number}@example.com") for number in range(3)]

    first = light.call("GET", f"{CREATE}?limit=2").json()
    second = light.call("GET", first["next_page_url"].removeprefix(light.simulator.url)).json()

    assert [row["uuid"] for row in [*first["data"], *second["data"]]] == uuids[::-1]
    assert (first["has_more"], second["has_more"], second["next_page_url"]) == (True, False, None)


def test_accounts_can_be_found_by_email(light: LightCalls) -> None:
    light.create("a@example.com")
    wanted = light.create("b@example.com")

    found = light.call("GET", CREATE, params={"email": "b@example.com"}).json()["data"]

    assert [row["uuid"] for row in found] == [wanted]


def test_dialect_without_a_filter_lists_every_account(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.set_dialect(accounts_email_filter=False, accounts_page="array")
    light.create("a@example.com")
    light.create("b@example.com")

    listed = light.call("GET", CREATE, params={"email": "b@example.com"}).json()

    assert [row["email"] for row in listed] == ["b@example.com", "a@example.com"]


def test_addresses_are_searched_by_text_and_meters_by_number(light: LightCalls) -> None:
    token = light.token(light.create())

    by_words = light.call("POST", "/v1/account/enroll/address-search", token=token, json={"query": "bluebonnet plano"})
    by_number = light.call("POST", "/v1/account/enroll/esi-id-search", token=token, json={"esi_id": ESI_ID})

    assert [row["esi_id"] for row in by_words.json()] == [ESI_ID]
    assert by_number.json()["city"] == "Plano"


def test_plans_without_an_account_are_a_bare_list(light: LightCalls) -> None:
    utilities = light.call("POST", f"{CREATE}/enroll/eligibility", json={"postal_code": "75074"}).json()["utilities"]
    body = {"postal_code": "75074", "utility": utilities[0]["name"]}

    plans = light.call("POST", f"{CREATE}/enroll/plans/request", json=body).json()

    assert utilities[0]["display_name"] == "Oncor"
    assert len(plans) == 2 * len(PLAN_GROUPS)


def test_card_and_billing_address_can_be_read_once_provided(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.create()
    token = light.token(account_uuid)

    def read(what: str) -> Any:
        return light.call("GET", f"/v1/account/billing/{what}", token=token)

    assert (read("payment-method").status_code, read("address").status_code) == (404, 404)

    simulator.control.complete(account_uuid)

    assert read("payment-method").json()["card_last4"] == "4242"
    assert read("address").json()["city"] == "Plano"
    assert read("invoices").json()["data"] == []


def test_finalize_can_be_part_of_the_acceptance(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.set_dialect(finalize_implicit=True)

    account_uuid = light.accepted()

    assert light.read(account_uuid)["enrollment"]["is_enrollment_finalized"] is True


def test_finalize_works_at_the_configured_path_only(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.accepted()
    simulator.control.set_dialect(finalize_path="/v1/account/enrollment/finalize")

    assert light.finalize(account_uuid).status_code == 404
    moved = light.call("POST", "/v1/account/enrollment/finalize", token=light.token(account_uuid))
    assert moved.status_code == 200


def test_sandbox_starts_service_at_once_but_live_does_not(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.finalized()
    token = light.token(account_uuid)
    seed = "/v1/account/sandbox/seed-demo-data"

    simulator.control.change_settings(live=True)
    assert light.call("POST", seed, token=token).status_code == 403
    simulator.control.change_settings(live=False)
    assert light.call("POST", seed, token=token).status_code == 200
    assert light.status(account_uuid) == "service_active"
    assert light.call("POST", "/v1/account/sandbox/delete-enrollment", token=token).status_code == 200
    assert light.status(account_uuid) == "enrollment_started"


def _answers_differently(field: str) -> bool:
    return bool(getattr(ALTERNATE, field) != getattr(DIALECTS["reference"], field))


def test_alternate_dialect_differs_on_most_questions() -> None:
    same = {field for field in Dialect.__dataclass_fields__ if not _answers_differently(field)}

    assert same == {
        "finalize_implicit",
        "rate_place",
        "rate_word",
        "rate_limit_retry_after",
        "webhook_encoding",
        "webhook_timestamp_header",
        "window_zone",
        "new_token_revokes_old",
    }


Shape = Callable[[Any], object]


@pytest.mark.parametrize(
    ("change", "shape"),
    [
        ({"accept_response": "account"}, lambda response: "locations" in response.json()),
        ({"accept_response": "location"}, lambda response: response.json()["utility_number"] == ESI_ID),
        ({"accept_response": "empty"}, lambda response: response.status_code == 204 and not response.content),
    ],
)
def test_acceptance_answer_follows_the_dialect(
    change: dict[str, object], shape: Shape, simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.set_dialect(**change)
    account_uuid = light.ready()

    response = light.accept(account_uuid, light.request_plans(account_uuid)[0]["uuid"])

    assert response.ok
    assert shape(response)
