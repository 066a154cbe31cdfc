from tests.integration.enrollments.conftest import flow, pair, running_simulator, running_simulators

__all__ = ["flow", "pair", "running_simulator", "running_simulators"]
