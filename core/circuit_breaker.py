"""Skip an outside service for a few seconds after it failed, so that no page waits for it call after call."""

import time


class CircuitBreaker:
    """One per process and service."""

    SECONDS = 5.0

    def __init__(self) -> None:
        self._skip_until = 0.0

    def allows_calls(self) -> bool:
        return time.monotonic() >= self._skip_until

    def record_failure(self) -> None:
        self._skip_until = time.monotonic() + self.SECONDS

    def reset(self) -> None:
        self._skip_until = 0.0
