from tests.integration.enrollments.conftest import pair, road, running_simulator, running_simulators

__all__ = ["pair", "road", "running_simulator", "running_simulators"]
