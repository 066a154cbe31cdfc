"""Waits of the processes that tests start: as in production, only shorter."""

SWEEP_SECONDS = 1
SETTLING_SECONDS = 4
LEASE_SECONDS = 10
