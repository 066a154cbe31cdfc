"""Who may call what, and which status refuses what: section 2.8 of the notes on Light's API."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests

from simulator.server import RunningSimulator
from simulator.world import OTHER_APP_TOKEN
from tests.contract.stand_in.light_calls import ACCEPT, CREATE, ESI_ID, OTHER_ESI_ID, LightCalls


@pytest.mark.parametrize("token", ["", "wrong", "sim-app-token-2"])
def test_unknown_token_is_unauthorized(token: str, light: LightCalls) -> None:
    assert light.call("GET", CREATE, token=token).status_code == 401
    assert light.call("GET", "/v1/account", token=token).status_code == 401


def test_missing_token_is_unauthorized(simulator: RunningSimulator) -> None:
    assert requests.get(simulator.url + CREATE, timeout=5).status_code == 401


def test_each_token_kind_works_on_its_own_endpoints_only(light: LightCalls) -> None:
    account_uuid = light.create()

    assert light.call("GET", f"{CREATE}/{account_uuid}", token=light.token(account_uuid)).status_code == 401
    assert light.call("GET", "/v1/account").status_code == 401


def test_account_token_lives_sixty_minutes(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.freeze_clock()
    token = light.token(light.create())

    simulator.control.advance(timedelta(minutes=59, seconds=59))
    assert light.call("GET", "/v1/account", token=token).status_code == 200
    simulator.control.advance(timedelta(seconds=1))
    assert light.call("GET", "/v1/account", token=token).status_code == 401


def test_new_account_token_keeps_old_one_unless_dialect_revokes_it(
    simulator: RunningSimulator, light: LightCalls
) -> None:
    account_uuid = light.create()
    old = light.token(account_uuid)

    light.token(account_uuid)
    assert light.call("GET", "/v1/account", token=old).status_code == 200
    simulator.control.set_dialect(new_token_revokes_old=True)
    light.token(account_uuid)
    assert light.call("GET", "/v1/account", token=old).status_code == 401


@pytest.mark.parametrize("path", ["", "/token", "/flow-login", "/record-client-agent", "/enroll/plans/request"])
def test_account_of_another_app_is_not_found(path: str, light: LightCalls) -> None:
    foreign = light.call("POST", CREATE, token=OTHER_APP_TOKEN, json={"email": "x@example.com"}).json()["uuid"]
    method = "POST" if path else "GET"

    answers = [light.call(method, f"{CREATE}/{uuid}{path}", json={}) for uuid in (foreign, str(uuid4()), "no-uuid")]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert foreign not in [row["uuid"] for row in light.call("GET", CREATE).json()["data"]]


@pytest.mark.parametrize("body", [{}, {"email": ""}, {"email": "no address"}, {"email": 5}, {"email": None}])
def test_account_needs_an_email(body: dict[str, object], simulator: RunningSimulator, light: LightCalls) -> None:
    response = light.call("POST", CREATE, json=body)

    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["body", "email"]
    assert simulator.control.state()["accounts"] == []


@pytest.mark.parametrize("raw", [b"{", b"[]", b"5", b"\xff\xfe"])
def test_non_object_json_body_is_refused(raw: bytes, light: LightCalls) -> None:
    assert light.call("POST", CREATE, data=raw).status_code == 422


def test_bad_client_agent_on_create_leaves_no_account(simulator: RunningSimulator, light: LightCalls) -> None:
    body = {"email": "a@example.com", "client_agent_accepted": True, "client_agent_accepted_at": "yesterday"}

    assert light.call("POST", CREATE, json=body).status_code == 422
    assert simulator.control.state()["accounts"] == []


@pytest.mark.parametrize("instant", ["yesterday", "2026-01-01", "2026-01-01T10:00:00", 5, None, "2999-01-01T00:00:00Z"])
def test_client_agent_instant_must_be_valid_and_past(instant: object, light: LightCalls) -> None:
    path = f"{CREATE}/{light.create()}/record-client-agent"

    assert light.call("POST", path, json={"client_agent_accepted_at": instant}).status_code == 422


def test_client_agent_instant_defaults_to_now(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.freeze_clock()
    account_uuid = light.create()
    path = f"{CREATE}/{account_uuid}/record-client-agent"

    light.call("POST", path)
    now = light.read(account_uuid)["client_agent_accepted_at"]
    light.call("POST", path, json={"client_agent_accepted_at": "2026-01-05T10:00:00-06:00"})
    given = light.read(account_uuid)["client_agent_accepted_at"]

    assert now[:19] == simulator.control.now().isoformat()[:19]
    assert given == "2026-01-05T16:00:00.000Z"


def test_repeated_client_agent_is_refused_if_dialect_says_so(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.set_dialect(record_repeat="conflict", client_agent_read_back=False)
    account_uuid = light.create()
    light.record(account_uuid)

    assert light.call("POST", f"{CREATE}/{account_uuid}/record-client-agent", json={}).status_code == 409
    assert "client_agent_accepted_at" not in light.read(account_uuid)


@pytest.mark.parametrize(
    ("esi_id", "status"),
    [
        (None, 422),
        (10443720001234567, 422),
        ("1.0443720001234567e+16", 422),
        ("1044372000123456", 422),
        ("104437200012345678", 422),
        ("1044372000123456789012", 422),
        ("10089010001234567", 422),
        ("10443720001234567 ", 422),
        ("99999990001234567", 404),
        ("10443720009999999", 200),
        ("1008901000000000000001", 200),
    ],
)
def test_meter_number_is_checked_by_form_then_utility(esi_id: object, status: int, light: LightCalls) -> None:
    account_uuid = light.create()
    by_app = light.call("POST", f"{CREATE}/{account_uuid}/enroll/plans/request", json={"esi_id": esi_id})
    token = light.token(account_uuid)
    by_customer = light.call("POST", "/v1/account/enroll/plans/request", token=token, json={"esi_id": esi_id})

    assert (by_app.status_code, by_customer.status_code) == (status, status)


def test_every_seeded_meter_gets_plans(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.create()
    meters = simulator.control.esi_ids()

    assert len(meters) == 12
    assert len({meter["utility"] for meter in meters}) == 6
    assert all(light.request_plans(account_uuid, meter["esi_id"]) for meter in meters)


def test_unknown_hosted_link_scope_is_refused(light: LightCalls) -> None:
    path = f"{CREATE}/{light.create()}/flow-login"

    assert light.call("POST", path, json={"scope": "everything"}).status_code == 422
    assert light.call("POST", path, json={"scope": "enrollment"}).status_code == 200


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"plan_uuid": str(uuid4())}, 404),
        ({"plan_uuid": None}, 422),
        ({"esi_id": OTHER_ESI_ID}, 404),
        ({"esi_id": "12"}, 422),
        ({"terms_accepted": False}, 422),
        ({"terms_accepted": "true"}, 422),
        ({"terms_accepted": None}, 422),
        ({"service_start_date": "2026-02-30"}, 422),
        ({"service_start_date": "03/05/2026"}, 422),
        ({"service_start_date": None}, 422),
    ],
)
def test_acceptance_with_a_wrong_field_is_refused(
    change: dict[str, object], status: int, simulator: RunningSimulator, light: LightCalls
) -> None:
    account_uuid = light.ready()
    plan = light.request_plans(account_uuid)[0]
    body = {**light.acceptance(plan["uuid"]), **change}

    response = light.call("POST", ACCEPT, token=light.token(account_uuid), json=body)

    assert response.status_code == status
    assert simulator.control.acceptances() == []


def test_plan_of_another_account_is_unknown(light: LightCalls) -> None:
    foreign = light.request_plans(light.ready("other@example.com"))[0]
    account_uuid = light.ready()

    assert light.accept(account_uuid, foreign["uuid"]).status_code == 404


def test_acceptance_without_client_agent_is_refused(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.create()
    simulator.control.complete(account_uuid)
    plan = light.request_plans(account_uuid)[0]

    assert light.accept(account_uuid, plan["uuid"]).status_code == 409


@pytest.mark.parametrize("missing", ["address", "identity", "card"])
def test_acceptance_before_prerequisites_is_refused(
    missing: str, simulator: RunningSimulator, light: LightCalls
) -> None:
    account_uuid = light.create()
    light.record(account_uuid)
    simulator.control.complete(account_uuid, [step for step in ("address", "identity", "card") if step != missing])
    plan = light.request_plans(account_uuid)[0]

    assert light.status(account_uuid) == "enrollment_started"
    assert light.accept(account_uuid, plan["uuid"]).status_code == 409
    simulator.control.complete(account_uuid, [missing])
    assert light.accept(account_uuid, plan["uuid"]).status_code == 200


def test_acceptance_while_credit_is_frozen_is_refused(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.ready()
    plan = light.request_plans(account_uuid)[0]
    simulator.control.freeze_credit(account_uuid)

    assert light.accept(account_uuid, plan["uuid"]).status_code == 409
    assert simulator.control.acceptances() == []


def test_second_acceptance_is_refused(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.ready()
    first, second = light.request_plans(account_uuid)[:2]

    answers = [light.accept(account_uuid, plan["uuid"]).status_code for plan in (first, first, second)]

    assert answers == [200, 409, 409]
    assert [row["plan_uuid"] for row in simulator.control.acceptances()] == [first["uuid"]]


def test_repeated_acceptance_of_same_plan_can_return_first_answer(
    simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.set_dialect(accept_repeat="idempotent")
    account_uuid = light.ready()
    first, second = light.request_plans(account_uuid)[:2]

    answers = [light.accept(account_uuid, plan["uuid"]).status_code for plan in (first, first, second)]

    assert answers == [200, 200, 409]
    assert len(simulator.control.acceptances()) == 1


def test_finalize_needs_an_accepted_plan(light: LightCalls) -> None:
    assert light.finalize(light.ready()).status_code == 409


@pytest.mark.parametrize(("mode", "status"), [("idempotent", 200), ("conflict", 409)])
def test_second_finalize_follows_the_dialect(
    mode: str, status: int, simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.set_dialect(finalize_repeat=mode)

    assert light.finalize(light.finalized()).status_code == status


@pytest.mark.parametrize(
    ("mode", "read_reason"),
    [
        ("detail", lambda body: body["detail"]),
        ("error", lambda body: body["error"]),
        ("message", lambda body: body["message"]),
    ],
)
def test_error_body_follows_the_dialect(
    mode: str, read_reason: Any, simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.set_dialect(error_body=mode)

    assert read_reason(light.call("GET", f"{CREATE}/{uuid4()}").json()) == "Account not found."


@pytest.mark.parametrize(("mode", "status"), [("new", 201), ("conflict", 409), ("return_old", 200)])
def test_create_with_known_email_follows_the_dialect(
    mode: str, status: int, simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.set_dialect(create_with_known_email=mode)
    first = light.create("a@example.com")

    again = light.call("POST", CREATE, json={"email": "A@example.com"})

    assert again.status_code == status
    assert (again.json().get("uuid") == first) is (mode == "return_old")


def test_unknown_create_keys_are_ignored_or_refused(simulator: RunningSimulator, light: LightCalls) -> None:
    body = {"email": "a@example.com", "dob": "1980-01-01"}

    assert light.call("POST", CREATE, json=body).status_code == 201
    simulator.control.set_dialect(unknown_keys_refused=True)
    assert light.call("POST", CREATE, json=body).status_code == 422
    simulator.control.set_dialect(birth_date_field="dob")
    assert light.call("POST", CREATE, json=body).status_code == 201


def test_too_many_calls_per_second_get_429(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.set_dialect(rate_limit_per_second=3)

    answers = [light.call("GET", CREATE) for _ in range(5)]

    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert answers[-1].headers["Retry-After"] == "1"


def test_details_can_be_changed_later(light: LightCalls) -> None:
    account_uuid = light.create("typo@example.com", first_name="Maria")

    response = light.call("PATCH", f"{CREATE}/{account_uuid}", json={"email": "right@example.com"})

    assert response.status_code == 200
    assert light.read(account_uuid)["email"] == "right@example.com"
    assert light.read(account_uuid)["first_name"] == "Maria"


def test_location_of_another_account_is_unknown(light: LightCalls) -> None:
    location = light.read(light.accepted("other@example.com"))["locations"][0]["uuid"]
    token = light.token(light.accepted())

    assert light.call("GET", f"/v1/account/locations/{location}/documents", token=token).status_code == 404


def test_dialect_without_poa_gate_is_ready_before_client_agent(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.create()
    simulator.control.complete(account_uuid)

    assert light.status(account_uuid) == "enrollment_started"
    simulator.control.set_dialect(pending_needs_poa=False)
    assert light.status(account_uuid) == "enrollment_pending_client_agent"


def test_only_the_requested_esi_id_is_accepted(light: LightCalls) -> None:
    account_uuid = light.ready()
    plan = light.request_plans(account_uuid, OTHER_ESI_ID)[0]

    assert light.accept(account_uuid, plan["uuid"], esi_id=ESI_ID).status_code == 404
    assert light.accept(account_uuid, plan["uuid"], esi_id=OTHER_ESI_ID).status_code == 200


def test_many_simultaneous_acceptances_count_once(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.ready()
    body = light.acceptance(light.request_plans(account_uuid)[0]["uuid"])
    token = light.token(account_uuid)

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(light.call, "POST", ACCEPT, token=token, json=body) for _ in range(16)]
        answers = sorted(call.result().status_code for call in calls)

    assert answers == [200, *[409] * 15]
    assert len(simulator.control.acceptances()) == 1
