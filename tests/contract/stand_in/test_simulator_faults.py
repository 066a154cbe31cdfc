"""Each fault over real sockets: what the caller sees and whether the work was done."""

import json
import socket
import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import requests

from simulator.control_client import ControlError
from simulator.fault_middleware import BAD_IDENTIFIER
from simulator.faults import FAULT_KINDS
from simulator.server import RunningSimulator
from tests.contract.stand_in.light_calls import CREATE, LightCalls

WITHOUT_EFFECT = {"says_error": 200, "queued": 202, "empty_before": 204}
DIFFERENT = {"another_plan": "plan_uuid", "another_start": "service_start_date", "another_meter": "esi_id"}
IMPOSSIBLE_PLANS = {
    "plans_expired": "expires_at",
    "plans_short_lived": "expires_at",
    "plans_in_dollars": "avg_cents_per_kwh_1000",
    "plans_free": "avg_cents_per_kwh_1000",
    "plans_below_their_rate": "avg_cents_per_kwh_1000",
}


@pytest.fixture
def waiting(light: LightCalls) -> tuple[str, str]:
    """An account that waits for its client agent, and a plan priced for it."""
    account_uuid = light.ready()
    return account_uuid, str(light.request_plans(account_uuid)[0]["uuid"])


@pytest.mark.parametrize(("kind", "is_done"), [("drop_before", False), ("drop_after", True), ("hang", False)])
def test_dropped_connection_gives_no_answer(
    *,
    kind: str,
    is_done: bool,
    waiting: tuple[str, str],
    simulator: RunningSimulator,
    light: LightCalls,
) -> None:
    simulator.control.inject_fault("accept", kind, seconds=0.05)

    with pytest.raises(requests.ConnectionError):
        light.accept(*waiting)

    assert bool(simulator.control.acceptances()) is is_done
    assert light.accept(*waiting).status_code == (409 if is_done else 200)


def test_dropped_connection_is_a_real_reset(simulator: RunningSimulator) -> None:
    simulator.control.inject_fault("*", "drop_before")
    address = urlsplit(simulator.url)

    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.sendall(b"GET /v1/account HTTP/1.1\r\nHost: x\r\n\r\n")

        with pytest.raises(ConnectionResetError):
            connection.recv(100)


def test_dropped_call_body_is_not_parsed_as_another_request(
    simulator: RunningSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    simulator.control.inject_fault("finalize", "drop_after")
    address = urlsplit(simulator.url)
    call = b"POST /v1/account/enroll/finalize HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"

    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.sendall(call)
        with pytest.raises(ConnectionResetError):
            connection.recv(100)
    time.sleep(0.2)

    assert "Bad request" not in caplog.text


@pytest.mark.parametrize(("kind", "is_done"), [("error_before", False), ("error_after", True)])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_error_comes_before_or_after_the_work(
    *,
    kind: str,
    is_done: bool,
    status: int,
    waiting: tuple[str, str],
    simulator: RunningSimulator,
    light: LightCalls,
) -> None:
    simulator.control.inject_fault("accept", kind, status=status)

    assert light.accept(*waiting).status_code == status
    assert bool(simulator.control.acceptances()) is is_done


@pytest.mark.parametrize("retry_after", ["5", "Sat, 21 Nov 2026 22:00:00 GMT", None])
def test_rate_limit_may_include_the_wait(
    retry_after: str | None, waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.inject_fault("accept", "rate_limit", retry_after=retry_after)

    response = light.accept(*waiting)

    assert response.status_code == 429
    assert response.headers.get("Retry-After") == retry_after
    assert simulator.control.acceptances() == []


def test_delayed_answer_comes_after_the_work(
    waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.inject_fault("accept", "delay", seconds=0.3)

    response = light.accept(*waiting)

    assert response.status_code == 200
    assert response.elapsed > timedelta(seconds=0.3)


def test_acceptance_counts_after_caller_abandons_a_delayed_answer(
    waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    account_uuid, plan_uuid = waiting
    simulator.control.inject_fault("accept", "delay", seconds=2)
    headers = {"Authorization": f"Bearer {light.token(account_uuid)}"}
    url = f"{simulator.url}/v1/account/enroll/plans/accept"

    with pytest.raises(requests.ReadTimeout):
        requests.post(url, headers=headers, json=light.acceptance(plan_uuid), timeout=0.2)

    assert len(simulator.control.acceptances()) == 1


def test_other_calls_are_answered_while_one_is_delayed(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.create()
    simulator.control.inject_fault("read", "delay", seconds=5)
    url, headers = f"{simulator.url}{CREATE}/{account_uuid}", {"Authorization": f"Bearer {simulator.app_token}"}
    with pytest.raises(requests.ReadTimeout):
        requests.get(url, headers=headers, timeout=0.1)

    assert light.call("GET", f"{CREATE}/{account_uuid}").elapsed < timedelta(seconds=1)


def test_truncated_answer_breaks_off_after_the_work(
    waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.inject_fault("accept", "truncate_after")

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        light.accept(*waiting)

    assert len(simulator.control.acceptances()) == 1


def test_dripping_answer_comes_byte_by_byte_after_the_work(
    waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.inject_fault("accept", "drip", seconds=0.001)

    dripped = light.accept(*waiting)

    assert (dripped.status_code, dripped.json()["uuid"]) == (200, waiting[0])
    assert len(simulator.control.acceptances()) == 1


def test_redirect_names_another_host_and_does_nothing(
    waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.inject_fault("accept", "redirect", status=308)

    answer = light.accept(*waiting)

    assert (answer.status_code, answer.headers["Location"][:24]) == (308, "https://elsewhere.invali")
    assert simulator.control.acceptances() == []


def test_bad_identifier_is_added_to_good_ones(
    waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.inject_fault("*", "bad_identifier", times=2)

    account, listed = light.call("GET", f"{CREATE}/{waiting[0]}").json(), light.call("GET", CREATE).json()

    assert account["uuid"] == BAD_IDENTIFIER
    assert [row["uuid"] for row in listed["data"]] == [BAD_IDENTIFIER, waiting[0]]


def test_malformed_answer_is_complete_but_not_json(
    waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.inject_fault("accept", "malformed")

    response = light.accept(*waiting)

    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(response.content)
    assert len(simulator.control.acceptances()) == 1


def test_html_page_means_nothing_was_done(
    waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.inject_fault("accept", "html")

    response = light.accept(*waiting)

    assert (response.status_code, response.headers["Content-Type"][:9]) == (200, "text/html")
    assert simulator.control.acceptances() == []


@pytest.mark.parametrize(("kind", "status"), WITHOUT_EFFECT.items())
def test_answer_can_look_successful_without_effect(
    kind: str, status: int, waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.inject_fault("accept", kind)

    response = light.accept(*waiting)

    assert response.status_code == status
    assert simulator.control.acceptances() == []


def test_empty_answer_can_follow_the_work(
    waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.inject_fault("accept", "empty_after")

    response = light.accept(*waiting)

    assert (response.status_code, response.content) == (204, b"")
    assert len(simulator.control.acceptances()) == 1


@pytest.mark.parametrize(("kind", "field"), DIFFERENT.items())
def test_another_plan_can_be_accepted_than_requested(
    kind: str, field: str, waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    account_uuid, plan_uuid = waiting
    simulator.control.inject_fault("accept", kind)

    shown = light.accept(account_uuid, plan_uuid).json()["locations"][0]

    row = simulator.control.acceptances()[0]
    assert row["as_asked"] is False
    assert shown["utility_number" if field == "esi_id" else field] == row[field]
    assert (row["plan_uuid"] != plan_uuid) is (kind == "another_plan")


def test_account_can_be_created_under_another_address(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.inject_fault("create", "another_email")

    account_uuid = light.create("maria@example.com")

    assert light.read(account_uuid)["email"] == "someone.else@example.com"


@pytest.mark.parametrize(("kind", "field"), IMPOSSIBLE_PLANS.items())
def test_plans_can_have_impossible_values(
    kind: str, field: str, simulator: RunningSimulator, light: LightCalls
) -> None:
    account_uuid = light.ready()
    right = light.request_plans(account_uuid)[0]
    simulator.control.inject_fault("request_plans", kind)

    wrong = light.request_plans(account_uuid)[0]

    assert wrong[field] != right[field]


@pytest.mark.parametrize(
    ("kind", "status"),
    [("unauthorized", 401), ("forbidden", 403), ("not_found", 404), ("conflict", 409), ("unprocessable", 422)],
)
def test_ordered_refusal_does_nothing(
    kind: str, status: int, waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    simulator.control.inject_fault("accept", kind)

    response = light.accept(*waiting)

    assert response.status_code == status
    assert "detail" in response.json()
    assert simulator.control.acceptances() == []


def test_values_can_all_be_null(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.create()
    simulator.control.inject_fault("read", "nulls")

    body = light.read(account_uuid)

    assert (body["uuid"], body["email"], body["enrollment"]["has_accepted_plan"]) == (None, None, None)


def test_numbers_and_text_can_be_swapped(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.create()
    simulator.control.inject_fault("request_plans", "numbers_as_text")

    plan = light.request_plans(account_uuid)[0]

    assert plan["term_months"] in ("12", "24")
    assert isinstance(plan["avg_cents_per_kwh_1000"], float)


def test_fault_hits_its_account_as_often_as_ordered(simulator: RunningSimulator, light: LightCalls) -> None:
    hit, spared = light.create("a@example.com"), light.create("b@example.com")
    simulator.control.inject_fault("read", "not_found", account_uuid=hit, times=2)

    answers = [light.call("GET", f"{CREATE}/{uuid}").status_code for uuid in (spared, hit, spared, hit, hit)]

    assert answers == [200, 404, 200, 404, 200]


def test_permanent_fault_lasts_until_cleared(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.inject_fault("*", "error_before", status=503, times=None)

    during = [light.call("GET", CREATE).status_code for _ in range(3)]
    simulator.control.clear_faults()

    assert during == [503, 503, 503]
    assert light.call("GET", CREATE).status_code == 200


@pytest.mark.parametrize(
    "order",
    [
        {"endpoint": "nowhere", "kind": "delay"},
        {"endpoint": "accept", "kind": "nothing"},
        {"endpoint": "accept", "kind": "delay", "seconds": "long"},
        {"endpoint": "accept", "kind": "delay", "times": 0},
        {"endpoint": "accept", "kind": "delay", "colour": "red"},
    ],
)
def test_invalid_fault_is_refused(order: dict[str, object], simulator: RunningSimulator) -> None:
    with pytest.raises(ControlError, match="422"):
        simulator.control.inject_fault(str(order.pop("endpoint")), str(order.pop("kind")), **order)


def test_every_fault_kind_is_tested_here() -> None:
    tried = {
        *("drop_before", "drop_after", "hang", "error_before", "error_after", "rate_limit", "delay", "truncate_after"),
        *("malformed", "html", "unauthorized", "forbidden", "not_found", "conflict", "unprocessable"),
        *("nulls", "numbers_as_text", "drip", "redirect", "bad_identifier"),
        *("empty_after", "another_email", *WITHOUT_EFFECT, *DIFFERENT, *IMPOSSIBLE_PLANS),
    }

    assert tried == set(FAULT_KINDS)


def test_request_log_has_calls_and_no_secrets(
    waiting: tuple[str, str], simulator: RunningSimulator, light: LightCalls
) -> None:
    account_uuid, _ = waiting
    simulator.control.inject_fault("accept", "drop_after")
    token = light.token(account_uuid)
    with pytest.raises(requests.ConnectionError):
        light.call("POST", "/v1/account/enroll/plans/accept", token=token, json=light.acceptance(waiting[1]))

    (entry,) = simulator.control.requests("accept")
    dump = json.dumps(simulator.control.state())

    assert (entry["account_uuid"], entry["status"], entry["fault"]) == (account_uuid, 200, "drop_after")
    assert entry["answered"] is False
    assert token not in dump
    assert simulator.app_token not in dump
