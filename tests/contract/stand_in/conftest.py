from collections.abc import Iterator

import pytest

from simulator.server import RunningSimulator, start_simulator
from tests.contract.stand_in.light_calls import LightCalls
from tests.contract.stand_in.webhook_inbox import WebhookInbox, open_inbox


@pytest.fixture(scope="module")
def simulator_of_module() -> Iterator[RunningSimulator]:
    running = start_simulator()
    yield running
    running.stop()


@pytest.fixture
def simulator(simulator_of_module: RunningSimulator) -> RunningSimulator:
    simulator_of_module.control.reset()
    return simulator_of_module


@pytest.fixture
def light(simulator: RunningSimulator) -> LightCalls:
    return LightCalls(simulator)


@pytest.fixture(scope="module")
def inbox_of_module() -> Iterator[WebhookInbox]:
    with open_inbox() as inbox:
        yield inbox


@pytest.fixture
def inbox(inbox_of_module: WebhookInbox, simulator: RunningSimulator) -> WebhookInbox:
    inbox_of_module.empty()
    simulator.control.switch_webhooks(url=inbox_of_module.url)
    return inbox_of_module
