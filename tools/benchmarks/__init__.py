"""Benchmarks: how fast the house is beside a bare contender doing the same, and the page that tells it."""
