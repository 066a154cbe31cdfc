"""The simulator's page matches its code, and its settings let our client use both dialects."""

import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from enrollments.light.client import LightClient
from enrollments.light.dialect_settings import read_dialect
from enrollments.light.payloads import Acceptance, LightStage, NewAccount, derive_stage
from enrollments.light.webhook_signatures import verify
from simulator.faults import FAULT_KINDS, OPERATIONS
from simulator.scenarios import SCENARIO_TAGS
from simulator.server import RunningSimulator, build_app
from simulator.webhooks import WebhookSwitches
from simulator.world import Settings, World
from tests.contract.stand_in.light_calls import ESI_ID, LightCalls
from tests.contract.stand_in.webhook_inbox import WebhookInbox

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text()


def _dialect_on_the_page() -> str:
    (named,) = re.findall(r"`LIGHT_DIALECT=(\w+)`", PAGE)
    return str(named)


@pytest.mark.parametrize(
    "name",
    [
        *FAULT_KINDS,
        *OPERATIONS,
        *(tag for tag in SCENARIO_TAGS if "<" not in tag),
        *Settings.__dataclass_fields__,
        *(set(WebhookSwitches.__dataclass_fields__) - {"off"}),
    ],
)
def test_page_lists_every_scenario_fault_and_setting(name: str) -> None:
    assert f"`{name}`" in PAGE or f'"{name}"' in PAGE


def test_page_lists_every_control_call() -> None:
    app = build_app(World(app_token="a", webhook_secret="b"))
    paths = {rule.rule.removeprefix("/__sim__") for rule in app.url_map.iter_rules() if "__sim__" in rule.rule}

    assert {path for path in paths if "<" not in path and path not in PAGE} == set()


@pytest.mark.parametrize("name", ["reference", "alternate"])
def test_our_client_completes_the_whole_flow(
    name: str, simulator: RunningSimulator, light: LightCalls, inbox: WebhookInbox
) -> None:
    control = simulator.control
    control.set_dialect(name=name)
    dialect = read_dialect(_dialect_on_the_page() if name == "alternate" else "reference", {})
    customer = NewAccount(
        email="maria@example.com",
        first_name="Maria",
        last_name="Soto",
        phone_number="+15125550123",
        date_of_birth=date(1980, 2, 3),
    )
    with LightClient(
        base_url=simulator.url, app_token=simulator.app_token, dialect=dialect, clock=control.now
    ) as client:
        account = client.create_account(customer)
        signed_at = control.now() - timedelta(hours=1)
        client.record_client_agent(account.uuid, accepted_at=signed_at)
        client.record_client_agent(account.uuid, accepted_at=signed_at)
        control.complete(account.uuid)
        ready = client.read_account(account.uuid)
        plan = client.request_plans(account.uuid, esi_id=ESI_ID).plans[0]
        client.accept_plan(
            account.uuid, Acceptance(plan_uuid=plan.uuid, esi_id=ESI_ID, service_start_date=light.day(8))
        )
        client.finalize(account.uuid)
        found = client.find_accounts(customer.email)
        control.wait_for_webhooks()
        for message in inbox.received:
            verify(
                scheme=dialect.webhook,
                secrets=[simulator.webhook_secret],
                headers=message.headers,
                body=message.body,
                now=control.now(),
            )
        control.advance(timedelta(days=8))
        active = client.read_account(account.uuid)

    known = dialect.known_statuses
    assert derive_stage(ready, light.day(0), known_statuses=known) is LightStage.READY
    assert derive_stage(active, light.day(0), known_statuses=known) is LightStage.ACTIVE
    assert active.status in known
    assert active.locations[0].plan_uuid == plan.uuid
    assert [row.uuid for row in found.accounts] == [account.uuid]
    assert len(control.acceptances()) == 1
    assert "enrollment.finalized" in inbox.events
