from collections.abc import Iterator

import pytest

from simulator.server import RunningSimulator, start_simulator
from tests.contract.dialects import DIALECT_PAIRS, REFERENCE, DialectPair
from tests.integration.enrollments.flow import MORNING, Flow


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Use the reference dialect alone for tests marked `one_dialect`."""
    if "pair" in metafunc.fixturenames and metafunc.definition.get_closest_marker("one_dialect"):
        metafunc.definition.add_marker(pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True))


@pytest.fixture(scope="session", params=DIALECT_PAIRS, ids=lambda pair: pair.name)
def pair(request: pytest.FixtureRequest) -> DialectPair:
    pair: DialectPair = request.param
    return pair


@pytest.fixture(scope="session")
def running_simulators() -> Iterator[dict[str, RunningSimulator]]:
    """One simulator per dialect, started when a test first needs it."""
    running: dict[str, RunningSimulator] = {}
    yield running
    for simulator in running.values():
        simulator.stop()


@pytest.fixture
def running_simulator(running_simulators: dict[str, RunningSimulator], pair: DialectPair) -> RunningSimulator:
    if pair.name not in running_simulators:
        running_simulators[pair.name] = start_simulator(dialect=pair.simulator)
    return running_simulators[pair.name]


@pytest.fixture
def flow(db: None, running_simulator: RunningSimulator, pair: DialectPair) -> Iterator[Flow]:
    running_simulator.control.reset()
    running_simulator.control.set_now(MORNING)
    running_simulator.control.freeze_clock()
    walked = Flow(running_simulator, pair)
    yield walked
    walked.check()
    walked.light.close()
