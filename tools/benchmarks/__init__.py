"""Benchmarks: how fast Switchyard is beside a bare contender doing the same, and the page that tells it."""
