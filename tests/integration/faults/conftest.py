from tests.integration.enrollments.conftest import pair, road, running_simulator

__all__ = ["pair", "road", "running_simulator"]
