"""Benchmarks: how fast Switchyard is compared to a bare program doing the same, and the page with the results."""
