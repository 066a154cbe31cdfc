"""The effect of each tag in the e-mail address of an account."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests

from simulator.scenarios import scenario_of
from simulator.server import RunningSimulator
from tests.contract.stand_in.light_calls import CREATE, LightCalls


def test_tags_combine_and_unknown_ones_are_ignored() -> None:
    scenario = scenario_of("maria+frozen14+slow.Pricey+whatever@example.com")

    assert scenario.thaw_days == 14
    assert scenario.has("slow")
    assert scenario.has("pricey")
    assert scenario_of("maria@frozen.example.com") == scenario_of("jose@example.com")


def test_frozen_credit_thaws_after_the_days_in_the_tag(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.ready("maria+frozen14@example.com")

    simulator.control.advance(timedelta(days=13, hours=23))
    before = light.status(account_uuid)
    simulator.control.advance(timedelta(hours=2))

    assert before == "credit_check_frozen"
    assert light.status(account_uuid) == "enrollment_pending_client_agent"


def test_frozen_credit_without_days_needs_a_control_call(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.ready("maria+frozen@example.com")

    simulator.control.advance(timedelta(days=90))
    before = light.status(account_uuid)
    simulator.control.unfreeze_credit(account_uuid)

    assert before == "credit_check_frozen"
    assert light.status(account_uuid) == "enrollment_pending_client_agent"


def test_failed_credit_stays_failed(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.ready("maria+credit-fail@example.com")

    simulator.control.advance(timedelta(days=90))

    assert light.status(account_uuid) == "credit_check_failed"


def test_credit_check_can_be_slow(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.change_settings(credit_check_seconds=3600)
    account_uuid = light.ready()

    before = light.status(account_uuid)
    simulator.control.advance(timedelta(hours=1))

    assert before == "credit_check_pending"
    assert light.status(account_uuid) == "enrollment_pending_client_agent"


def test_customer_without_card_is_never_ready(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.ready("maria+no-card@example.com")

    assert light.read(account_uuid)["enrollment"]["has_payment_method"] is False
    simulator.control.complete(account_uuid, ["card"], is_forced=True)
    assert light.status(account_uuid) == "enrollment_pending_client_agent"


def test_dup_tag_finds_an_existing_account(light: LightCalls) -> None:
    response = light.call("POST", CREATE, json={"email": "maria+dup@example.com"})
    listed = light.call("GET", CREATE, params={"email": "maria+dup@example.com"}).json()["data"]

    assert response.status_code == 409
    assert len(listed) == 1


def test_slow_account_answers_late(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.change_settings(slow_seconds=0.3)
    account_uuid = light.create("maria+slow@example.com")

    assert light.call("GET", f"{CREATE}/{account_uuid}").elapsed > timedelta(seconds=0.3)


def test_calls_beyond_capacity_queue(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.create()
    simulator.control.change_settings(max_concurrent_calls=1)
    simulator.control.inject_fault("read", "delay", seconds=0.5)
    began = time.monotonic()

    with ThreadPoolExecutor() as people:
        held_up = people.submit(light.read, account_uuid)
        while simulator.world.faults.faults:
            time.sleep(0.005)
        light.read(account_uuid)
        waited = time.monotonic() - began

    assert waited > 0.5
    assert held_up.result()["uuid"] == account_uuid


@pytest.mark.parametrize("sends_event", [True, False])
def test_opt_out_comes_before_service_starts(
    *,
    sends_event: bool,
    simulator: RunningSimulator,
    light: LightCalls,
) -> None:
    simulator.control.set_dialect(opt_out_webhook=sends_event)
    account_uuid = light.finalized("maria+optout@example.com")

    simulator.control.advance(timedelta(days=30))
    account = light.read(account_uuid)
    events = [row["event"] for row in simulator.control.webhooks()["deliveries"]]

    assert account["status"] == "service_canceled"
    assert account["locations"][0]["final_service_date"] is not None
    assert account["enrollment"]["is_service_active"] is False
    assert ("location.service_canceled" in events) is sends_event
    assert "location.service_active" not in events


def test_pricey_offers_cost_far_more(light: LightCalls) -> None:
    usual = light.request_plans(light.create())
    pricey = light.request_plans(light.create("maria+pricey@example.com"))

    cheapest_pricey = min(float(plan["avg_cents_per_kwh_1000"]) for plan in pricey)
    assert cheapest_pricey > 1.5 * max(float(plan["avg_cents_per_kwh_1000"]) for plan in usual)


def test_setting_changes_prices(simulator: RunningSimulator, light: LightCalls) -> None:
    usual = light.request_plans(light.create())
    simulator.control.change_settings(price_factor="1.5")
    moved = light.request_plans(light.create())

    assert float(moved[0]["energy_rate_cents_per_kwh"]) == pytest.approx(
        1.5 * float(usual[0]["energy_rate_cents_per_kwh"]), abs=0.01
    )


@pytest.mark.parametrize("envelope", ["object", "array"])
def test_no_plans_is_an_empty_list(envelope: str, simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.set_dialect(plans_envelope=envelope)

    assert light.request_plans(light.create("maria+noplans@example.com")) == []


def test_twins_differ_only_in_identifier(light: LightCalls) -> None:
    plans = light.request_plans(light.create("maria+twins@example.com"))
    alike = [{key: value for key, value in plan.items() if key != "uuid"} for plan in plans]

    assert alike[0::2] == alike[1::2]
    assert len({plan["uuid"] for plan in plans}) == len(plans)


def test_strange_statuses_keep_the_two_public_ones(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.create("maria+strange+frozen@example.com")
    seen = [light.status(account_uuid)]
    light.record(account_uuid)
    simulator.control.complete(account_uuid)
    seen.append(light.status(account_uuid))
    simulator.control.unfreeze_credit(account_uuid)
    seen.append(light.status(account_uuid))
    light.accept(account_uuid, light.request_plans(account_uuid)[0]["uuid"])
    seen.append(light.status(account_uuid))

    assert seen[1:3] == ["credit_check_frozen", "enrollment_pending_client_agent"]
    assert seen[0] == "waiting_for_the_bluebonnets"
    assert seen[3] == "plan_in_orbit"


def test_any_status_can_be_ordered(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.ready()

    simulator.control.show_status(account_uuid, "manual_review")
    shown = light.status(account_uuid)
    simulator.control.show_status(account_uuid, None)

    assert shown == "manual_review"
    assert light.status(account_uuid) == "enrollment_pending_client_agent"


def test_answer_to_the_first_acceptance_is_lost_once(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.ready("maria+acceptlost@example.com")
    plan = light.request_plans(account_uuid)[0]

    with pytest.raises(requests.ConnectionError):
        light.accept(account_uuid, plan["uuid"])

    assert light.read(account_uuid)["enrollment"]["has_accepted_plan"] is True
    assert light.accept(account_uuid, plan["uuid"]).status_code == 409
    assert len(simulator.control.acceptances()) == 1


def test_self_enrolled_customer_has_a_plan_before_we_accept(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.ready("maria+self-enroll@example.com")

    assert light.read(account_uuid)["enrollment"]["has_accepted_plan"] is True
    assert [row["by_customer"] for row in simulator.control.acceptances()] == [True]


@pytest.mark.parametrize("lag_clock", ["simulator", "wall"])
def test_acceptance_shows_in_reads_only_after_the_lag(
    lag_clock: str, simulator: RunningSimulator, light: LightCalls
) -> None:
    lag_seconds = 600 if lag_clock == "simulator" else 0.4
    simulator.control.change_settings(read_lag_seconds=lag_seconds, read_lag_clock=lag_clock)
    account_uuid = light.accepted()

    early = light.read(account_uuid)
    simulator.control.change_settings(read_lag_seconds=0.0)
    late = light.read(account_uuid)

    assert (early["enrollment"]["has_accepted_plan"], early["locations"]) == (False, [])
    assert early["status"] == "enrollment_pending_client_agent"
    assert late["enrollment"]["has_accepted_plan"] is True


def test_reading_lag_follows_the_simulator_clock(simulator: RunningSimulator, light: LightCalls) -> None:
    simulator.control.change_settings(read_lag_seconds=600)
    account_uuid = light.accepted()

    simulator.control.advance(timedelta(seconds=601))

    assert light.read(account_uuid)["enrollment"]["has_accepted_plan"] is True
