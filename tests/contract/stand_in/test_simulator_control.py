"""Control calls, the dialect switch, and the simulator as a separate process."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from simulator.control_client import ControlError
from simulator.dialect import ALTERNATE, WrongDialect, changed_dialect, dialect_as_json
from simulator.server import RunningSimulator
from tests.contract.stand_in.light_calls import CREATE, LightCalls

ROOT = Path(__file__).parents[3]


def test_reset_clears_all_state(simulator: RunningSimulator, light: LightCalls) -> None:
    control = simulator.control
    light.accepted()
    control.set_dialect(name="alternate")
    control.change_settings(read_lag_seconds=5, live=True)
    control.inject_fault("*", "delay")
    control.set_now(datetime(2030, 1, 1, tzinfo=UTC))

    control.reset()
    state = control.state()

    assert (state["accounts"], state["acceptances"], state["requests"]) == ([], [], [])
    assert (state["dialect"], state["settings"]["live"]) == ("reference", False)
    assert control.webhooks()["deliveries"] == []
    assert control.now() < datetime(2030, 1, 1, tzinfo=UTC)
    assert light.call("GET", CREATE).status_code == 200


def test_dialect_can_be_named_and_changed_immediately(simulator: RunningSimulator) -> None:
    shown = simulator.control.set_dialect(name="alternate", plans_envelope="object")

    assert shown == {**dialect_as_json(ALTERNATE), "plans_envelope": "object"}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "klingon"},
        {"plans_envelop": "array"},
        {"plans_envelope": "sack"},
        {"finalize_implicit": "yes"},
        {"rate_limit_per_second": True},
        {"status_places": "status"},
    ],
)
def test_invalid_dialect_setting_is_refused(change: dict[str, object], simulator: RunningSimulator) -> None:
    with pytest.raises(ControlError, match="422"):
        simulator.control.set_dialect(**change)
    with pytest.raises(WrongDialect):
        changed_dialect(ALTERNATE, change)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {"now": "tomorrow"}),
        ("clock", {"now": "2026-03-05T10:00:00"}),
        ("clock", {"advance_seconds": "1"}),
        ("clock", {"advance": 5}),
        ("settings", {"read_lag_seconds": "5"}),
        ("settings", {"read_lag_clock": "moon"}),
        ("settings", {"price_factor": "cheap"}),
        ("settings", {"change": 1}),
        ("webhooks", {"duplicate": "2"}),
        ("webhooks", {"shuffle": True}),
        ("webhooks/resend", {"times": 0}),
        ("events", {}),
    ],
)
def test_control_call_with_invalid_value_is_refused(
    path: str, body: dict[str, object], simulator: RunningSimulator
) -> None:
    response = requests.post(f"{simulator.url}/__sim__/{path}", json=body, timeout=5)

    assert response.status_code == 422


def test_unknown_step_and_account_are_refused(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.create()
    base = f"{simulator.url}/__sim__/accounts"

    assert requests.post(f"{base}/{account_uuid}/dance", json={}, timeout=5).status_code == 422
    assert requests.post(f"{base}/nobody/complete", json={}, timeout=5).status_code == 404
    bad_steps = requests.post(f"{base}/{account_uuid}/complete", json={"steps": ["dance"]}, timeout=5)
    assert bad_steps.status_code == 422


def test_control_calls_opt_out_and_cancel(simulator: RunningSimulator, light: LightCalls) -> None:
    early, late = light.finalized("a@example.com"), light.finalized("b@example.com")

    simulator.control.opt_out(early)
    simulator.control.advance(timedelta(days=9))
    simulator.control.cancel(late)

    assert (light.status(early), light.status(late)) == ("service_canceled", "service_canceled")
    with pytest.raises(ControlError, match="409"):
        simulator.control.opt_out(late)


def test_acceptances_list_account_plan_meter_and_day(simulator: RunningSimulator, light: LightCalls) -> None:
    account_uuid = light.accepted()
    location = light.read(account_uuid)["locations"][0]

    (row,) = simulator.control.acceptances()

    assert row["account_uuid"] == account_uuid
    assert row["plan_uuid"] == location["plan_uuid"]
    assert row["esi_id"] == location["utility_number"]
    assert row["service_start_date"] == location["service_start_date"]


def _start_process(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "simulator", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603


def test_process_prints_its_address_and_stops_on_request() -> None:
    with _start_process("--port", "0", "--app-token", "abc", "--dialect", "alternate") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.removeprefix("Light stand-in listening on ").strip()
        listed = requests.get(url + CREATE, headers={"Authorization": "Bearer abc"}, timeout=5)
        process.send_signal(signal.SIGTERM)
        _, problems = process.communicate(timeout=10)

    assert line.startswith("Light stand-in listening on http://127.0.0.1:")
    assert listed.json() == []
    assert (process.returncode, problems) == (0, "")


@pytest.mark.parametrize("port", ["taken", "70000", "http"])
def test_process_refuses_a_port_in_use(port: str, simulator: RunningSimulator) -> None:
    number = simulator.url.rsplit(":", 1)[1] if port == "taken" else port

    with _start_process("--port", number) as process:
        _, problems = process.communicate(timeout=10)

    assert process.returncode != 0
    assert number in problems
    assert "Traceback" not in problems
