from collections.abc import Iterator

import pytest

from simulator.server import RunningSimulator, start_simulator
from tests.contract.dialects import DIALECT_PAIRS, DialectPair
from tests.integration.enrollments.road import MORNING, Road


@pytest.fixture(scope="session", params=DIALECT_PAIRS, ids=lambda pair: pair.name)
def pair(request: pytest.FixtureRequest) -> DialectPair:
    pair: DialectPair = request.param
    return pair


@pytest.fixture(scope="session")
def running_simulator(pair: DialectPair) -> Iterator[RunningSimulator]:
    running = start_simulator(dialect=pair.simulator)
    yield running
    running.stop()


@pytest.fixture
def road(db: None, running_simulator: RunningSimulator, pair: DialectPair) -> Iterator[Road]:
    running_simulator.control.reset()
    running_simulator.control.set_now(MORNING)
    running_simulator.control.freeze_clock()
    walked = Road(running_simulator, pair)
    yield walked
    walked.check()
    walked.light.close()
